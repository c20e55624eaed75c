import { createHash } from 'node:crypto'
import { cpSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { type Bundle, type BundleOptions, bundleJob } from '../../cli/bundle/bundle.ts'
import { type LoadedBundle, loadBundle } from '../../cli/bundle/load-bundle.ts'
import { MillraceError } from '../../runtime/error.ts'
import { jobText, workspace } from './workspace.ts'

const CONFIG = `import { defineConfig } from 'millrace/config'\nexport default defineConfig({ name: 'shop', workers: 2 })\n`

async function load(path: string, options?: BundleOptions): Promise<Bundle & LoadedBundle> {
  const bundle = await bundleJob(path, options)
  return { ...bundle, ...loadBundle(bundle) }
}

/** The message of the error with which a job file is refused. */
async function refusal(text: string, files: Readonly<Record<string, string>> = {}, options?: BundleOptions): Promise<string> {
  using folder = workspace({ ...files, 'job.ts': text })
  const error = await load(folder.path('job.ts'), options).catch((thrown: unknown) => thrown)
  expect(error).toBeInstanceOf(MillraceError)
  expect((error as MillraceError).code).toBe('JOB')
  return (error as MillraceError).message.replaceAll(`${folder.folder}/`, '')
}

interface SourceMap {
  readonly sources: readonly string[]
  readonly sourcesContent: readonly string[]
  readonly sourceRoot?: string
}

function sourceMapOf({ code }: Bundle): SourceMap {
  const [, base64] = code.split('sourceMappingURL=data:application/json;base64,')
  return JSON.parse(Buffer.from(base64, 'base64').toString()) as SourceMap
}

describe('a bundle', () => {
  it('has the job and the configuration beside it', async () => {
    using folder = workspace({ 'job.ts': jobText('orders'), 'millrace.config.ts': CONFIG })
    const { job, config, configFile, externals, warnings } = await load(folder.path('job.ts'))
    expect(job.name).toBe('orders')
    expect(config).toEqual({ name: 'shop', workers: 2 })
    expect(configFile).toBe(folder.path('millrace.config.ts'))
    expect([externals, warnings]).toEqual([[], []])
  })

  it('takes another configuration, or none', async () => {
    using folder = workspace({ 'job.ts': jobText('orders'), 'millrace.config.ts': CONFIG, 'other/c.js': 'export default { workers: 7 }' })
    expect((await load(folder.path('job.ts'), { config: folder.path('other/c.js') })).config).toEqual({ workers: 7 })
    expect((await load(folder.path('job.ts'), { config: null })).config).toBeUndefined()
  })

  it('has what tsconfig paths, JSON, other files and packages give', async () => {
    using folder = workspace({
      'jobs/job.ts': jobText(
        'orders',
        `import { factor } from '@lib/factor.ts'\nimport { name } from './data.json'\nglobalThis.told = [factor, name]`,
      ),
      'lib/factor.ts': `import { left } from 'left'\nimport { right } from './right.js'\nexport const factor: number = left * right`,
      'lib/right.ts': 'export const right = 7',
      'jobs/data.json': '{ "name": "Rimini" }',
      'tsconfig.json': '{ "compilerOptions": { "paths": { "@lib/*": ["./lib/*"] } } }',
      'node_modules/left/package.json': '{ "name": "left", "main": "main.js" }',
      'node_modules/left/main.js': 'exports.left = 6',
    })
    await load(folder.path('jobs/job.ts'))
    expect((globalThis as { told?: unknown }).told).toEqual([42, 'Rimini'])
  })

  it('a job in plain JavaScript, also in CommonJS', async () => {
    using folder = workspace({
      'esm.js': jobText('esm'),
      'common.cjs': `const { job, table, int32 } = require('millrace')\nmodule.exports = job('common', { a: table({ id: int32 }) }, ({ a }) => ({ a }))`,
    })
    expect((await load(folder.path('esm.js'))).job.name).toBe('esm')
    expect((await load(folder.path('common.cjs'))).job.name).toBe('common')
  })

  it('says where its files are, under the folder of the process that runs it', async () => {
    using folder = workspace({
      'jobs/job.ts': jobText(
        'orders',
        `import { place } from '../lib/place.ts'\nglobalThis.told = [import.meta.url, import.meta.dirname, place]`,
      ),
      'lib/place.ts': 'export const place = import.meta.filename',
    })
    const bundle = await bundleJob(folder.path('jobs/job.ts'))
    const told = (): unknown => (globalThis as { told?: unknown }).told
    const before = process.env['MILLRACE_JOB_FOLDER']
    try {
      delete process.env['MILLRACE_JOB_FOLDER']
      loadBundle(bundle)
      expect(told()).toEqual([`file://${folder.path('jobs/job.ts')}`, folder.path('jobs'), folder.path('lib/place.ts')])
      process.env['MILLRACE_JOB_FOLDER'] = '/srv/jobs'
      loadBundle(bundle)
      expect(told()).toEqual(['file:///srv/jobs/job.ts', '/srv/jobs', '/srv/lib/place.ts'])
    } finally {
      if (before === undefined) delete process.env['MILLRACE_JOB_FOLDER']
      else process.env['MILLRACE_JOB_FOLDER'] = before
    }
  })

  it('warns of what it has not of import.meta', async () => {
    using folder = workspace({ 'job.ts': jobText('orders', 'globalThis.told = import.meta.resolve') })
    const { warnings } = await bundleJob(folder.path('job.ts'))
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toContain('job.ts:2:19  Of import.meta a bundle has url, filename and dirname; the rest is undefined.')
  })

  it('has the sources in its map', async () => {
    using folder = workspace({ 'job.ts': jobText('orders', '// a comment that only the source has') })
    const bundle = await bundleJob(folder.path('job.ts'))
    const { sources, sourcesContent } = sourceMapOf(bundle)
    expect(sourcesContent[sources.indexOf('job.ts')]).toContain('a comment that only the source has')
  })
})

describe('the digest', () => {
  const files = {
    'jobs/job.ts': jobText('orders', `import { f } from '../lib/f.ts'\nimport 'left'\nconsole.assert(f() !== import.meta.url)`),
    'jobs/millrace.config.ts': CONFIG,
    'lib/f.ts': 'export const f = (): string => __filename ?? import.meta.url',
    'node_modules/left/index.js': 'module.exports = 1',
  }

  it('is SHA-256 of the code', async () => {
    using folder = workspace(files)
    const { code, digest } = await bundleJob(folder.path('jobs/job.ts'))
    expect(digest).toBe(createHash('sha256').update(code).digest('hex'))
  })

  it('is the same in another folder, through a symbolic link, and from another working directory', async () => {
    using one = workspace(files)
    using two = workspace()
    cpSync(one.folder, two.path('deep/copy'), { recursive: true })
    symlinkSync(two.path('deep/copy/jobs'), two.path('linked'))
    const first = await bundleJob(one.path('jobs/job.ts'))
    for (const path of [two.path('deep/copy/jobs/job.ts'), two.path('linked/job.ts')]) {
      const { code, digest } = await bundleJob(path)
      expect(code).toBe(first.code)
      expect(digest).toBe(first.digest)
    }
    const { cwd } = process
    process.cwd = () => two.folder
    try {
      expect((await bundleJob(one.path('jobs/job.ts'))).digest).toBe(first.digest)
    } finally {
      process.cwd = cwd
    }
  })

  it('leaks no absolute path, neither in the code nor in the map', async () => {
    using folder = workspace(files)
    const bundle = await bundleJob(folder.path('jobs/job.ts'))
    const { sources, sourceRoot } = sourceMapOf(bundle)
    expect(sources.filter((path) => path.startsWith('/') || path.includes('tmp'))).toEqual([])
    expect(sourceRoot).toBeUndefined()
    expect(bundle.code).not.toContain(folder.folder)
    expect(JSON.stringify(sourceMapOf(bundle))).not.toContain(folder.folder)
  })

  it('is another one when any source changes', async () => {
    using folder = workspace(files)
    const first = await bundleJob(folder.path('jobs/job.ts'))
    for (const [name, text] of Object.entries(files)) {
      folder.write({
        [name]: text.replace(' 1', ' 2').replace('orders', 'orders2').replace('f = ()', 'f = (_?: 1)').replace('shop', 'shop2'),
      })
      expect((await bundleJob(folder.path('jobs/job.ts'))).digest, name).not.toBe(first.digest)
      folder.write({ [name]: text })
    }
  })
})

describe('what a bundle does not contain', () => {
  it('is this package, also imported by path within its repository', async () => {
    const { job, code } = await load(fileURLToPath(new URL('./job-in-repository.ts', import.meta.url)))
    expect(job.name).toBe('in-repository')
    expect(code).toContain('require("millrace")')
    expect(code).not.toContain('class MillraceError')
  })

  it('is packages with code for the machine, and .node files', async () => {
    using folder = workspace({
      'job.ts': jobText(
        'orders',
        `import 'plain'\nimport '@scope/built/sub.js'\nglobalThis.lazy = () => [require('./own/fast.node'), import('prebuilt')]`,
      ),
      'own/fast.node': '',
      'node_modules/plain/package.json': '{ "name": "plain", "main": "main.js" }',
      'node_modules/plain/main.js': 'exports.load = () => require("./build/Release/plain.node")',
      'node_modules/plain/build/Release/plain.node': '',
      'node_modules/prebuilt/package.json': '{ "name": "prebuilt", "dependencies": { "node-gyp-build": "^4" } }',
      'node_modules/prebuilt/index.js': 'module.exports = require("node-gyp-build")(__dirname)',
      'node_modules/@scope/built/package.json': '{ "name": "@scope/built", "gypfile": true }',
      'node_modules/@scope/built/sub.js': 'globalThis.built = 1',
    })
    const bundle = await bundleJob(folder.path('job.ts'))
    expect(bundle.externals).toEqual(['./own/fast.node', '@scope/built/sub.js', 'plain/build/Release/plain.node', 'prebuilt'])
    loadBundle(bundle)
    expect((globalThis as { built?: unknown }).built).toBe(1)
  })

  it('is what the user names', async () => {
    using folder = workspace({
      'job.ts': jobText('orders', `import 'heavy/part.js'\nimport 'heavyweight'`),
      'node_modules/heavy/part.js': 'globalThis.heavy = 1',
      'node_modules/heavyweight/index.js': '',
    })
    const bundle = await bundleJob(folder.path('job.ts'), { external: ['heavy'] })
    expect(bundle.externals).toEqual(['heavy/part.js'])
    expect(bundle.code).not.toContain('globalThis.heavy')
    loadBundle(bundle)
  })

  it('and Node, with and without prefix', async () => {
    using folder = workspace({
      'job.ts': jobText('orders', `import { join } from 'path'\nimport os from 'node:os'\nconsole.assert(join(os.EOL))`),
    })
    const { externals, code } = await load(folder.path('job.ts'))
    expect(externals).toEqual([])
    expect(code).toContain('require("path")')
  })
})

describe('a job file that is refused', () => {
  it('does not compile', async () => {
    expect(await refusal('const a = 1\nconst b: number = a +* 2\nexport default a')).toBe(
      'job.ts cannot be bundled:\njob.ts:2:22  Unexpected "*"\n  2 | const b: number = a +* 2\n    |                      ^',
    )
    expect(await refusal('const\tä = "ö" +* 2')).toContain('\n  1 | const\tä = "ö" +* 2\n    |      \t         ^')
  })

  it('an imported file does not compile', async () => {
    expect(await refusal(jobText('a', "import './lib/x.ts'"), { 'lib/x.ts': 'let x = (' })).toContain(
      'lib/x.ts:1:10  Unexpected end of file',
    )
  })

  it('has many mistakes', async () => {
    const imports = Array.from({ length: 8 }, (_, i) => `import './none${i}.ts'`).join('\n')
    const message = await refusal(imports)
    expect(message).toContain('job.ts:5:8  Could not resolve "./none4.ts"')
    expect(message).toMatch(/and 3 more$/)
  })

  it('has no default export', async () => {
    const hint = "\n  Write: export default job('name', { ... }, ...)"
    expect(await refusal('export const a = 1')).toBe(`job.ts has no default export.${hint}`)
    const config = { 'millrace.config.ts': 'export const a = 1' }
    expect(await refusal(jobText('a'), config)).toBe(
      'millrace.config.ts has no default export.\n  Write: export default defineConfig({ ... })',
    )
  })

  it('exports something else', async () => {
    const hint = ", not a job.\n  Write: export default job('name', { ... }, ...)"
    const refused = (words: string): string => `The default export of job.ts is ${words}${hint}`
    expect(await refusal('export default () => 1')).toBe(refused('a function'))
    expect(await refusal('export default "orders"')).toBe(refused('string "orders"'))
    expect(await refusal('export default Promise.resolve(1)')).toBe(refused('a promise'))
    expect(await refusal('export default new Map()')).toBe(refused('a Map'))
    expect(await refusal('export default {}')).toBe(refused('an object'))
    expect(await refusal('export default undefined')).toBe(refused('undefined'))
  })

  it('throws at load', async () => {
    expect(await refusal('type T = number\n\nexport default missing.thing')).toBe(
      'job.ts throws when it is loaded:\nReferenceError: missing is not defined\n    at job.ts:3:16',
    )
    const inner = { 'lib/f.ts': 'interface F {}\nexport const f = (): F => {\n  throw new RangeError("too far")\n}' }
    expect(await refusal("import { f } from './lib/f.ts'\nexport default f()", inner)).toBe(
      'job.ts throws when it is loaded:\nRangeError: too far\n    at f (lib/f.ts:3:9)\n    at job.ts:2:16',
    )
    expect(await refusal('throw "a text"\nexport default 1')).toBe('job.ts throws when it is loaded:\na text')
  })

  it('has a mistake in its definition', async () => {
    const message = await refusal(jobText('a').replace("keyBy('city')", "keyBy('citty' as 'city')"))
    expect(message).toBe(
      "job.ts throws when it is loaded:\njob.ts:4  orders.aggregate(...).keyBy('citty')\n" +
        '  There is no column "citty" in the rows here (city, n).\n  Did you mean "city"?',
    )
  })

  it('awaits at its top level', async () => {
    expect(await refusal('const a = await Promise.resolve(1)\nexport default a')).toContain(
      'job.ts:1:11  Top-level await is currently not supported with the "cjs" output format\n' +
        '  1 | const a = await Promise.resolve(1)\n    |           ^^^^^\n' +
        '  A job is loaded in one go on every worker: await in a source, when it is opened, or import data as JSON.',
    )
  })

  it('imports what is not there', async () => {
    expect(await refusal("import 'lodash-like'")).toBe(
      'job.ts cannot be bundled:\njob.ts:1:8  Could not resolve "lodash-like"\n  1 | import \'lodash-like\'\n    |        ^^^^^^^^^^^^^\n' +
        '  Install it (npm install lodash-like), or leave it out with --external lodash-like if the workers have it.',
    )
    expect(await refusal("import 'millrace/confg'")).toContain(
      'job.ts:1:8  There is no millrace/confg (millrace, millrace/config, millrace/files, millrace/testing). Did you mean "millrace/config"?',
    )
  })

  it('imports parts of the engine by path', async () => {
    const message = await refusal(jobText('a', `import '${join(process.cwd(), 'operators/collection.ts')}'`))
    expect(message).toContain('operators/collection.ts is a part of Millrace itself, and would exist twice.')
  })

  it('is no file of code', async () => {
    using folder = workspace({ 'job.txt': '', 'jobs/job.ts': '' })
    await expect(bundleJob(folder.path('nowhere.ts'))).rejects.toThrow(/There is no job file .*nowhere\.ts\.\n {2}Paths are relative to /)
    await expect(bundleJob(folder.path('jobs'))).rejects.toThrow(/is a folder, not a job file/)
    await expect(bundleJob(folder.path('job.txt'))).rejects.toThrow(/job\.txt is no job file/)
    await expect(bundleJob(folder.path('jobs/job.ts'), { config: folder.path('c.ts') })).rejects.toThrow(/There is no configuration file/)
  })
})
