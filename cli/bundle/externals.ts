/** What stays outside of a bundle: this package, Node's own modules, and packages with code for the machine (`.node`). */
import { readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { extname, join, relative, sep } from 'node:path'
import type { OnResolveArgs, OnResolveResult, Plugin, PluginBuild } from 'esbuild'
import { publicFile, publicModule } from './own-modules.ts'

/** Marks a resolution that the plugin itself asks for. */
const ASKED = Symbol('asked')
/** Packages that find their own `.node` files at run time: whatever depends on one is not plain JavaScript. */
const NATIVE_LOADERS = ['bindings', 'node-gyp-build', 'prebuild-install', 'node-pre-gyp', '@mapbox/node-pre-gyp', 'node-addon-api', 'nan']

export interface Externals {
  readonly plugin: Plugin
  /** Packages and files that were left out, which every worker process must find by itself. Sorted. */
  found(): string[]
}

/** @param folder of the job file, which paths in the bundle are relative to */
export function externals(folder: string, named: readonly string[]): Externals {
  const left = new Set<string>()
  const leave = (name: string): OnResolveResult => {
    left.add(name)
    return { path: name, external: true }
  }
  const resolve = async (build: PluginBuild, args: OnResolveArgs): Promise<OnResolveResult | undefined> => {
    const { path: specifier } = args
    if (args.pluginData === ASKED || args.kind === 'entry-point' || isBuiltin(specifier)) return undefined
    const known = publicModule(specifier)
    if (known !== null) return known.problem === null ? { path: known.name, external: true } : { errors: [{ text: known.problem }] }
    if (named.some((name) => specifier === name || specifier.startsWith(`${name}/`))) return leave(specifier)
    const { importer, kind, namespace, resolveDir } = args
    const found = await build.resolve(specifier, { importer, kind, namespace, resolveDir, pluginData: ASKED })
    if (found.errors.length > 0 || found.external || found.namespace !== 'file') return undefined
    const own = publicFile(found.path)
    if (own !== null) return own.problem === null ? { path: own.name, external: true } : { errors: [{ text: own.problem }] }
    const place = packageOf(found.path)
    if (extname(found.path) === '.node') return leave(place === null ? `./${slashes(relative(folder, found.path))}` : place.path)
    const isBare = !specifier.startsWith('.') && !specifier.startsWith('/')
    if (isBare && place !== null && isNative(place.root)) return leave(specifier)
    return undefined
  }
  return {
    plugin: { name: 'millrace-externals', setup: (build) => build.onResolve({ filter: /.*/ }, (args) => resolve(build, args)) },
    found: () => [...left].sort(),
  }
}

/** The package in `node_modules` that a file is of, and the file as a program would name it. */
function packageOf(path: string): { readonly root: string; readonly path: string } | null {
  const marker = `${sep}node_modules${sep}`
  const start = path.lastIndexOf(marker)
  if (start < 0) return null
  const inner = path.slice(start + marker.length)
  const [first, second] = inner.split(sep)
  const name = first.startsWith('@') ? join(first, second) : first
  return { root: join(path.slice(0, start + marker.length), name), path: slashes(inner) }
}

/** Whether a package's own description says that it is built for the machine. */
function isNative(root: string): boolean {
  let description: unknown
  try {
    description = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  } catch {
    return false
  }
  const { gypfile, binary, napi, dependencies, optionalDependencies } = description as Record<string, unknown>
  if (gypfile === true || binary !== undefined || napi !== undefined) return true
  const names = Object.keys({ ...(dependencies as object | undefined), ...(optionalDependencies as object | undefined) })
  return names.some((name) => NATIVE_LOADERS.includes(name))
}

function slashes(path: string): string {
  return path.split(sep).join('/')
}
