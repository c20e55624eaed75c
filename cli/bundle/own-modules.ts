/** The modules that a bundle does not contain: whoever runs it provides them, so that each class exists once. */
import { readFileSync } from 'node:fs'
import { basename, dirname, extname, join, relative, sep } from 'node:path'
import { didYouMean } from '../../runtime/data/suggest.ts'

/** What the package exports, by the name of the root file that it is. */
const PUBLIC_FILES: ReadonlyMap<string, string> = new Map([
  ['millrace', 'millrace'],
  ['config', 'millrace/config'],
  ['files', 'millrace/files'],
  ['testing', 'millrace/testing'],
])
const NAMES = [...PUBLIC_FILES.values()]

/** Folders of the engine whose classes must not exist twice. */
const ENGINE_FOLDERS = new Set(['operators', 'worker', 'coordinator', 'connectors', 'cli'])

/** Whether a specifier names this package; `problem` if it names nothing in it. */
export function publicModule(specifier: string): { readonly name: string; readonly problem: string | null } | null {
  if (specifier !== 'millrace' && !specifier.startsWith('millrace/')) return null
  if (NAMES.includes(specifier)) return { name: specifier, problem: null }
  return { name: specifier, problem: `There is no ${specifier} (${NAMES.join(', ')}).${didYouMean(specifier, NAMES)}` }
}

/**
 * The module of this package that a file is, for imports by path within its repository. Null for files of others.
 * @returns `problem` for a file of the engine that is no public module
 */
export function publicFile(path: string): { readonly name: string; readonly problem: string | null } | null {
  const root = packageFolder(dirname(path))
  if (root === null || !root.own) return null
  const parts = relative(root.path, path).split(sep)
  // What is compiled has the same layout as the sources.
  if (parts[0] === 'dist') parts.shift()
  if (parts.length === 1) {
    const name = PUBLIC_FILES.get(basename(parts[0], extname(parts[0])))
    return name === undefined ? null : { name, problem: null }
  }
  if (!ENGINE_FOLDERS.has(parts[0])) return null
  const file = parts.join('/')
  return { name: file, problem: `${file} is a part of Millrace itself, and would exist twice. Import it from one of: ${NAMES.join(', ')}.` }
}

interface PackageFolder {
  readonly path: string
  /** Whether it is this package, whichever copy of it. */
  readonly own: boolean
}

const folders = new Map<string, PackageFolder | null>()

/** The folder of the package that a folder is in. */
function packageFolder(folder: string): PackageFolder | null {
  const known = folders.get(folder)
  if (known !== undefined) return known
  const name = packageName(join(folder, 'package.json'))
  const parent = dirname(folder)
  const found = name !== null ? { path: folder, own: name === 'millrace' } : parent === folder ? null : packageFolder(parent)
  folders.set(folder, found)
  return found
}

/** Null if there is no description of a package. */
function packageName(path: string): string | null {
  try {
    const { name } = JSON.parse(readFileSync(path, 'utf8')) as { name?: unknown }
    return typeof name === 'string' ? name : null
  } catch {
    return null
  }
}
