/** connectedComponents through the API, against a search after every commit. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { connectedComponents, embed, int32, job, table } from '../../millrace.ts'
import { components, type Edge } from '../loops/graphs.ts'

const NODES = 8
const graph = job('graph', { links: table({ a: int32, b: int32 }) }, ({ links }) => ({ parts: connectedComponents(links, 'a', 'b') }))

test('gives each node the least node that it is connected with, as links come and go', () => {
  const node = fc.nat(NODES - 1)
  const change = fc.record({ a: node, b: node, remove: fc.boolean(), pick: fc.nat(100) })
  fc.assert(
    fc.property(fc.array(fc.array(change, { maxLength: 5 }), { maxLength: 8 }), (commits) => {
      using app = embed(graph)
      const present: Edge[] = []
      for (const commit of commits) {
        for (const { a, b, remove, pick } of commit) {
          if (remove && present.length > 0) {
            const [{ src, dst }] = present.splice(pick % present.length, 1)
            app.inputs.links.remove({ a: src, b: dst })
          } else {
            present.push({ src: a, dst: b })
            app.inputs.links.insert({ a, b })
          }
        }
        app.commit()
        const expected = [...components(present)].sort(([x], [y]) => x - y).map(([node, component]) => ({ node, component }))
        expect([...app.outputs.parts.rows()].sort((x, y) => x.node - y.node)).toEqual(expected)
      }
    }),
    { numRuns: 100 },
  )
})

test('says which column there is not', () => {
  const wrong = () =>
    job('j', { links: table({ a: int32, b: int32 }) }, ({ links }) => ({ parts: connectedComponents(links, 'a', 'c' as 'b') }))
  expect(wrong).toThrow(/c/)
})
