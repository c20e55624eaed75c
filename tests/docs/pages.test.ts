/** Pages say what the tree says: what they link to and name is there, and the page of operators is that of the files. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import * as publishedFiles from '../../files.ts'
import * as published from '../../millrace.ts'
import * as publishedTesting from '../../testing.ts'
import { node, root } from '../package/run.ts'
import { trackedFiles } from '../tidy/project.ts'

const pages = trackedFiles().filter((path) => path.endsWith('.md') && path !== 'LICENSE')

/** Links to files that are not there, anchors that no heading has, and names in the text of a link that its file does not have. */
function brokenLinks(page: string, markdown: string): string[] {
  const offences: string[] = []
  const prose = markdown.replace(/^```[\s\S]*?^```$/gm, '')
  for (const [link, text, target] of prose.matchAll(/\[([^\]]*)\]\(([^)\s]+)\)/g)) {
    if (/^https?:/.test(target)) continue
    const [path, anchor] = target.split('#')
    const file = path === '' ? page : join(dirname(page), path)
    if (path !== '' && !existsSync(join(root, file))) offences.push(`${page}: ${link} leads nowhere`)
    else if (anchor !== undefined && !anchors(file === page ? markdown : read(file)).has(anchor))
      offences.push(`${page}: ${link} has no heading`)
    else if (file.endsWith('.ts')) {
      const source = read(file)
      for (const [, code] of text.matchAll(/`([^`]+)`/g))
        if (!code.endsWith('.ts'))
          for (const name of code.match(/[A-Za-z_]\w*/g) ?? [])
            if (!new RegExp(`\\b${name}\\b`).test(source)) offences.push(`${page}: ${name} is not in ${file}`)
    }
  }
  return offences
}

/** Files that a page names in code, such as `runtime/data/batch.ts`, and that are not there. */
function missingFiles(page: string, markdown: string): string[] {
  const named = markdown.matchAll(/`([\w./-]+\/[\w.-]+\.(?:ts|mjs|md|json))`/g)
  return [...named].map((match) => match[1]).flatMap((path) => (there(page, path) ? [] : [`${page}: there is no ${path}`]))
}

function there(page: string, path: string): boolean {
  return path.startsWith('dist/') || existsSync(join(root, path)) || existsSync(join(root, dirname(page), path))
}

/** As GitHub makes them from headings. */
function anchors(markdown: string): Set<string> {
  const headings = markdown.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/^#+ (.+)$/gm)
  const slug = (heading: string): string =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}_\- ]/gu, '')
      .replaceAll(' ', '-')
  return new Set([...headings].map((match) => slug(match[1])))
}

const read = (path: string): string => readFileSync(join(root, path), 'utf8')

describe('pages', () => {
  test.each(pages)('%s: links lead somewhere', (page) => expect(brokenLinks(page, read(page))).toEqual([]))
  test.each(pages)('%s: the files it names are there', (page) => expect(missingFiles(page, read(page))).toEqual([]))
  test('docs/operators.md is up to date', () => void node(['scripts/operators-page.mjs', '--check'], root))
})

/** Classes are not named where a function makes them. */
const functions = [published, publishedFiles, publishedTesting]
  .flatMap((module) => Object.keys(module))
  .filter((name) => /^[a-z]/.test(name))

describe('the user guide', () => {
  const guide = read('docs/api.md')
  test.each(functions)('speaks of %s', (name) => expect(guide).toMatch(new RegExp(`\\b${name}\\b`)))

  test('knows the codes of errors that are in use', () => {
    const codes = trackedFiles()
      .filter((path) => /^(?:runtime|operators|worker|connectors)\/.*\.ts$|^[^/]+\.ts$/.test(path))
      .flatMap((path) => [...read(path).matchAll(/MillraceError\(\s*'([A-Z_]+)'/g)].map((match) => match[1]))
    expect([...new Set(codes)].filter((code) => !guide.includes(`\`${code}\``))).toEqual([])
  })
})

describe('the checks see what they are for', () => {
  test('links', () => {
    expect(brokenLinks('docs/x.md', '[a](nothing.md) [b](../millrace.ts) [c](#here) [d](https://x.org)\n# Here\n')).toEqual([
      'docs/x.md: [a](nothing.md) leads nowhere',
    ])
    expect(brokenLinks('docs/x.md', '[`embed`](../worker/embedded.ts) [`embedd`](../worker/embedded.ts) [x](#there)')).toEqual([
      'docs/x.md: embedd is not in worker/embedded.ts',
      'docs/x.md: [x](#there) has no heading',
    ])
  })

  test('files', () => {
    expect(missingFiles('docs/x.md', '`worker/embedded.ts` `worker/nothing.ts`')).toEqual(['docs/x.md: there is no worker/nothing.ts'])
  })
})
