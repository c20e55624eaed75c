import { describe, expect, it } from 'vitest'
import { inspect } from '../../operators/inspect.ts'
import { int64, text } from '../../runtime/data/column-type.ts'
import { check } from '../oracle/check.ts'
import { Engine } from '../oracle/engine.ts'

const columns = { city: text, cents: int64 }

describe('inspect', () => {
  it('sees each change and passes it on', () => {
    check(
      [columns],
      (input) => inspect(input, () => {}),
      (input) => input,
    )
    const seen: unknown[] = []
    const engine = new Engine([columns], (input) => inspect(input, (change) => void seen.push(change)))
    engine.change(0, { city: 'a', cents: 1n }, 2)
    engine.commit(7)
    engine.change(0, { city: 'a', cents: 1n }, -2)
    engine.commit(9)
    expect(seen).toEqual([
      { time: 7, row: { city: 'a', cents: 1n }, diff: 2 },
      { time: 9, row: { city: 'a', cents: 1n }, diff: -2 },
    ])
  })

  it('what it throws is an error, not the end', () => {
    const engine = new Engine([columns], (input) =>
      inspect(input, () => {
        throw new Error('no')
      }),
    )
    engine.change(0, { city: 'a', cents: 1n }, 2)
    engine.commit()
    expect(engine.output().size).toBe(1)
    expect([...engine.errors.values()]).toMatchObject([
      { count: 2, row: { operator: 'inspect', row: '{ city: "a", cents: 1n }', message: 'Error: no' } },
    ])
  })
})
