/** Files through Node. */
import type { BigIntStats } from 'node:fs'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { MillraceError } from '../error.ts'
import type { Disk, DiskFile, FileStat } from './disk.ts'

export class NodeDisk implements Disk {
  open(path: string, mode: 'read' | 'create'): Promise<DiskFile | null>
  open(path: string, mode: 'write'): Promise<DiskFile>
  async open(path: string, mode: 'read' | 'write' | 'create'): Promise<DiskFile | null> {
    if (mode === 'create') return await created(path)
    // Not 'a+': on Linux appending mode ignores the offset of a write.
    const flags = mode === 'read' ? constants.O_RDONLY : constants.O_RDWR | constants.O_CREAT
    const handle = mode === 'read' ? await unlessMissing('open', path, open(path, flags)) : await checked('open', path, open(path, flags))
    return handle === null ? null : new NodeFile(handle, path)
  }

  async stat(path: string): Promise<FileStat | null> {
    const found = await unlessMissing('stat', path, stat(path, { bigint: true }))
    return found === null ? null : fileStat(found)
  }

  async list(directory: string): Promise<string[]> {
    const names = await unlessMissing('list', directory, readdir(directory))
    return names === null ? [] : names.sort()
  }

  rename(from: string, to: string): Promise<void> {
    return checked('rename', from, rename(from, to))
  }

  async remove(path: string): Promise<void> {
    await unlessMissing('remove', path, unlink(path))
  }

  async makeDirectory(path: string): Promise<void> {
    await checked('make directory', path, mkdir(path, { recursive: true }))
  }

  async syncDirectory(path: string): Promise<void> {
    // Windows can neither open nor sync a directory; its file systems journal renames themselves.
    if (process.platform === 'win32') return
    const handle = await checked('open directory', path, open(path, constants.O_RDONLY))
    try {
      await checked('sync directory', path, handle.sync())
    } finally {
      await handle.close()
    }
  }
}

class NodeFile implements DiskFile {
  private readonly handle: FileHandle
  private readonly path: string

  constructor(handle: FileHandle, path: string) {
    this.handle = handle
    this.path = path
  }

  async read(offset: number, target: Uint8Array): Promise<number> {
    if (target.length === 0) return 0
    return (await checked('read', this.path, this.handle.read(target, 0, target.length, offset))).bytesRead
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    let written = 0
    while (written < bytes.length) {
      const rest = this.handle.write(bytes, written, bytes.length - written, offset + written)
      written += (await checked('write', this.path, rest)).bytesWritten
    }
  }

  truncate(size: number): Promise<void> {
    return checked('truncate', this.path, this.handle.truncate(size))
  }

  sync(): Promise<void> {
    return checked('sync', this.path, this.handle.sync())
  }

  async stat(): Promise<FileStat> {
    return fileStat(await checked('stat', this.path, this.handle.stat({ bigint: true })))
  }

  close(): Promise<void> {
    return checked('close', this.path, this.handle.close())
  }
}

function fileStat(found: BigIntStats): FileStat {
  return {
    identity: `${found.dev}:${found.ino}`,
    size: Number(found.size),
    modified: Number(found.mtimeNs / 1000n),
    links: Number(found.nlink),
  }
}

async function created(path: string): Promise<DiskFile | null> {
  try {
    return new NodeFile(await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL), path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return null
    throw diskError('create', path, error)
  }
}

async function checked<T>(what: string, path: string, done: Promise<T>): Promise<T> {
  try {
    return await done
  } catch (error) {
    throw diskError(what, path, error)
  }
}

async function unlessMissing<T>(what: string, path: string, done: Promise<T>): Promise<T | null> {
  try {
    return await done
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    throw diskError(what, path, error)
  }
}

function diskError(what: string, path: string, error: unknown): MillraceError {
  const reason = error instanceof Error ? error.message : String(error)
  return new MillraceError('STORE', `cannot ${what} ${path}: ${reason}`, undefined, { cause: error })
}
