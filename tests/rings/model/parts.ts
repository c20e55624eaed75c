/** The classes under check: as they are, or with a mistake put in. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import type { Doorbell, Waiter } from '../../../runtime/channel/doorbell.ts'
import type { RingOutbox } from '../../../runtime/channel/ring-outbox.ts'
import type { RingReader } from '../../../runtime/channel/ring-reader.ts'
import type { RingWriter } from '../../../runtime/channel/ring-writer.ts'
import type { SentCommands, TakenCommands } from '../../../worker/command-count.ts'

export interface Parts {
  readonly Doorbell: typeof Doorbell
  readonly Waiter: typeof Waiter
  readonly RingWriter: typeof RingWriter
  readonly RingReader: typeof RingReader
  readonly RingOutbox: typeof RingOutbox
  readonly SentCommands: typeof SentCommands
  readonly TakenCommands: typeof TakenCommands
}

/** A change of the source of one file. */
export interface Change {
  readonly file: string
  readonly find: string
  readonly replace: string
}

const root = fileURLToPath(new URL('../../../', import.meta.url))
/** A thread that spins for long has the same accesses as one that spins twice. */
const simplifications: readonly Change[] = [
  { file: 'runtime/channel/doorbell.ts', find: 'SPIN_LOOKS = 20000', replace: 'SPIN_LOOKS = 2' },
  // All bytes are copied in words, which is how the checker sees memory.
  { file: 'runtime/channel/ring-outbox.ts', find: 'SHORT_BYTES = 32', replace: 'SHORT_BYTES = -1' },
  { file: 'runtime/channel/doorbell.ts', find: 'GLANCES = 200', replace: 'GLANCES = 1' },
]

export async function loadParts(mistake?: Change): Promise<Parts> {
  const changes = mistake === undefined ? simplifications : [...simplifications, mistake]
  const folder = mkdtempSync(join(tmpdir(), 'millrace-test-model-'))
  try {
    const { outputFiles } = await build({
      stdin: {
        resolveDir: root,
        contents: `
          export * from './runtime/channel/doorbell.ts'
          export * from './runtime/channel/ring-writer.ts'
          export * from './runtime/channel/ring-reader.ts'
          export * from './runtime/channel/ring-outbox.ts'
          export * from './worker/command-count.ts'`,
      },
      bundle: true,
      write: false,
      format: 'esm',
      plugins: [
        {
          name: 'changes',
          setup(context) {
            context.onLoad({ filter: /\.ts$/ }, ({ path }) => ({
              contents: changed(
                readFileSync(path, 'utf8'),
                changes.filter(({ file }) => path === join(root, file)),
              ),
              loader: 'ts',
              resolveDir: dirname(path),
            }))
          },
        },
      ],
    })
    const file = join(folder, 'parts.mjs')
    writeFileSync(file, outputFiles[0].text)
    return (await import(/* @vite-ignore */ pathToFileURL(file).href)) as Parts
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function changed(text: string, changes: readonly Change[]): string {
  for (const { find, replace, file } of changes) {
    if (text.split(find).length !== 2) throw new Error(`${JSON.stringify(find)} is not once in ${file}`)
    text = text.replace(find, () => replace)
  }
  return text
}
