/** What is published: the packed tarball, installed into an empty project, as a user gets it. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readmeExample } from '../docs/readme-example.ts'
import { node, root, run } from '../package/run.ts'

const tsc = join(root, 'node_modules/typescript/bin/tsc')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
/** Subpaths of modules, as a user imports them. */
const entries: string[] = Object.keys(manifest.exports)
  .filter((path) => path !== './package.json')
  .map((path) => path.replace(/^\./, 'millrace'))

let folder: string
let tarball: string
let packed: string[]

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-package-'))
  node(['scripts/build.mjs'], root)
  const [report] = JSON.parse(run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], root))
  packed = report.files.map((file: { path: string }) => file.path)
  tarball = join(folder, readdirSync(folder)[0])
  project('.', {})
  run('npm', ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', tarball], folder)
}, 300_000)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Files of a project in a folder below the temporary one. */
function project(name: string, files: Readonly<Record<string, string>>): string {
  const path = join(folder, name)
  mkdirSync(path, { recursive: true })
  if (name === '.') writeFileSync(join(path, 'package.json'), '{ "name": "user", "private": true }')
  for (const [file, text] of Object.entries(files)) writeFileSync(join(path, file), text)
  return path
}

describe('the tarball', () => {
  test('has what the manifest names, and nothing that only we need', () => {
    const targets = Object.values<string | Record<string, string>>(manifest.exports).flatMap((one) =>
      typeof one === 'string' ? one : Object.values(one),
    )
    for (const target of targets) expect(packed).toContain(target.replace('./', ''))
    const kinds = /^(dist\/[\w/.-]+\.(js|js\.map|d\.ts)|README\.md|LICENSE|CHANGELOG\.md|SECURITY\.md|package\.json)$/
    expect(packed.filter((path) => !kinds.test(path))).toEqual([])
    expect(packed.filter((path) => /^dist\/(tests|bench|examples)\/|vitest/.test(path))).toEqual([])
  })

  test('needs what the cluster needs, and no more', () => {
    const needed = ['@opentelemetry/api', 'commander', 'esbuild', 'msgpackr', 'pg', 'pino', 'prom-client', 'ws', 'zod']
    expect(Object.keys(manifest.dependencies)).toEqual(needed)
  })

  test('is clean for publint', () => {
    node([join(root, 'node_modules/publint/src/cli.js'), '--strict', tarball], root)
  })

  // Every supported Node can require() ES modules, so that CommonJS resolves to one is as it should be.
  test('is clean for arethetypeswrong', () => {
    const cli = join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js')
    node([cli, tarball, '--profile', 'node16', '--ignore-rules', 'cjs-resolves-to-esm', '--no-emoji', '--no-color'], root)
  })
})

describe('an empty project', () => {
  test.each(entries)('imports and requires %s', (entry) => {
    const names = `console.log(Object.keys(m).sort().join())`
    const imported = node(['--input-type=module', '-e', `import * as m from '${entry}'; ${names}`], folder)
    const required = node(['--no-warnings', '--input-type=commonjs', '-e', `const m = require('${entry}'); ${names}`], folder)
    expect(imported.trim()).not.toBe('')
    expect(required).toBe(imported)
  })

  test('finds nothing beside the exports', () => {
    expect(() => node(['--input-type=module', '-e', "import 'millrace/dist/runtime/error.js'"], folder)).toThrow(
      /ERR_PACKAGE_PATH_NOT_EXPORTED/,
    )
  })

  test('runs the example of the README', () => {
    const path = project('readme', { 'example.mts': readmeExample() })
    node([tsc, ...strict, '--types', 'node', '--typeRoots', join(root, 'node_modules/@types'), '--target', 'ES2022', 'example.mts'], path)
    node(['example.mjs'], path)
  })
})

const strict = ['--strict', '--skipLibCheck', 'false', '--exactOptionalPropertyTypes', '--module', 'nodenext', '--ignoreConfig']

const consumer = `
import { count, embed, int32, job, table, text, type Time } from 'millrace'
import { testDriver } from 'millrace/testing'

const cities = job('cities', { orders: table({ id: int32, city: text }, { key: 'id' }) }, ({ orders }) => ({
  byCity: orders.groupBy('city').aggregate(() => ({ n: count() })).keyBy('city'),
}))
const app = embed(cities)
app.inputs.orders.upsert({ id: 1, city: 'Rimini' })
const time: Time = app.commit()
const n: bigint | undefined = app.outputs.byCity.get({ city: 'Rimini' })?.n
// @ts-expect-error a number is no city
app.outputs.byCity.get({ city: 1 })
const driver = testDriver(cities)
driver.inputs.orders.delete({ id: 1 })
export { n, time }
`

describe('a TypeScript consumer, strict and without skipLibCheck', () => {
  test('on Node', () => {
    const path = project('consumer', { 'main.mts': `${consumer}\nexport * from 'millrace/files'\n` })
    node([tsc, ...strict, '--noEmit', '--types', 'node', '--typeRoots', join(root, 'node_modules/@types'), 'main.mts'], path)
  })

  test('in a browser, without the types of Node', () => {
    const path = project('browser', { 'main.mts': consumer })
    node([tsc, ...strict, '--noEmit', '--types', '', '--lib', 'ES2022,DOM', '--target', 'ES2022', 'main.mts'], path)
  })

  test('in CommonJS', () => {
    const path = project('commonjs', { 'main.cts': consumer })
    node([tsc, ...strict, '--noEmit', '--types', '', '--lib', 'ES2022,DOM', '--target', 'ES2022', 'main.cts'], path)
  })

  test('whose mistakes are errors', () => {
    const path = project('mistaken', { 'main.mts': consumer.replace("{ id: 1, city: 'Rimini' }", "{ id: 1, town: 'Rimini' }") })
    expect(() => node([tsc, ...strict, '--noEmit', '--types', '', '--lib', 'ES2022,DOM', '--target', 'ES2022', 'main.mts'], path)).toThrow(
      /town/,
    )
  })
})
