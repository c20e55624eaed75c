/** The Dockerfile by the rules of hadolint that matter here, and what compose starts by our own command line. */
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { parseCommandLine } from './command-line.ts'

const root = new URL('../../', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8')

interface Instruction {
  readonly name: string
  readonly text: string
}

/** Instructions of a Dockerfile, with continued lines joined and comments left out. */
function instructions(text: string): Instruction[] {
  const lines = text.split('\n').filter((line) => !/^\s*#/.test(line))
  return lines
    .join('\n')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => ({ name: (/^(\S+)/.exec(line) as RegExpExecArray)[1], text: line.replace(/^\S+\s+/, '').trim() }))
}

/** One line an offence, each with hadolint's number where it has one. */
function lint(text: string): string[] {
  const all = instructions(text)
  const offences: string[] = []
  const known = 'FROM WORKDIR COPY RUN ENV USER EXPOSE HEALTHCHECK ENTRYPOINT CMD ARG LABEL STOPSIGNAL VOLUME SHELL ADD'.split(' ')
  for (const { name } of all) if (!known.includes(name)) offences.push(`${name} is no instruction`)
  const stages: Instruction[][] = []
  const names = new Set<string>()
  for (const one of all) {
    if (one.name === 'FROM') stages.push([])
    stages.at(-1)?.push(one)
  }
  for (const { name, text } of all) {
    if (name === 'FROM') {
      const [, image, alias] = /^(\S+)(?:\s+AS\s+(\S+))?$/i.exec(text) ?? []
      const [, tag] = /:([^/]+)$/.exec(image.replace(/@.*/, '')) ?? []
      if (tag === undefined && !names.has(image)) offences.push(`DL3006 ${image} has no tag`)
      if (tag === 'latest') offences.push(`DL3007 ${image}`)
      if (tag !== undefined && !/^\d+\.\d+\.\d+/.test(tag)) offences.push(`${image} is not pinned to a version`)
      if (alias !== undefined) names.add(alias)
    }
    if (name === 'ADD') offences.push('DL3020 COPY instead of ADD')
    if (name === 'WORKDIR' && !text.startsWith('/')) offences.push(`DL3000 ${text} is not absolute`)
    if (name === 'RUN' && /\bsudo\b/.test(text)) offences.push('DL3004 sudo')
    if (name === 'RUN' && /\bcd\s/.test(text)) offences.push('DL3003 cd instead of WORKDIR')
    if (name === 'RUN' && /apt-get\s+(?:upgrade|install)(?!.*--no-install-recommends)/.test(text)) offences.push('DL3015 apt-get install')
    if (name === 'RUN' && /npm\s+install\b/.test(text)) offences.push('npm install instead of npm ci')
    if (name === 'COPY' && /\s--from=(\S+)/.test(` ${text}`)) {
      const from = (/--from=(\S+)/.exec(text) as RegExpExecArray)[1]
      if (!names.has(from)) offences.push(`DL3022 there is no stage ${from}`)
    }
    if ((name === 'CMD' || name === 'ENTRYPOINT') && !text.startsWith('[')) offences.push(`DL3025 ${name} is not a JSON array`)
    if ((name === 'ENV' || name === 'ARG') && /token|password|secret|key/i.test(text)) offences.push(`${name} ${text}: a secret in a layer`)
  }
  const last = stages.at(-1) ?? []
  const user = last.filter(({ name }) => name === 'USER').at(-1)?.text
  if (user === undefined) offences.push('DL3002 the last user is root')
  else if (!/^[1-9]\d*(?::[1-9]\d*)?$/.test(user)) offences.push(`USER ${user}: by number, so that runAsNonRoot can be checked`)
  const afterUser = last.slice(last.findIndex(({ name }) => name === 'USER'))
  if (afterUser.some(({ name }) => name === 'RUN' || name === 'COPY')) offences.push('what follows USER writes as that user')
  if (last.filter(({ name }) => name === 'HEALTHCHECK').length !== 1) offences.push('DL3012 one HEALTHCHECK')
  for (const name of ['CMD', 'ENTRYPOINT']) if (last.filter((one) => one.name === name).length > 1) offences.push(`DL4003 several ${name}`)
  if (stages.length < 2) offences.push('what builds is in the image')
  return offences
}

const dockerfile = read('ops/Dockerfile')

describe('Dockerfile', () => {
  test('is clean', () => {
    expect(lint(dockerfile)).toEqual([])
  })

  test.each([
    [/node:20\.\d+\.\d+-bookworm-slim$/m, 'node', 'DL3006 node has no tag'],
    [/node:20\.\d+\.\d+-bookworm-slim$/m, 'node:latest', 'DL3007 node:latest'],
    [/node:20\.\d+\.\d+-bookworm-slim$/m, 'node:20-slim', 'node:20-slim is not pinned to a version'],
    [/^USER .*$/m, '', 'DL3002 the last user is root'],
    [/^USER .*$/m, 'USER node', 'USER node: by number, so that runAsNonRoot can be checked'],
    [/^HEALTHCHECK.*\\\n.*$/m, '', 'DL3012 one HEALTHCHECK'],
    [/^COPY \. \./m, 'ADD . .', 'DL3020 COPY instead of ADD'],
    [/^ENTRYPOINT .*$/m, 'ENTRYPOINT node cli.js', 'DL3025 ENTRYPOINT is not a JSON array'],
    [/npm ci/, 'npm install', 'npm install instead of npm ci'],
    [/--from=build/, '--from=builder', 'DL3022 there is no stage builder'],
  ])('with %s replaced by %j it is not', (pattern, replacement, offence) => {
    expect(dockerfile).toMatch(pattern)
    expect(lint(dockerfile.replace(pattern, replacement))).toContain(offence)
  })

  test('runs a Node that the package supports, on files that the build makes', () => {
    const { engines, bin } = JSON.parse(read('package.json')) as { engines: { node: string }; bin: { millrace: string } }
    const [, major, minor] = /node:(\d+)\.(\d+)\./.exec(dockerfile) as RegExpExecArray
    const [, least, leastMinor] = /^>=(\d+)\.(\d+)$/.exec(engines.node) as RegExpExecArray
    expect(Number(major) * 1000 + Number(minor)).toBeGreaterThanOrEqual(Number(least) * 1000 + Number(leastMinor))
    const entrypoint = JSON.parse((/^ENTRYPOINT (.*)$/m.exec(dockerfile) as RegExpExecArray)[1]) as string[]
    expect(entrypoint.at(-1)).toBe(bin.millrace.replace('./', '/millrace/'))
    for (const { name, text } of instructions(dockerfile))
      if (name === 'COPY' && !text.startsWith('--from'))
        for (const source of text.split(/\s+/).slice(0, -1)) expect(existsSync(new URL(source, root)), source).toBe(true)
  })

  test('what it copies is not ignored, and secrets are', () => {
    const ignored = read('.dockerignore').split('\n')
    for (const path of ['package.json', 'cli', 'runtime', 'scripts', 'examples', 'LICENSE']) expect(ignored).not.toContain(path)
    for (const pattern of ['**/node_modules', '.git', '**/*token*.txt', '**/*.pem', '**/*.key']) expect(ignored).toContain(pattern)
  })
})

const service = z
  .object({
    image: z.string(),
    build: z.object({ context: z.string(), dockerfile: z.string() }).strict().optional(),
    command: z.array(z.string()).optional(),
    entrypoint: z.array(z.string()).optional(),
    environment: z.record(z.string(), z.string()).optional(),
    read_only: z.literal(true),
    tmpfs: z.array(z.string()).optional(),
    cap_drop: z.tuple([z.literal('ALL')]),
    security_opt: z.tuple([z.literal('no-new-privileges:true')]),
    secrets: z.array(z.string()).optional(),
    restart: z.enum(['no', 'on-failure', 'unless-stopped']).optional(),
    stop_grace_period: z.string().optional(),
    volumes: z.array(z.string()).optional(),
    ports: z.array(z.string().regex(/^127\.0\.0\.1:\d+:\d+$/, 'published on loopback only')).optional(),
    mem_limit: z.string().regex(/^\d+[mg]$/),
    profiles: z.array(z.string()).optional(),
    healthcheck: z.object({ disable: z.boolean() }).strict().optional(),
    depends_on: z
      .record(
        z.string(),
        z.object({ condition: z.enum(['service_healthy', 'service_started', 'service_completed_successfully']) }).strict(),
      )
      .optional(),
  })
  .strict()

const compose = z
  .object({
    name: z.string(),
    services: z.record(z.string(), service),
    volumes: z.record(z.string(), z.null()),
    secrets: z.record(z.string(), z.object({ file: z.string() }).strict()),
    'x-millrace': z.unknown(),
    'x-worker': z.unknown(),
  })
  .strict()

describe('compose.yml', () => {
  const { services, volumes, secrets } = compose.parse(parse(read('ops/compose.yml'), { merge: true }))
  const ofMillrace = Object.entries(services).filter(([, one]) => one.image === 'millrace' && one.entrypoint === undefined)

  test('a coordinator, three workers of two threads, a generator', () => {
    const workers = ofMillrace
      .filter(([, { command }]) => command?.[0] === 'worker')
      .map(([name, { command = [] }]) => ({ name, ...parseCommandLine(command) }))
    expect(workers).toHaveLength(3)
    for (const { name, options } of workers) {
      expect(options).toMatchObject({ name, workers: 2, advertise: `http://${name}:7401`, join: ['http://coordinator:7400'] })
      // The health check asks the admin port that the command opens.
      expect(`http://127.0.0.1:${String(options['admin']).split(':')[1]}/livez`).toBe(services[name].environment?.['MILLRACE_HEALTH_URL'])
    }
    expect(services['generator'].command).toContain('--dir=/logs')
  })

  test.each(ofMillrace)('%s: our command line takes its command', (_, { command = [] }) => {
    const { command: name, options } = parseCommandLine(command)
    expect(['coordinator', 'worker', 'deploy']).toContain(name)
    expect(options['tokenFile']).toBe('/run/secrets/millrace-token')
    expect(JSON.stringify(command)).not.toMatch(/--token[= ]/)
  })

  test('the check of commands finds a wrong one', () => {
    expect(() => parseCommandLine(['worker', '--wrokers=2'])).toThrow(/wrokers/)
    expect(() => parseCommandLine(['worker', '--workers=none'])).toThrow(/whole number/)
  })

  test('services, volumes and secrets that are named are there', () => {
    for (const one of Object.values(services)) {
      for (const name of Object.keys(one.depends_on ?? {})) expect(Object.keys(services)).toContain(name)
      for (const secret of one.secrets ?? []) expect(Object.keys(secrets)).toContain(secret)
      for (const volume of one.volumes ?? []) {
        const [source] = volume.split(':')
        if (source.startsWith('.')) expect(existsSync(new URL(`ops/${source}`, root)), source).toBe(true)
        else expect(Object.keys(volumes)).toContain(source)
      }
    }
    for (const name of Object.keys(volumes))
      expect(Object.values(services).some((one) => one.volumes?.some((volume) => volume.startsWith(`${name}:`)))).toBe(true)
  })

  test('what is asked to write can: a volume where the root is read-only, made in the image for its user', () => {
    const store = parseCommandLine(services['coordinator'].command ?? []).options['store'] as string
    const folder = store.replace('local:', '')
    expect(services['coordinator'].volumes).toContain(`facts:${folder}`)
    expect(dockerfile).toMatch(new RegExp(`install -d -o 10001 -g 10001 .*${folder}`))
  })

  test('programs and jobs that it names are built', () => {
    const built = [...(services['generator'].entrypoint ?? []), ...(services['deploy'].command ?? [])].filter((one) =>
      one.startsWith('/millrace/dist/'),
    )
    expect(built).toHaveLength(2)
    for (const path of built)
      expect(existsSync(new URL(path.replace('/millrace/dist/', '').replace(/\.js$/, '.ts'), root)), path).toBe(true)
  })

  test('Prometheus scrapes the admin ports that are opened, with our rules', () => {
    const prometheus = parse(read('ops/prometheus.yml')) as {
      rule_files: string[]
      scrape_configs: { static_configs: { targets: string[] }[] }[]
    }
    const targets = prometheus.scrape_configs.flatMap(({ static_configs }) => static_configs.flatMap((one) => one.targets))
    const opened = ofMillrace.flatMap(([name, { command = [] }]) => {
      const { admin } = parseCommandLine(command).options
      return admin === undefined ? [] : [`${name}:${String(admin).split(':')[1]}`]
    })
    expect(targets.sort()).toEqual(opened.sort())
    expect(services['prometheus'].volumes).toContain(`./alerts.yml:${prometheus.rule_files[0]}:ro`)
  })
})
