/** A change log that is written live: appended to in pieces, rotated and truncated as logrotate does. */
import { closeSync, existsSync, openSync, renameSync, unlinkSync, writeSync } from 'node:fs'

const LINE_FEED = new Uint8Array([10])

export interface LogFileOptions {
  readonly path: string
  /** The first line of each file; null for none. */
  readonly header: string | null
  /** Bytes at which the file is renamed to `path.1` (and `path.1` to `path.2`, ..) and a new one begun; 0: never. */
  readonly rotateEvery: number
}

export class LogFile {
  private readonly options: LogFileOptions
  private handle: number
  /** Bytes in the current file. */
  size = 0
  private pending: Uint8Array[] = []

  /** Begins the file anew; rotated files of an earlier run are removed. */
  constructor(options: LogFileOptions) {
    this.options = options
    for (let n = 1; existsSync(`${options.path}.${n}`); n++) unlinkSync(`${options.path}.${n}`)
    this.handle = this.begin()
  }

  /** Adds a line; it is written by the next `flush`. */
  add(line: Uint8Array): void {
    this.pending.push(line, LINE_FEED)
  }

  /** Writes what was added. Lines stay whole within a file, but a reader may see the last one in part. */
  flush(): void {
    if (this.pending.length === 0) return
    const bytes = Buffer.concat(this.pending)
    this.pending = []
    const middle = bytes.length >> 1
    writeSync(this.handle, bytes, 0, middle)
    writeSync(this.handle, bytes, middle)
    this.size += bytes.length
    if (this.options.rotateEvery > 0 && this.size >= this.options.rotateEvery) this.rotate()
  }

  /** Empties the file in place. Whatever a follower has not read by now is lost to it. */
  truncate(): void {
    closeSync(this.handle)
    this.handle = this.begin()
  }

  close(): void {
    this.flush()
    closeSync(this.handle)
  }

  private rotate(): void {
    closeSync(this.handle)
    const { path } = this.options
    let last = 1
    while (existsSync(`${path}.${last}`)) last++
    for (let n = last; n > 1; n--) renameSync(`${path}.${n - 1}`, `${path}.${n}`)
    renameSync(path, `${path}.1`)
    this.handle = this.begin()
  }

  private begin(): number {
    // 'w' empties an existing file in place, keeping its inode.
    const handle = openSync(this.options.path, 'w')
    this.size = 0
    if (this.options.header !== null) this.size += writeSync(handle, `${this.options.header}\n`)
    return handle
  }
}
