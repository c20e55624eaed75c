/** The modules that a bundle does not contain: whoever runs it provides them, so that each class exists once. */
import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, extname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
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

/** Where this package is: its sources, and what is compiled from them. */
const homes = homeFolders()

function homeFolders(): readonly string[] {
  const home = realpathSync(fileURLToPath(new URL('../..', import.meta.url))).replace(/[\\/]$/, '')
  const root = basename(home) === 'dist' && existsSync(join(dirname(home), 'package.json')) ? dirname(home) : home
  // The longer one first: dist is inside the root.
  return [join(root, 'dist'), root]
}

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
  const home = homes.find((one) => path.startsWith(one + sep))
  if (home === undefined) return null
  const parts = relative(home, path).split(sep)
  if (parts.length === 1) {
    const name = PUBLIC_FILES.get(basename(parts[0], extname(parts[0])))
    return name === undefined ? null : { name, problem: null }
  }
  if (!ENGINE_FOLDERS.has(parts[0])) return null
  const file = parts.join('/')
  return { name: file, problem: `${file} is a part of Millrace itself, and would exist twice. Import it from one of: ${NAMES.join(', ')}.` }
}
