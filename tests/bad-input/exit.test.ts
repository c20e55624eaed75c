/** A process ends by itself when its apps are closed, and when they are not; real processes. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { afterAll, expect, test } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'millrace-exit-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const entry = fileURLToPath(new URL('../../millrace.ts', import.meta.url))

/** Milliseconds from the program's last line until the process is gone, and its exit code. */
async function ended(name: string, body: string): Promise<{ code: number | null; milliseconds: number }> {
  const source = join(folder, `${name}.ts`)
  const program = join(folder, `${name}.mjs`)
  writeFileSync(
    source,
    `import { days, embed, job, stream, timestamp } from ${JSON.stringify(entry)}
const j = job('j', { t: stream({ at: timestamp }) }, ({ t }) => ({ t: t.validFor((r) => r.at, days(1)) }))
async function main() {
${body}
}
await main()
process.stdout.write('end')
`,
  )
  buildSync({ entryPoints: [source], outfile: program, bundle: true, platform: 'node', format: 'esm', target: 'node20' })
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] })
  let end = Number.NaN
  child.stdout.on('data', () => {
    end = performance.now()
  })
  const code = await new Promise<number | null>((resolve) => child.on('exit', resolve))
  return { code, milliseconds: performance.now() - end }
}

test.each([
  ['closed', '  await using app = embed(j)\n  app.inputs.t.insert({ at: 0n })\n  app.commit()'],
  ['left-open', '  const app = embed(j)\n  app.inputs.t.insert({ at: 0n })\n  app.commit()\n  void app.outputs.t.changes().next()'],
  ['thousand', '  for (let i = 0; i < 1000; i++) {\n    await using app = embed(j)\n    app.commit()\n  }'],
])('%s: within a second', async (name, body) => {
  const { code, milliseconds } = await ended(name, body)
  expect(code).toBe(0)
  expect(milliseconds).toBeLessThan(1000)
})
