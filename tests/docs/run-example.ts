/**
 * Runs the programs of a page as its reader would: with the public package's names, type-checked, and with what they
 * print compared with the comments that say what they print.
 *
 * `console.log(x) // -> 5` says that the line prints 5; what it prints in several lines is said in as many comments.
 * A block that begins with `// continues` is the next part of the program before it.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { node, root } from '../package/run.ts'
import type { Block } from './blocks.ts'

export interface Example {
  readonly place: string
  readonly text: string
}

const CONTINUES = '// continues'

export function examplesOf(blocks: readonly Block[]): Example[] {
  const examples: Example[] = []
  for (const { language, info, text, place } of blocks) {
    if (language !== 'ts' || info !== '') continue
    const before = examples.at(-1)
    if (!text.startsWith(CONTINUES)) examples.push({ place, text })
    else if (before === undefined) throw new Error(`${place} continues nothing`)
    else examples[examples.length - 1] = { place: before.place, text: before.text + text }
  }
  return examples
}

/** The public names, as the sources they come from. */
const PACKAGE: Readonly<Record<string, string>> = {
  millrace: 'millrace.ts',
  'millrace/config': 'config.ts',
  'millrace/testing': 'testing.ts',
  'millrace/files': 'files.ts',
}

/** What a program is said to print, line by line. */
export function said(text: string): string[] {
  return [...text.matchAll(/\/\/ -> (.*)$/gm)].map((match) => match[1].trimEnd())
}

/** What it prints, with the package of the tree in `tree`. */
export async function printed(example: Example, tree = root): Promise<string[]> {
  const { outputFiles } = await build({
    stdin: { contents: `${PRELUDE}\n${example.text}`, resolveDir: tree, sourcefile: `${example.place}.ts`, loader: 'ts' },
    alias: Object.fromEntries(Object.entries(PACKAGE).map(([name, file]) => [name, join(tree, file)])),
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    logLevel: 'silent',
  })
  return inFolder((folder) => {
    const file = join(folder, 'example.mjs')
    writeFileSync(file, outputFiles[0].text)
    const text = node(['--no-warnings', file], folder).trimEnd()
    return text === '' ? [] : text.split('\n')
  })
}

/** One line a value, whatever its size. */
const PRELUDE =
  "import { inspect as __inspect } from 'node:util'; Object.assign(__inspect.defaultOptions, { breakLength: Infinity, compact: true })"

/** Type-checks programs as modules of their own; throws with what is wrong and the page's name. */
export function typeCheck(examples: readonly Example[]): void {
  inFolder((folder) => {
    examples.forEach((example, i) => {
      writeFileSync(join(folder, `${i}-${example.place.replace(/\W+/g, '-')}.mts`), `${example.text}\nexport {}\n`)
    })
    const paths = Object.fromEntries(Object.entries(PACKAGE).map(([name, file]) => [name, [join(root, file)]]))
    const options = {
      noEmit: true,
      rootDir: '/',
      paths,
      noUnusedLocals: false,
      typeRoots: [join(root, 'node_modules/@types')],
      allowImportingTsExtensions: true,
    }
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions: options, include: ['*.mts'], exclude: [] }),
    )
    node([join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], folder)
  })
}

function inFolder<T>(work: (folder: string) => T): T {
  const parent = join(root, 'node_modules/.cache')
  mkdirSync(parent, { recursive: true })
  const folder = mkdtempSync(join(parent, 'millrace-docs-'))
  try {
    return work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
