/** How a message names a file: relative to where the user is, unless that leads out of there. */
import { isAbsolute, relative } from 'node:path'

export function shownPath(path: string): string {
  const way = relative(process.cwd(), path)
  return way === '' || way.startsWith('..') || isAbsolute(way) ? path : way
}
