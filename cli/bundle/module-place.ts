/**
 * `import.meta.url` in a bundle. It is the place of the source file relative to the job file, under the folder that
 * `MILLRACE_JOB_FOLDER` names in the process that runs the bundle, or else under its working directory: the bundle itself must not
 * say where it was made. Each file that asks gets an import of its own; imports are hoisted, so appending one moves no line.
 */
import { readFile } from 'node:fs/promises'
import { extname, relative, sep } from 'node:path'
import type { Loader, Plugin } from 'esbuild'

export const JOB_FOLDER_VARIABLE = 'MILLRACE_JOB_FOLDER'

const FIELDS = ['url', 'filename', 'dirname'] as const
const PLACE = 'millrace-place'
const LOADERS: Readonly<Record<string, Loader>> = {
  '.ts': 'ts',
  '.mts': 'ts',
  '.cts': 'ts',
  '.tsx': 'tsx',
  '.js': 'js',
  '.mjs': 'js',
  '.cjs': 'js',
  '.jsx': 'jsx',
}

const placeholder = (field: string): string => `__millrace_${field}`

/** For esbuild's `define`. */
export const modulePlaceDefinitions: Readonly<Record<string, string>> = Object.fromEntries(
  FIELDS.map((field) => [`import.meta.${field}`, placeholder(field)]),
)

const RUNTIME = `
const { dirname, resolve } = require('node:path')
const { pathToFileURL } = require('node:url')
module.exports = (path) => {
  const filename = resolve(process.env.${JOB_FOLDER_VARIABLE} || '.', path)
  return { filename, dirname: dirname(filename), url: pathToFileURL(filename).href }
}
`

/** @param folder of the job file */
export function modulePlace(folder: string): Plugin {
  return {
    name: PLACE,
    setup(build) {
      build.onLoad({ filter: /\.[cm]?[jt]sx?$/ }, async ({ path, namespace }) => {
        if (namespace !== 'file') return undefined
        const text = await readFile(path, 'utf8')
        if (!/\bimport\s*\.\s*meta\b/.test(text)) return undefined
        const place = relative(folder, path).split(sep).join('/')
        const names = FIELDS.map((field) => `${field} as ${placeholder(field)}`).join(', ')
        return {
          contents: `${text}\nimport { ${names} } from ${JSON.stringify(`${PLACE}:${place}`)}\n`,
          loader: LOADERS[extname(path)] ?? 'js',
        }
      })
      build.onResolve({ filter: new RegExp(`^${PLACE}`) }, ({ path }) => ({ path, namespace: PLACE, sideEffects: false }))
      build.onLoad({ filter: /.*/, namespace: PLACE }, ({ path }) => {
        if (path === PLACE) return { contents: RUNTIME, loader: 'js' }
        const call = `require(${JSON.stringify(PLACE)})(${JSON.stringify(path.slice(PLACE.length + 1))})`
        return { contents: `export const { ${FIELDS.join(', ')} } = ${call}`, loader: 'js' }
      })
    },
  }
}
