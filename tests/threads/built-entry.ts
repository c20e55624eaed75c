/** Modules for threads: Node 20 runs no TypeScript, so that each is bundled for the test. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

export class BuiltEntries {
  private readonly folder = mkdtempSync(join(tmpdir(), 'millrace-test-threads-'))

  /** The module `name` of the folder `entries`, as a file that Node runs. */
  async build(name: string): Promise<URL> {
    const outfile = join(this.folder, `${name}.mjs`)
    await build({
      entryPoints: [fileURLToPath(new URL(`entries/${name}.ts`, import.meta.url))],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
    })
    return pathToFileURL(outfile)
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
