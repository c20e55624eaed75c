/** Modules for threads: Node 20 runs no TypeScript, so that each is bundled for the test. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

export class BuiltEntries {
  private readonly folder = mkdtempSync(join(tmpdir(), 'millrace-test-threads-'))

  /** A module of the project, as a file that Node runs. */
  async build(source: URL): Promise<URL> {
    const outfile = join(this.folder, `${basename(source.pathname, '.ts')}.mjs`)
    await build({
      entryPoints: [fileURLToPath(source)],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      // For packages that are CommonJS.
      banner: { js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url)" },
    })
    return pathToFileURL(outfile)
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}
