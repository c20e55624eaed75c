/** The engine core runs in a browser bundle: nothing of Node is reachable from `millrace.ts`. */
import { join } from 'node:path'
import vm from 'node:vm'
import { build } from 'esbuild'
import { describe, expect, test } from 'vitest'
import { view } from './browser-job.ts'
import { root } from './run.ts'

/** Fails if anything imports a module that no browser has. */
async function bundle(entry: string): Promise<{ code: string; sources: string[] }> {
  const result = await build({
    entryPoints: [join(root, entry)],
    bundle: true,
    write: false,
    metafile: true,
    platform: 'browser',
    format: 'iife',
    globalName: 'bundle',
    target: 'es2022',
    logLevel: 'silent',
  })
  return { code: result.outputFiles[0].text, sources: Object.keys(result.metafile.inputs) }
}

/** What every browser has, of what JavaScript itself has not. */
const browser = { performance, setTimeout, clearTimeout, setInterval, clearInterval, queueMicrotask, crypto, TextEncoder, TextDecoder }

/** Chrome and Firefox have these; a bare context of Node 20 has not. */
const symbols = "for (const name of ['dispose', 'asyncDispose']) Symbol[name] ??= Symbol.for('Symbol.' + name)"

type Page = { readonly bundle: { view: () => Promise<unknown[]> } }

describe('a browser bundle', () => {
  test('of the public package has no module of Node', async () => {
    const { sources } = await bundle('millrace.ts')
    expect(sources.length).toBeGreaterThan(50)
    expect(sources.filter((path) => /(^|:)node|node-/.test(path))).toEqual([])
  })

  test('would not be made if it had one', async () => {
    await expect(bundle('files.ts')).rejects.toThrow(/Could not resolve "node:/)
  })

  test.each([
    ['as usual', true],
    ['under a content security policy without eval', false],
  ])('runs %s', async (_, strings) => {
    const { code } = await bundle('tests/package/browser-job.ts')
    const page = vm.createContext({ ...browser }, { codeGeneration: { strings, wasm: false } }) as unknown as Page
    vm.runInContext(`${symbols}; ${code}; globalThis.bundle = bundle`, page as unknown as vm.Context)
    const seen = await page.bundle.view()
    expect(JSON.stringify(seen, plain)).toBe(JSON.stringify(await view(), plain))
    expect(seen).toHaveLength(11)
    expect(JSON.stringify(seen.at(2), plain)).toBe('["top",[1,2,3]]')
  })
})

/** JSON of what there is none of; arrays of another realm are equal to nothing. */
function plain(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value
}
