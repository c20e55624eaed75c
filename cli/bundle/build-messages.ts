/** What esbuild has to say, as a compiler says it: file, line, column, the line, and what to do. */
import { resolve } from 'node:path'
import type { BuildFailure, Message } from 'esbuild'
import { MillraceError } from '../../runtime/error.ts'
import { shownPath } from '../shown-path.ts'

/** Errors shown of one build. */
const SHOWN_ERRORS = 5

/** `file:line:column  text`, then the line of code with the place marked. */
export function messageLines(message: Message, folder: string): string {
  const { location } = message
  const text = message.id === 'empty-import-meta' ? IMPORT_META : message.text
  const lines = message.notes.map((note) => note.text).filter((note) => !ADVICE.test(note))
  if (location === null) return [text, ...lines].join('\n')
  const number = String(location.line)
  const margin = ' '.repeat(number.length)
  const line = Buffer.from(location.lineText)
  // A tab is a tab in both lines, so that the mark is where the eye expects it.
  const before = line.subarray(0, location.column).toString().replace(/[^\t]/g, ' ')
  const marked = line.subarray(location.column, location.column + location.length).toString().length
  const frame = [`  ${number} | ${location.lineText}`, `  ${margin} | ${before}${'^'.repeat(Math.max(1, marked))}`]
  const place = `${shownPath(resolve(folder, location.file))}:${number}:${location.column + 1}`
  return [`${place}  ${text}`, ...frame, ...lines.map((note) => `  ${note}`)].join('\n')
}

const IMPORT_META = 'Of import.meta a bundle has url, filename and dirname; the rest is undefined.'
/** What esbuild advises to those who run it themselves. */
const ADVICE = /^$|You can mark the path|You need to set the output format/

/** The error to show for a bundle that could not be made. */
export function explainFailure(failure: BuildFailure, folder: string, jobFile: string, configFile: string | null): MillraceError {
  const found = failure.errors.map(({ text }) => NO_DEFAULT.exec(text)?.[1])
  if (found.every((file) => file !== undefined)) {
    const files = found.map((file) => resolve(folder, file))
    if (files.includes(jobFile)) return noDefault(jobFile, "export default job('name', { ... }, ...)")
    if (configFile !== null && files.includes(configFile)) return noDefault(configFile, 'export default defineConfig({ ... })')
  }
  const errors = failure.errors.slice(0, SHOWN_ERRORS).map((error) => messageLines(error, folder))
  const more = failure.errors.length - errors.length
  if (more > 0) errors.push(`and ${more} more`)
  const hints = failure.errors.flatMap(({ text }) => hintFor(text) ?? [])
  return new MillraceError('JOB', `${shownPath(jobFile)} cannot be bundled:\n${errors.join('\n')}`, hints[0], { cause: failure })
}

const NO_DEFAULT = /^No matching export in "(.*)" for import "default"$/

function noDefault(file: string, example: string): MillraceError {
  return new MillraceError('JOB', `${shownPath(file)} has no default export.`, `Write: ${example}`)
}

function hintFor(text: string): string | null {
  if (text.startsWith('Top-level await'))
    return 'A job is loaded in one go on every worker: await in a source, when it is opened, or import data as JSON.'
  const unresolved = /^Could not resolve "(.*)"$/.exec(text)
  if (unresolved === null) return null
  const [, name] = unresolved
  return /^[./]/.test(name) ? null : `Install it (npm install ${name}), or leave it out with --external ${name} if the workers have it.`
}
