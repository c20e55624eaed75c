/** Every program on the pages for users compiles, runs, and prints what its comments say. */
import { describe, expect, test } from 'vitest'
import { blocksIn, blocksOf } from './blocks.ts'
import { readmeExample } from './readme-example.ts'
import { type Example, examplesOf, printed, said, typeCheck } from './run-example.ts'

const pages = ['docs/api.md']
const examples = pages.flatMap((page) => examplesOf(blocksOf(page)))

describe('examples', () => {
  test('compile', { timeout: 120_000 }, () => typeCheck([...examples, { place: 'README.md', text: readmeExample() }]))

  test.each(examples)('$place prints what it says', async (example) => {
    const lines = said(example.text)
    expect(lines.length, `${example.place} says nothing of what it prints`).toBeGreaterThan(0)
    expect(await printed(example)).toEqual(lines)
  })

  test('the example of the README runs', async () => {
    expect(await printed({ place: 'README.md', text: readmeExample() })).toEqual([])
  })
})

describe('the checks see what they are for', () => {
  const page =
    '# T\n\n```ts\nconst a: number = 1\nconsole.log(a) // -> 1\n```\n\n```ts\n// continues\nconsole.log(a + 1, { a }) // -> 2 { a: 1 }\n```\n'
  const [whole] = examplesOf(blocksIn('page.md', page))

  test('a program in two parts, printing', async () => {
    expect(whole.place).toBe('page.md:4')
    expect(await printed(whole)).toEqual(said(whole.text))
  })

  test('a mistake of types, of names, of results', { timeout: 120_000 }, async () => {
    const program = (text: string): Example => ({ place: 'page.md:4', text })
    expect(() => typeCheck([program("const a: number = 'x'\n")])).toThrow(/not assignable/)
    expect(() => typeCheck([program("import { nothing } from 'millrace'\n")])).toThrow(/nothing/)
    await expect(printed(program('throw new Error("mine")\n'))).rejects.toThrow(/mine/)
    expect(() => blocksIn('page.md', '```ts\n')).toThrow(/no end/)
  })
})
