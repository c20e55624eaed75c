import type { DecodedBatch, LineDecoder } from '../../../connectors/file/change-row.ts'
import type { LineBatch } from '../../../connectors/file/position.ts'

/** A batch of lines as the follower would give them. */
export function batchOf(lines: readonly string[], options: { from?: number; generation?: number; header?: string } = {}): LineBatch {
  const { from = 1, generation = 0, header = null } = options
  const offsets: number[] = []
  let offset = (from - 1) * 1000
  for (const line of lines) {
    offsets.push(offset)
    offset += line.length + 1
  }
  const end = { identity: 'f', generation, offset, line: from + lines.length, tailBytes: 3, tailHash: 7 }
  return { file: 'log', generation, lines, lineNumbers: lines.map((_, i) => from + i), offsets, bad: [], header, end }
}

/** The values of the one line, or the message that it is bad. */
export function decodeOne(decoder: LineDecoder, line: string, header?: string): unknown {
  const { rows, bad } = decoder.decode(batchOf([line], header === undefined ? {} : { header, from: 2 }))
  return bad.length > 0 ? bad[0].message : rows[0]?.row
}

export function summary({ rows, bad }: DecodedBatch): { rows: unknown[]; bad: [number, string][] } {
  return {
    rows: rows.map(({ row, operation, position }) => [position.line, operation, row]),
    bad: bad.map(({ position, message }) => [position.line, message]),
  }
}
