/**
 * Reads one CSV record (RFC 4180) from a run of lines.
 *
 * Why not csv-parse: a change log needs the line number of each record, the place to go on reading from while a
 * quoted field is open, a difference between an empty field and a quoted empty one (null and ''), and a way back
 * to the very next line after a malformed record. Its options give the first; for the others each record would have
 * to be cut out before it is handed over, which is most of the parsing.
 */
import { bad, shown } from '../../runtime/text/bad-value.ts'

export interface CsvField {
  readonly text: string
  readonly quoted: boolean
}

/** What may go on in the next line. */
export interface CsvDialect {
  readonly delimiter: string
  /** Whether a quoted field in this place may contain a line end. */
  readonly mayWrap: (fieldIndex: number) => boolean
}

const QUOTE = '"'

/**
 * The fields of the record in `text`, which is one line or several joined by their line feeds; null if a quoted field
 * is still open at the end, so that the next line belongs to it. Throws `BadValue`.
 */
export function readRecord(text: string, dialect: CsvDialect): CsvField[] | null {
  const { delimiter } = dialect
  const fields: CsvField[] = []
  let at = 0
  for (;;) {
    let end: number
    if (text[at] === QUOTE) {
      const close = closingQuote(text, at + 1)
      if (close === -1) {
        if (!dialect.mayWrap(fields.length)) bad(`field ${fields.length + 1} opens a quote and does not close it`)
        return null
      }
      end = close + 1
      const value = text.slice(at + 1, close)
      if (value.includes('\n') && !dialect.mayWrap(fields.length)) bad(`field ${fields.length + 1} contains a line end`)
      fields.push({ text: value.includes(QUOTE) ? value.replaceAll('""', QUOTE) : value, quoted: true })
      if (end < text.length && text[end] !== delimiter) {
        bad(`field ${fields.length} goes on behind its closing quote: ${shown(JSON.stringify(text.slice(end)))}`)
      }
    } else {
      end = text.indexOf(delimiter, at)
      if (end === -1) end = text.length
      const value = text.slice(at, end)
      if (value.includes(QUOTE)) bad(`field ${fields.length + 1} has a quote inside and is not quoted`)
      fields.push({ text: value, quoted: false })
    }
    if (end >= text.length) return fields
    at = end + 1
  }
}

/** The quote that ends a field: one that no second quote follows; -1 if there is none. */
function closingQuote(text: string, from: number): number {
  for (let at = text.indexOf(QUOTE, from); at !== -1; at = text.indexOf(QUOTE, at + 2)) {
    if (text[at + 1] !== QUOTE) return at
  }
  return -1
}
