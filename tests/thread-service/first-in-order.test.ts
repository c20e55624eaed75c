import fc from 'fast-check'
import { expect, test } from 'vitest'
import { firstInOrder } from '../../operators/first-in-order.ts'

test('the first of some numbers are those that sorting puts first', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -20, max: 20 })), fc.integer({ min: 0, max: 30 }), (numbers, limit) => {
      const compare = (a: number, b: number): number => b - a
      expect(firstInOrder(numbers, limit, compare)).toEqual([...numbers].sort(compare).slice(0, limit))
    }),
  )
})
