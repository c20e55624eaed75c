import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Dictionary, detached, hashString } from '../../runtime/data/dictionary.ts'

const someText = fc.oneof(
  fc.string({ maxLength: 16 }),
  fc.string({ unit: 'grapheme', maxLength: 14 }),
  fc.string({ unit: fc.constantFrom('a', 'b', '\u0000', '\u00ff', '\u0100'), maxLength: 13 }),
  fc.constantFrom('', '\u0000', '\u0000\u0000', 'twelve chars', 'thirteen char', '\u00ff'.repeat(12), '\u0100', '\u{1f600}'),
)

describe('dictionary', () => {
  it('gives one id a string, from 1 on', () => {
    fc.assert(
      fc.property(fc.array(someText, { maxLength: 100 }), (strings) => {
        const dictionary = new Dictionary()
        const ids = new Map<string, number>()
        for (const s of strings) {
          expect(dictionary.find(s)).toBe(ids.get(s) ?? -1)
          const id = dictionary.intern(s)
          expect(id).toBeGreaterThan(0)
          expect(ids.get(s) ?? id).toBe(id)
          ids.set(s, id)
          expect(dictionary.get(id)).toBe(s)
          expect(dictionary.strings[id]).toBe(s)
        }
        expect(new Set(ids.values()).size).toBe(ids.size)
        expect(dictionary.live).toBe(ids.size)
      }),
    )
  })

  it('grows to many strings, packed and not', () => {
    const dictionary = new Dictionary()
    for (let i = 0; i < 50_000; i++) {
      expect(dictionary.intern(`u${i}`)).toBe(2 * i + 1)
      expect(dictionary.intern(`a string that is not packed ${i}`)).toBe(2 * i + 2)
    }
    for (let i = 0; i < 50_000; i++) expect(dictionary.intern(`u${i}`)).toBe(2 * i + 1)
    expect(dictionary.shouldCollect()).toBe(true)
  })

  it('tells strings apart that have the same packed words', () => {
    const dictionary = new Dictionary()
    const strings = Array.from({ length: 256 * 12 }, (_, i) => String.fromCharCode(i >> 4) + '\u0000'.repeat(i % 12))
    const ids = new Map(strings.map((s) => [s, dictionary.intern(s)]))
    expect(new Set(ids.values()).size).toBe(ids.size)
    for (const [s, id] of ids) {
      expect(dictionary.get(id)).toBe(s)
      expect(dictionary.find(s)).toBe(id)
    }
  })

  it('frees what is not marked, reuses its ids, and keeps the rest', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.tuple(someText, fc.boolean()), { maxLength: 40 }), { maxLength: 6 }), (rounds) => {
        const dictionary = new Dictionary()
        const live = new Map<string, number>()
        for (const round of rounds) {
          for (const [s] of round) live.set(s, dictionary.intern(s))
          const keep = new Set(round.filter(([, kept]) => kept).map(([s]) => s))
          const late = `late ${round.length}`
          dictionary.beginMark()
          for (const s of keep) dictionary.mark(live.get(s) as number)
          dictionary.mark(0)
          // Interned while the marking goes on: new, and found again.
          keep.add(late)
          live.set(late, dictionary.intern(late))
          const again = round[0]?.[0]
          if (again !== undefined) {
            keep.add(again)
            expect(dictionary.intern(again)).toBe(live.get(again))
          }
          const freed: number[] = []
          expect(dictionary.sweep((id) => freed.push(id))).toBe(live.size - keep.size)
          expect(new Set(freed)).toEqual(new Set([...live].filter(([s]) => !keep.has(s)).map(([, id]) => id)))
          for (const s of live.keys()) if (!keep.has(s)) live.delete(s)
          expect(dictionary.live).toBe(live.size)
          for (const [s, id] of live) {
            expect(dictionary.find(s)).toBe(id)
            expect(dictionary.get(id)).toBe(s)
          }
          for (const id of freed) expect(() => dictionary.get(id)).toThrow('invariant')
        }
        expect(dictionary.sweeps).toBe(rounds.length)
      }),
    )
  })

  it('stays level while ever new strings come and go', () => {
    const dictionary = new Dictionary()
    let bytes = 0
    let highest = 0
    for (let round = 0; round < 20; round++) {
      const ids = []
      for (let i = 0; i < 2000; i++) ids.push(dictionary.intern(`${round}/${i}`), dictionary.intern(`round ${round}, string ${i}`))
      dictionary.beginMark()
      for (const id of ids) dictionary.mark(id)
      dictionary.sweep()
      if (round === 5) bytes = dictionary.bytes
      highest = Math.max(highest, ...ids)
    }
    expect(dictionary.bytes).toBeLessThan(1.1 * bytes)
    expect(highest).toBeLessThanOrEqual(8000)
  })

  it('hashes the content, not the id', () => {
    const a = new Dictionary()
    const b = new Dictionary()
    b.intern('something else first')
    for (const s of ['x', 'héllo', 'a long string, not packed', '\u{1f600}'])
      expect(a.contentHash(a.intern(s))).toBe(b.contentHash(b.intern(s)))
    a.beginMark()
    a.sweep()
    const reused = a.intern('y')
    expect(a.contentHash(reused)).toBe(b.contentHash(b.intern('y')))
  })

  it('has the hashes of version 1', () => {
    const hashes = ['', 'a', 'b', 'ab', 'abc', 'millrace', 'Rimini', 'é', '日本', '\u{1f600}', 'a string longer than twelve'].map(
      (s) => hashString(s) >>> 0,
    )
    expect(hashes).toMatchInlineSnapshot(`
      [
        2810287619,
        2119505353,
        10477615,
        2450379744,
        792209981,
        331596323,
        3769980227,
        1418780418,
        4037496318,
        1787098213,
        2818318238,
      ]
    `)
  })

  it('refuses lone surrogates', () => {
    const dictionary = new Dictionary()
    for (const s of ['\ud800', 'x\udc00', '\udc00\ud800', `${'long '.repeat(10)}\ud83d`]) {
      expect(() => dictionary.intern(s)).toThrow('lone surrogate')
      expect(dictionary.find(s)).toBe(-1)
    }
    expect(dictionary.live).toBe(0)
  })

  it('detaches without changing', () => {
    fc.assert(fc.property(fc.string({ maxLength: 40 }), (s) => detached(s) === s))
  })
})
