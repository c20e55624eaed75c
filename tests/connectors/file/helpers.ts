import { FileFollower, type FollowOptions } from '../../../connectors/file/follow.ts'
import type { FollowEvent } from '../../../connectors/file/follow-event.ts'
import type { BadLine, LineBatch } from '../../../connectors/file/position.ts'
import type { Environment } from '../../../runtime/env/environment.ts'

/** What a test's writer does to files, on the simulated and on the real disk. */
export class Writer {
  private readonly env: Environment
  readonly path: string

  constructor(env: Environment, path: string) {
    this.env = env
    this.path = path
  }

  async append(data: string | Uint8Array): Promise<void> {
    const file = await this.env.disk.open(this.path, 'write')
    await file.write((await file.stat()).size, typeof data === 'string' ? new TextEncoder().encode(data) : data)
    await file.close()
  }

  async truncate(size = 0): Promise<void> {
    const file = await this.env.disk.open(this.path, 'write')
    await file.truncate(size)
    await file.close()
  }

  /** As logrotate does: path.1 becomes path.2 and so on; `create` leaves an empty new file. */
  async rotate(create: boolean): Promise<void> {
    const { disk } = this.env
    let n = 1
    while ((await disk.stat(`${this.path}.${n}`)) !== null) n++
    for (; n > 1; n--) await disk.rename(`${this.path}.${n - 1}`, `${this.path}.${n}`)
    await disk.rename(this.path, `${this.path}.1`)
    if (create) await (await disk.open(this.path, 'write')).close()
  }

  remove(): Promise<void> {
    return this.env.disk.remove(this.path)
  }
}

/** A follower and everything it has given. */
export class Reader {
  readonly follower: FileFollower
  readonly events: FollowEvent[] = []
  readonly batches: LineBatch[] = []
  readonly lines: string[] = []
  readonly bad: BadLine[] = []

  constructor(env: Environment, options: Omit<FollowOptions, 'onEvent'>) {
    this.follower = new FileFollower(env, { ...options, onEvent: (event) => this.events.push(event) })
  }

  async once(maximumBytes?: number): Promise<LineBatch | null> {
    const batch = await this.follower.poll(maximumBytes)
    if (batch === null) return null
    this.batches.push(batch)
    this.lines.push(...batch.lines)
    this.bad.push(...batch.bad)
    return batch
  }

  /** Polls until there is nothing more. */
  async all(maximumBytes?: number): Promise<void> {
    for (;;) if ((await this.once(maximumBytes)) === null && !this.follower.behind) return
  }

  get kinds(): string[] {
    return this.events.map((event) => event.kind)
  }
}
