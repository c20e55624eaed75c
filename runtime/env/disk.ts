/**
 * Files as the engine sees them. Failures other than "there is no such file" are `MillraceError` with code `STORE` and
 * the cause of the host attached.
 */
export interface Disk {
  /**
   * - `read`: null if there is no such file.
   * - `write`: read and write, created if missing, content kept.
   * - `create`: read and write, a new file; null if there is one already. Of several that try, one succeeds.
   */
  open(path: string, mode: 'read'): Promise<DiskFile | null>
  open(path: string, mode: 'create'): Promise<DiskFile | null>
  open(path: string, mode: 'write'): Promise<DiskFile>
  /** Null if there is no such file. Follows symbolic links. */
  stat(path: string): Promise<FileStat | null>
  /** Names (not paths) in a directory, sorted by code unit; empty if there is no such directory. */
  list(directory: string): Promise<string[]>
  /** Replaces `to` atomically if it exists. */
  rename(from: string, to: string): Promise<void>
  /** Removes a file; does nothing if there is none. */
  remove(path: string): Promise<void>
  /** Makes a directory and its parents; does nothing if it exists. */
  makeDirectory(path: string): Promise<void>
  /** Makes earlier creations, renames and removals in a directory survive a crash. */
  syncDirectory(path: string): Promise<void>
}

export interface FileStat {
  /** Names the file itself, whatever its path (device and inode). Not used again while the file is open. */
  readonly identity: string
  /** Bytes. */
  readonly size: number
  /** Time of the last change of the content, microseconds since 1970. */
  readonly modified: number
  /** Paths that lead to the file; 0 once it was removed and only open handles keep it. */
  readonly links: number
}

/** An open file: it stays the same file when its path is renamed or removed. */
export interface DiskFile {
  /** Reads at byte `offset` into `target` and returns the bytes read: fewer than asked is possible, 0 only at the end. */
  read(offset: number, target: Uint8Array): Promise<number>
  /** Writes all of `bytes` at byte `offset`; a gap behind the end is filled with zeros. */
  write(offset: number, bytes: Uint8Array): Promise<void>
  truncate(size: number): Promise<void>
  /** Resolves once the content so far survives a crash. */
  sync(): Promise<void>
  stat(): Promise<FileStat>
  close(): Promise<void>
}
