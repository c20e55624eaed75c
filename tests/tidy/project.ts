/** The project's files as the tidy rules see them: what git tracks, as it stands in the working tree. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import { blank } from './blank.ts'

export interface SourceFile {
  /** Relative to the root, with forward slashes. */
  readonly path: string
  readonly text: string
}

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Half-written files that nobody has added yet are nobody's concern. */
export function trackedFiles(): string[] {
  const listed = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' })
  return listed.split('\0').filter((path) => path !== '' && existsSync(root + path))
}

export function readTracked(path: string): SourceFile {
  return { path, text: readFileSync(root + path, 'utf8') }
}

/** The folder a rule knows a file by: its first path segment, or '' for a file at the root. */
export function folderOf(path: string): string {
  const slash = path.indexOf('/')
  return slash < 0 ? '' : path.slice(0, slash)
}

export interface Import {
  readonly from: string
  /** A path relative to the root, or the name of a package or a `node:` module. */
  readonly to: string
  readonly relative: boolean
  readonly line: number
}

const IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*(['"])([^'"\n]+)\1|new URL\(\s*(['"])(\.{1,2}\/[^'"\n]+\.ts)\3\s*,\s*import\.meta\.url/g

/** Static, dynamic and type imports, re-exports, and modules that are named by URL (threads). */
export function importsOf(file: SourceFile): Import[] {
  const code = blank(file.text, 'comments')
  const withoutStrings = blank(file.text, 'comments and strings')
  const matches = [...code.matchAll(IMPORT)].filter((match) => withoutStrings.startsWith(match[0].slice(0, 4), match.index))
  return matches.map((match) => {
    const name = match[2] ?? match[4] ?? ''
    const relative = name.startsWith('.')
    return {
      from: file.path,
      to: relative ? posix.normalize(posix.join(posix.dirname(file.path), name)) : name,
      relative,
      line: code.slice(0, match.index).split('\n').length,
    }
  })
}
