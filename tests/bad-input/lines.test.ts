/** Lines of files that are no rows: each is an error with its file and line, the others are taken, and corrections are rows again. */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { followFiles } from '../../files.ts'
import { embed, float64, int32, int64, job, nullable, table, text } from '../../millrace.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-lines-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const j = job('j', { t: table({ k: int32, big: int64, f: float64, s: nullable(text) }, { key: 'k' }) }, ({ t }) => ({ t }))
const good = (k: number) => ({ k, big: '9223372036854775807', f: 0.5, s: null })

test('JSON lines', async () => {
  const path = join(folder, 'rows.jsonl')
  const wrong: string[] = [
    'not json',
    '{"k":1',
    '[1,2]',
    '"text"',
    '{"big":"1","f":1,"s":"x"}',
    JSON.stringify({ ...good(1), k: 2 ** 31 }),
    JSON.stringify({ ...good(1), k: 1.5 }),
    JSON.stringify({ ...good(1), k: '1x' }),
    JSON.stringify({ ...good(1), big: '9223372036854775808' }),
    '{"k":1,"big":"1","f":NaN,"s":"x"}',
    '{"k":1,"big":"1","f":1,"s":"\\ud800"}',
    JSON.stringify({ ...good(1), zz: 1 }),
    '{"op":"explode","k":1}',
    '{"op":"delete"}',
    JSON.stringify({ ...good(1), s: 'x'.repeat(1 << 20) }),
  ]
  writeFileSync(path, `${JSON.stringify(good(7))}\n${wrong.join('\n')}\n${JSON.stringify({ ...good(8), s: 'x'.repeat(1_000_000) })}\n`)
  using app = embed(j)
  await using feed = followFiles(j, app, { t: path })
  await feed.drain()
  expect(app.outputs.t.rows().map((row) => row.k)).toEqual([7, 8])
  const errors = app.outputs.t.errors.rows()
  expect(errors.map((error) => error.position).sort()).toEqual(wrong.map((_, i) => `line ${i + 2}`).sort())
  for (const error of errors) {
    expect(error).toMatchObject({ operator: 'input', origin: 't', source: path })
    expect(error.message.length).toBeGreaterThan(10)
  }
  const messageAt = (line: number) => errors.find((error) => error.position === `line ${line}`)?.message
  expect(messageAt(7)).toContain('2147483648')
  expect(messageAt(13)).toContain('zz')
  expect(messageAt(14)).toContain('explode')
  appendFileSync(path, `${JSON.stringify({ op: 'delete', k: 7 })}\n`)
  await feed.drain()
  expect(app.outputs.t.rows().map((row) => row.k)).toEqual([8])
  expect(app.outputs.t.errors.rows()).toHaveLength(wrong.length)
})

test('CSV', async () => {
  const path = join(folder, 'rows.csv')
  writeFileSync(path, 'k,big,f,s\n1,2,3,x\n1,2\n9999999999,2,3,x\nx,2,3,"un\nclosed" after\n2,5,1e400,\n3,6,0.5,\n')
  using app = embed(j)
  await using feed = followFiles(j, app, { t: path })
  await feed.drain()
  const errors = app.outputs.t.errors.rows()
  expect(app.outputs.t.rows().map((row) => row.k)).toContain(1)
  expect(app.outputs.t.rows().map((row) => row.k)).toContain(3)
  expect(errors.length).toBeGreaterThanOrEqual(3)
  for (const error of errors)
    expect(error).toMatchObject({ operator: 'input', origin: 't', source: path, position: expect.stringMatching(/^line \d+/) })
})
