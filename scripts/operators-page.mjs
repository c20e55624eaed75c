// Writes docs/operators.md from the headers of operators/*.ts, so that the page says what the files say.
//   node scripts/operators-page.mjs [--check]    `--check` writes nothing, and fails if the page is not as it would be
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const page = join(root, 'docs', 'operators.md')
const FIELDS = ['Computes', 'State', 'Times', 'Cost', 'Source']

/** The lines of the comment that a file begins with, without its stars. */
function headerOf(text) {
  const match = /^(?:\/\/\/[^\n]*\n)*\/\*\*\n([\s\S]*?)\*\//.exec(text)
  return match === null ? [] : match[1].split('\n').map((line) => line.replace(/^ \* ?/, '').trimEnd())
}

/** An operator's header says its name, what it is for, its times and its cost; other files in the folder are parts. */
function operatorOf(file, text) {
  const lines = headerOf(text)
  const title = /^([^:]+): (.+)$/.exec(lines[0] ?? '')
  if (title === null || !lines.some((line) => line.startsWith('Times: ')) || !lines.some((line) => line.startsWith('Cost'))) return null
  const parts = { summary: [title[2]], notes: [], example: [] }
  let part = 'summary'
  for (const line of lines.slice(1)) {
    const field = FIELDS.find((name) => line.startsWith(`${name}: `) || line.startsWith(`${name} per `))
    if (line.startsWith('@example')) part = 'example'
    else if (part === 'example') parts.example.push(line.replace(/^ {2}/, ''))
    else if (line === '') part = 'notes'
    else if (field === undefined) parts[part].push(line)
    else {
      part = field
      parts[field] = [line.slice(field.length).replace(/^: /, '').trim()]
    }
  }
  return { file, name: title[1], ...parts }
}

function sectionOf(operator) {
  const lines = [`## ${operator.name}`, '', sentence(operator.summary), '']
  for (const field of FIELDS) if (operator[field] !== undefined) lines.push(`- **${field}**: ${operator[field].join(' ')}`)
  if (operator.notes.length > 0) lines.push('', operator.notes.join(' '))
  const example = operator.example.join('\n').trim()
  if (example !== '') lines.push('', '```js', example, '```')
  return [...lines, '', `[operators/${operator.file}](../operators/${operator.file})`, ''].join('\n')
}

/** As GitHub makes it from a heading. */
function anchorOf(heading) {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')
}

function sentence(lines) {
  const text = lines.join(' ')
  return text.charAt(0).toUpperCase() + text.slice(1)
}

const operators = readdirSync(join(root, 'operators'))
  .filter((file) => file.endsWith('.ts'))
  .sort()
  .flatMap((file) => operatorOf(file, readFileSync(join(root, 'operators', file), 'utf8')) ?? [])

const text = `# The operators

Made by \`node scripts/operators-page.mjs\` from the headers of the files; change those, not this page. The examples are calls of the
functions that the methods of a collection delegate to; [api.md](api.md) shows the methods.

*Total order* is a dataflow outside loops, where times are numbers; *partial order* is inside \`iterate\`.

${operators.map((operator) => `[${operator.name}](#${anchorOf(operator.name)})`).join(' · ')}

${operators.map(sectionOf).join('\n')}`

if (process.argv[2] !== '--check') {
  writeFileSync(page, text)
  console.log(`docs/operators.md: ${operators.length} operators`)
} else if (readFileSync(page, 'utf8') !== text) {
  console.error('docs/operators.md is not what the headers of operators/*.ts say. Run: node scripts/operators-page.mjs')
  process.exitCode = 1
}
