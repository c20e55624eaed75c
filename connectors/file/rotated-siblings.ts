/** Finds the files that a log rotation left beside the current one. */
import type { Disk, FileStat } from '../../runtime/env/disk.ts'

export interface Sibling {
  readonly path: string
  readonly stat: FileStat
  /** The number of a name such as `log.3`; null for dated names. */
  readonly number: number | null
}

/** A listing during a rotation may miss a name that moves, so two in a row must agree; this bounds the attempts. */
const LISTING_ATTEMPTS = 8

/**
 * The rotated files of `path`: beside it, named as it is plus a number or date (`log.1`, `log-20260101`, and
 * `log-20260101.jsonl` for `log.jsonl`); compressed ones are not readable as lines and not among them. Null if
 * the names kept changing while they were listed.
 */
export async function rotatedSiblings(disk: Disk, path: string): Promise<Sibling[] | null> {
  let before: string | null = null
  for (let attempt = 0; attempt < LISTING_ATTEMPTS; attempt++) {
    const siblings = await listSiblings(disk, path)
    const now = siblings.map((sibling) => `${sibling.path}\n${sibling.stat.identity}`).join('\n')
    if (now === before) return siblings
    before = now
  }
  return null
}

/** Of files written one after the other, the order they were written in. */
export function writtenBefore(a: Sibling, b: Sibling): number {
  if (a.stat.modified !== b.stat.modified) return a.stat.modified - b.stat.modified
  // Times can tie (kernels count in milliseconds). Rotation by number moves older files to higher numbers.
  if (a.number !== null && b.number !== null) return b.number - a.number
  return a.path < b.path ? -1 : 1
}

async function listSiblings(disk: Disk, path: string): Promise<Sibling[]> {
  const slash = Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\'))
  const directory = slash === -1 ? '.' : path.slice(0, slash + 1)
  const base = path.slice(slash + 1)
  const siblings: Sibling[] = []
  for (const name of await disk.list(directory)) {
    const suffix = rotationSuffix(base, name)
    if (suffix === null) continue
    const siblingPath = slash === -1 ? name : directory + name
    const stat = await disk.stat(siblingPath)
    if (stat !== null) siblings.push({ path: siblingPath, stat, number: /^\.\d{1,9}$/.test(suffix) ? Number(suffix.slice(1)) : null })
  }
  return siblings
}

const ROTATION_SUFFIX = /^[._-]\d[\dTZ:._+-]*$/

function rotationSuffix(base: string, name: string): string | null {
  if (name.startsWith(base) && ROTATION_SUFFIX.test(name.slice(base.length))) return name.slice(base.length)
  const dot = base.lastIndexOf('.')
  if (dot <= 0) return null
  const stem = base.slice(0, dot)
  const extension = base.slice(dot)
  if (!name.startsWith(stem) || !name.endsWith(extension) || name.length <= base.length) return null
  const suffix = name.slice(stem.length, name.length - extension.length)
  return ROTATION_SUFFIX.test(suffix) ? suffix : null
}
