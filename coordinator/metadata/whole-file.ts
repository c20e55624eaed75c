/** A small file's bytes; reads may come in parts. */
import type { Disk } from '../../runtime/env/disk.ts'

/** Null if there is no such file. */
export async function wholeFile(disk: Disk, path: string): Promise<Uint8Array | null> {
  const file = await disk.open(path, 'read')
  if (file === null) return null
  try {
    const bytes = new Uint8Array((await file.stat()).size)
    let length = 0
    while (length < bytes.length) {
      const read = await file.read(length, bytes.subarray(length))
      if (read === 0) break
      length += read
    }
    return bytes.subarray(0, length)
  } finally {
    await file.close()
  }
}
