/** Bundles as workers load them: what is in them, what is wrong with them, and where. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as millrace from '../../millrace.ts'
import { NodeModules } from '../../runtime/env/node-modules.ts'
import { MillraceError } from '../../runtime/error.ts'
import { BundleLoader, type LoadedJob } from '../../worker/job-loader.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-loader-'))
afterAll(() => rmSync(folder, { recursive: true }))
beforeAll(() => writeFileSync(join(folder, 'broken.cjs'), "throw new Error('no such device')\n"))

const SOURCES = "const source = () => ({ kind: 'none', partitions: async () => ['0'], open: async () => { throw new Error() } })"
const ORDERS = "job('orders', { orders: table({ id: int32 }) }, ({ orders }) => ({ orders }))"
const IMPORTS = "import { int32, job, table } from 'millrace'"

const loader = (): BundleLoader => new BundleLoader(new NodeModules(folder), { millrace })

function digestOf(code: string): string {
  return createHash('sha256').update(code).digest('hex')
}

async function bundle(text: string, files: Readonly<Record<string, string>> = {}): Promise<string> {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
  const { outputFiles } = await build({
    stdin: { contents: text, resolveDir: folder, sourcefile: 'fraud-job.ts', loader: 'ts' },
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
    sourcemap: 'inline',
    outfile: join(folder, 'job.cjs'),
    external: ['millrace', 'millrace/*', 'not-installed', './broken.cjs'],
  })
  return outputFiles[0].text
}

async function load(text: string, files?: Readonly<Record<string, string>>): Promise<LoadedJob> {
  const code = await bundle(text, files)
  return loader().load(digestOf(code), code)
}

async function refusal(text: string, files?: Readonly<Record<string, string>>): Promise<string> {
  const error = await load(text, files).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(MillraceError)
  expect((error as MillraceError).code).toBe('JOB')
  return (error as MillraceError).message
}

test('a job, its sources and all of its configuration; loaded once', async () => {
  const code = await bundle(
    `${IMPORTS}\nimport { createHash } from 'node:crypto'\n${SOURCES}\nexport const job_ = ${ORDERS}
    export { job_ as job }\nexport const config = { name: createHash('md5').update('x').digest('hex'), sources: { orders: source() } }`,
  )
  const one = loader()
  const loaded = one.load(digestOf(code), code)
  expect(loaded.job).toBeInstanceOf(millrace.Job)
  expect(loaded.job.name).toBe('orders')
  expect(loaded.sources['orders'].kind).toBe('none')
  expect(loaded.config['name']).toHaveLength(32)
  expect(one.load(digestOf(code), code)).toBe(loaded)
  // Kept by digest: the text is not looked at again.
  expect(one.load(digestOf(code), '')).toBe(loaded)
})

test('operators say the lines of the files that the bundle was made from', async () => {
  const helper = `${IMPORTS}\ntype Unused = { readonly a: number }\n\nexport const make = (n: number) =>\n  ${ORDERS}\n`
  const { job } = await load(
    `${SOURCES}\nimport { make } from './helper'\nexport const job = make(1)\nexport const config = { sources: { orders: source() } }`,
    {
      'helper.ts': helper,
    },
  )
  expect(job.inputNodes['orders'].origin).toBe('helper.ts:5')
})

test('what a job throws is told with its file and line', async () => {
  const before = Error.prepareStackTrace
  expect(await refusal(`interface A { b: string }\nconst x: A | undefined = undefined as never\nexport const job = x!.b`)).toMatch(
    /^the job throws when it is loaded, at .*fraud-job\.ts:3:\nTypeError: Cannot read properties of undefined/,
  )
  expect(await refusal("throw 'a string'")).toBe('the job throws when it is loaded:\na string')
  const unknown = `${IMPORTS}\nexport { made as job }; const made = make()\nfunction make() {\n  return ${ORDERS.replace('=> ({ orders })', "=> ({ o: orders.groupBy('idd') })")}\n}`
  expect(await refusal(unknown)).toMatch(/^the job throws when it is loaded:\nfraud-job\.ts:4 {2}orders\.groupBy\('idd'\)\n/)
  expect(Error.prepareStackTrace).toBe(before)
})

test('a text that is no program, or not the one that was meant', async () => {
  const garbage = 'const = 1'
  expect(() => loader().load(digestOf(garbage), garbage)).toThrow(/the job throws when it is loaded.*\nSyntaxError: Unexpected token/s)
  expect(() => loader().load('0'.repeat(64), garbage)).toThrow(/not the one that was asked for: its digest is [0-9a-f]{64}, not 0{64}/)
})

test('exports that are no job', async () => {
  expect(await refusal('export const a = 1')).toContain('the bundle exports no job')
  expect(await refusal('module.exports = null')).toContain('the bundle exports no job')
  expect(await refusal('export const job = { name: "x" }')).toContain('what the bundle exports as job is an object (Object), and no job')
  expect(await refusal(`${IMPORTS}\nexport { orders as job }; const orders = ${ORDERS}; export const config = 5`)).toBe(
    "the job's configuration is 5",
  )
  expect(await refusal(`${IMPORTS}\nexport { orders as job }; const orders = ${ORDERS}; export const config = { sources: 'x' }`)).toBe(
    `the job's sources are "x"`,
  )
})

test('inputs and sources that do not fit', async () => {
  const withSources = (sources: string): string =>
    `${IMPORTS}\n${SOURCES}\nexport { orders as job }; const orders = ${ORDERS}; export const config = { sources: ${sources} }`
  expect(await refusal(withSources('{}'))).toContain('orders: an input of orders without a source')
  expect(await refusal(`${IMPORTS}\nexport { orders as job }; const orders = ${ORDERS}`)).toContain('sources: { orders: ... }')
  expect(await refusal(withSources('{ order: source(), orders: source() }'))).toContain(
    'there is a source for order, and orders has no such input. Did you mean "orders"?',
  )
  expect(await refusal(withSources("{ orders: 'orders.csv' }"))).toContain('what is given as the source of orders is "orders.csv"')
  expect(await refusal(withSources('{ orders: null }'))).toContain('what is given as the source of orders is null')
  const importing = `import { imported, int32, job } from 'millrace'
  export const job_ = job('j', { a: imported({ id: int32 }, { key: 'id' }) }, ({ a }) => ({ a }))\nexport { job_ as job }`
  expect(await refusal(importing)).toContain('imports a from another job')
})

test('modules that are not there', async () => {
  expect(await refusal("import 'not-installed'")).toMatch(
    /the job needs the module not-installed.*Cannot find module 'not-installed'.*Install it/s,
  )
  expect(await refusal("import './broken.cjs'")).toMatch(/the job needs the module \.\/broken\.cjs.*no such device/s)
  expect(await refusal("import 'millrace/nothing'")).toMatch(/there is no millrace\/nothing\n {2}There are: millrace\./)
})
