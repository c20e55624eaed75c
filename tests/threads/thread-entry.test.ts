/** The module that dataflow threads run in a worker process: a job on real threads. */
import { createHash } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { BuiltEntries } from './built-entry.ts'
import { Mesh } from './mesh.ts'

const code = `
  const { job, table, int32, count } = require('millrace')
  const { basename } = require('node:path')
  const inputs = { edges: table({ from: int32, to: int32 }) }
  const perNode = ({ edges }) => ({ degrees: edges.groupBy('from').aggregate(() => ({ degree: count() })).keyBy('from') })
  const none = { partitions: () => [], open: () => basename('a/b') }
  module.exports = { job: job('degrees', inputs, perNode), config: { sources: { edges: none } } }`
const digest = createHash('sha256').update(code).digest('hex')

const entries = new BuiltEntries()
let entry: URL
let mesh: Mesh
beforeAll(async () => {
  entry = await entries.build(new URL('../../thread.ts', import.meta.url))
})
afterAll(() => entries.remove())
afterEach(() => mesh.end())

it('runs a job on two threads, which exchange its rows', async () => {
  mesh = new Mesh(2, entry, {}, 0, 2)
  mesh.send({ kind: 'install', dataflow: 1, name: 'degrees', since: 0, digest, code })
  for (const thread of [0, 1]) expect((await mesh.heard(thread, 'installed'))[0].outputs[0].name).toBe('degrees')
  mesh.send({ kind: 'start', dataflow: 1, times: [] })
  for (let time = 1; time <= 20; time++) {
    for (const thread of [0, 1]) {
      const rows = Array.from({ length: 1000 }, (_, i) => ({ from: i, to: time }))
      mesh.feed(thread, 'edges', 1, rows)
    }
    mesh.send({ kind: 'advance', dataflow: 1, time })
  }
  const latest = async (thread: number) => {
    for (let count = 1; ; count++) {
      const told = await mesh.heard(thread, 'complete', count)
      if ((told.at(-1)?.time ?? 0) >= 20) return
    }
  }
  for (const thread of [0, 1]) await latest(thread)
  mesh.send({ kind: 'visible', dataflow: 1, time: 20, compactTo: 20 })
  const question = { kind: 'read', dataflow: 1, output: 'degrees', errors: false, asOf: 20, key: null, from: null, limit: 2000 } as const
  mesh.send({ ...question, request: 1 })
  const answers = [(await mesh.heard(0, 'rows'))[0], (await mesh.heard(1, 'rows'))[0]]
  expect(answers.map(({ error }) => error)).toEqual([null, null])
  const counts = answers.map(({ rows }) => rows.length)
  expect(Math.min(...counts)).toBeGreaterThan(400)
  expect(counts[0] + counts[1]).toBe(1000)
  for (const { row } of answers.flatMap(({ rows }) => rows)) expect(row['degree']).toBe(40n)
  mesh.send({ kind: 'ask-stats' })
  const [{ stats }] = await mesh.heard(0, 'stats')
  expect(stats.busy).toBeGreaterThan(0)
  expect(stats.busy).toBeLessThan(1)
})

it('says why a job cannot be loaded', async () => {
  mesh = new Mesh(1, entry, {}, 0, 1)
  mesh.send({ kind: 'install', dataflow: 1, name: 'degrees', since: 0, digest: 'f00', code })
  expect((await mesh.heard(0, 'failed'))[0].code).toBe('JOB')
})
