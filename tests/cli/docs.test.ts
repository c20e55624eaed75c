/** docs/cli.md and docs/cluster.md say what there is: each command, option and variable; the example is a job that can be deployed. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { prepareJob } from '../../cli/bundle/prepare.ts'
import { EXIT_CODES } from '../../cli/exit.ts'
import { createProgram } from '../../cli/program.ts'
import { blocksOf } from '../docs/blocks.ts'
import { root } from '../package/run.ts'
import { testContext } from './test-context.ts'
import { workspace } from './workspace.ts'

const page = readFileSync(join(root, 'docs/cli.md'), 'utf8')
const sections = new Map(page.split(/^## /m).map((text) => [text.slice(0, text.indexOf('\n')), text]))
const shared = sections.get('Options of several commands') as string
const commands = createProgram(testContext()).commands.filter((command) => command.name() !== 'help')

describe('docs/cli.md', () => {
  it.each(commands.map((command) => [command.name(), command] as const))('knows the options of %s', (name, command) => {
    const section = sections.get(name)
    expect(section, `there is no section ${name}`).toBeDefined()
    const missing: string[] = []
    for (const { long, envVar, hidden } of command.options) {
      if (hidden || long === undefined || long === null) continue
      const row = [section as string, shared]
        .flatMap((text) => text.split('\n'))
        .find((line) => new RegExp(`^\\| \`${long}[ \`]`).test(line))
      if (row === undefined) missing.push(`${long} of ${name}`)
      else if (envVar !== undefined && !row.includes(`\`${envVar}\``)) missing.push(`${envVar} of ${long} of ${name}`)
    }
    expect(missing).toEqual([])
    expect(page).toMatch(new RegExp(`^\\| .*\\[\`${name}[^\`]*\`\\]\\(#${name}\\)`, 'm'))
  })

  it('names no option that there is not', () => {
    const known = new Set(commands.flatMap((command) => command.options.map(({ long }) => long)))
    const named = [...page.matchAll(/`(--[a-z][a-z-]+)/g)].map(([, option]) => option)
    expect(named.filter((option) => !known.has(option) && option !== '--help')).toEqual([])
  })

  it('names the exit codes', () => {
    for (const code of EXIT_CODES) expect(page).toMatch(new RegExp(`\\b${code}\\s`))
  })
})

describe('docs/cluster.md', () => {
  it('has a job that can be deployed', async () => {
    const files = blocksOf('docs/cluster.md').flatMap(({ info, text }) => {
      const file = /\bfile=(\S+)/.exec(info)?.[1]
      return file === undefined ? [] : [[file, text] as const]
    })
    expect(files.map(([name]) => name)).toEqual(['job.ts', 'millrace.config.ts'])
    using folder = workspace(Object.fromEntries(files))
    const { name, configuration } = await prepareJob(folder.path('job.ts'), {}, testContext())
    expect([name, Object.keys(configuration.sources)]).toEqual(['cities', ['orders']])
  })

  it('names no option that there is not', () => {
    const known = new Set(commands.flatMap((command) => command.options.map(({ long }) => long)))
    const named = [...readFileSync(join(root, 'docs/cluster.md'), 'utf8').matchAll(/(?<![\w-])(--[a-z][a-z-]+)/g)].map(
      ([, option]) => option,
    )
    expect(named.filter((option) => !known.has(option) && !['--rate', '--dir'].includes(option))).toEqual([])
  })
})
