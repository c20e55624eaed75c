/** Follows docs/add-an-operator.md in a copy of the tree, step by step. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { node, root } from '../package/run.ts'
import { trackedFiles } from '../tidy/project.ts'
import { blocksOf } from './blocks.ts'
import { examplesOf, printed, said } from './run-example.ts'

const PAGE = 'docs/add-an-operator.md'
const blocks = blocksOf(PAGE)
/** What the steps need: the product, and the tests' oracle. */
const COPIED =
  /^(?:[^/]+\.(?:ts|json)|(?:runtime|operators|worker|connectors|coordinator|simulation|cli|scripts)\/.*|tests\/oracle\/.*|tests\/property-seed\.ts|docs\/operators\.md)$/

let folder: string
const written: string[] = []

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-operator-'))
  for (const path of trackedFiles().filter((one) => COPIED.test(one))) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    cpSync(join(root, path), join(folder, path))
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  for (const { info, text, place } of blocks) {
    const file = /\bfile=(\S+)/.exec(info)?.[1]
    const insertion = /\bin=(\S+) before="(.+)"$/.exec(info)
    if (file !== undefined) write(file, text)
    else if (insertion !== null) insert(insertion[1], insertion[2], text, place)
  }
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
  if (!written.includes(path)) written.push(path)
}

/** Puts a text before the one line that begins as `mark`. */
function insert(path: string, mark: string, text: string, place: string): void {
  const source = readFileSync(join(folder, path), 'utf8')
  const parts = `\n${source}`.split(`\n${mark}`)
  if (parts.length !== 2)
    throw new Error(`${place}: ${path} has ${parts.length - 1} lines that begin with ${JSON.stringify(mark)}, not one`)
  write(path, `${parts[0]}\n${text}${mark}${parts[1]}`.slice(1))
}

test('the page has all its steps', () => {
  expect(written).toEqual(['operators/explode.ts', 'operators/collection.ts', 'tests/operators/explode.test.ts'])
  expect(blocks.filter((block) => block.info === 'example')).toHaveLength(1)
})

test('types and style', { timeout: 120_000 }, () => {
  node([join(root, 'node_modules/typescript/bin/tsc'), '-p', '.', '--noEmit'], folder)
  const biome = join(root, 'node_modules/@biomejs/biome/bin/biome')
  node([biome, 'check', '--error-on-warnings', '--vcs-enabled=false', ...written], folder)
})

test('the new tests pass, and can fail', { timeout: 120_000 }, () => {
  const vitest = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--project', 'fast', 'tests/operators/explode.test.ts']
  node(vitest, folder)
  const path = 'operators/explode.ts'
  const right = readFileSync(join(folder, path), 'utf8')
  write(path, right.replace('difference * copies', 'difference + copies'))
  expect(() => node(vitest, folder)).toThrow(/is its definition/)
  write(path, right)
})

test('the page of operators takes the header', () => {
  node(['scripts/operators-page.mjs'], folder)
  expect(readFileSync(join(folder, 'docs/operators.md'), 'utf8')).toContain(
    '## explode\n\nEach row as often as one of its int32 columns says.',
  )
})

test('the example prints what it says', async () => {
  const [example] = examplesOf(blocks.filter((block) => block.info === 'example').map((block) => ({ ...block, info: '' })))
  expect(await printed(example, folder)).toEqual(said(example.text))
})
