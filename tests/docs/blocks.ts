/** The code blocks of a Markdown page. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../package/run.ts'

export interface Block {
  /** The page, and the block's first line in it, as `docs/api.md:12`. */
  readonly place: string
  readonly language: string
  /** What follows the language in the opening fence. */
  readonly info: string
  readonly text: string
}

export function blocksOf(page: string): Block[] {
  return blocksIn(page, readFileSync(join(root, page), 'utf8'))
}

export function blocksIn(page: string, markdown: string): Block[] {
  const blocks: Block[] = []
  let open: { place: string; language: string; info: string; lines: string[] } | null = null
  markdown.split('\n').forEach((line, i) => {
    const fence = /^```(\w*)\s*(.*)$/.exec(line)
    if (fence === null) open?.lines.push(line)
    else if (open === null) open = { place: `${page}:${i + 2}`, language: fence[1], info: fence[2].trim(), lines: [] }
    else {
      blocks.push({ place: open.place, language: open.language, info: open.info, text: `${open.lines.join('\n')}\n` })
      open = null
    }
  })
  if (open !== null) throw new Error(`${(open as Block).place}: the block has no end`)
  return blocks
}
