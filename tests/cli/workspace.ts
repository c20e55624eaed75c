/** A folder of a user's files, for one test. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export interface Workspace extends Disposable {
  readonly folder: string
  path(name: string): string
  write(files: Readonly<Record<string, string>>): void
}

export function workspace(files: Readonly<Record<string, string>> = {}): Workspace {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-cli-')))
  const made: Workspace = {
    folder,
    path: (name) => join(folder, name),
    write: (all) => {
      for (const [name, text] of Object.entries(all)) {
        mkdirSync(dirname(join(folder, name)), { recursive: true })
        writeFileSync(join(folder, name), text)
      }
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
  made.write(files)
  return made
}

/** A small job, with room for other code. */
export function jobText(name: string, more = ''): string {
  return `import { count, int32, job, table } from 'millrace'
${more}
export default job('${name}', { orders: table({ id: int32, city: int32 }, { key: 'id' }) }, ({ orders }) => ({
  byCity: orders.groupBy('city').aggregate(() => ({ n: count() })).keyBy('city'),
}))
`
}
