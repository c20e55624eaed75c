/** Checks what a configuration file exports, and says what to do about each mistake. */
import { z } from 'zod'
import type { Configuration } from '../../config.ts'
import { isName, NAME_RULE } from '../../coordinator/names.ts'
import { ImportedDefinition } from '../../operators/import-definition.ts'
import type { InputDefinitions } from '../../operators/input-definition.ts'
import type { Job, OutputDefinitions } from '../../operators/job.ts'
import { didYouMean } from '../../runtime/data/suggest.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { ReplayableSource } from '../../runtime/protocol/replayable-source.ts'
import { addressText, parseAddress } from './address.ts'
import { MAXIMUM_DRAIN_SECONDS, MAXIMUM_PROCESSES, MAXIMUM_TICK, MAXIMUM_WORKERS } from './limits.ts'

const ADDRESS_RULE = 'takes host:port or a port'
const address = z.union([z.string(), z.number()], { error: ADDRESS_RULE }).transform((given, context) => {
  try {
    return addressText(parseAddress(given))
  } catch {
    context.addIssue({ code: 'custom', message: ADDRESS_RULE, input: given })
    return z.NEVER
  }
})

const whole = (least: number, most: number, unit: string): z.ZodNumber => {
  const error = `takes a whole number of ${unit}, ${least} to ${most}`
  return z.number({ error }).int({ error }).min(least, { error }).max(most, { error })
}

const name = z.string({ error: 'takes a text' }).refine(isName, { error: `takes ${NAME_RULE}` })

const source = z.custom<ReplayableSource>(
  (value) => {
    const { kind, partitions, open } = (value ?? {}) as Partial<ReplayableSource>
    return typeof kind === 'string' && typeof partitions === 'function' && typeof open === 'function'
  },
  { error: "is no source. Write files({ path: 'orders.jsonl' }), generated(...) or source(...), of millrace/config" },
)

const shape = {
  sources: z.record(z.string(), source, { error: 'takes an object: a source for each input' }).optional(),
  name: name.optional(),
  group: name.optional(),
  workers: whole(1, MAXIMUM_WORKERS, 'threads').optional(),
  processes: whole(1, MAXIMUM_PROCESSES, 'processes').optional(),
  tick: whole(1, MAXIMUM_TICK, 'milliseconds').optional(),
  listen: address.optional(),
  http: address.optional(),
  admin: address.optional(),
  drainSeconds: whole(0, MAXIMUM_DRAIN_SECONDS, 'seconds').optional(),
} satisfies Record<keyof Configuration, z.ZodType>
const schema = z.strictObject(shape)
const FIELDS = Object.keys(shape)

/** As validated: addresses are `host:port`. */
export interface ValidConfiguration {
  readonly sources: Readonly<Record<string, ReplayableSource>>
  readonly name: string | undefined
  readonly group: string | undefined
  readonly workers: number | undefined
  readonly processes: number | undefined
  readonly tick: number | undefined
  readonly listen: string | undefined
  readonly http: string | undefined
  readonly admin: string | undefined
  readonly drainSeconds: number | undefined
}

/**
 * @param given the default export of the file; undefined if there is no file
 * @param file as messages name it
 * @throws MillraceError CONFIG with all that is wrong
 */
export function validateConfiguration(given: unknown, job: Job<InputDefinitions, OutputDefinitions>, file: string): ValidConfiguration {
  if (typeof given === 'function' || given instanceof Promise)
    throw new MillraceError(
      'CONFIG',
      `The default export of ${file} is a ${typeof given === 'function' ? 'function' : 'promise'}.`,
      'Write: export default defineConfig({ ... })',
    )
  const result = schema.safeParse(given ?? {}, { reportInput: true })
  const problems = result.success ? sourceProblems(result.data.sources ?? {}, job) : result.error.issues.map(issueText)
  if (problems.length > 0) throw new MillraceError('CONFIG', [`${file}:`, ...problems.map((problem) => `  ${problem}`)].join('\n'))
  const { sources = {}, name, group, workers, processes, tick, listen, http, admin, drainSeconds } = result.data as z.infer<typeof schema>
  return { sources, name, group, workers, processes, tick, listen, http, admin, drainSeconds }
}

/** Inputs that only a source could fill, and that have none. */
export function inputsWithoutSource(configuration: ValidConfiguration, job: Job<InputDefinitions, OutputDefinitions>): string[] {
  return fedInputs(job).filter((input) => configuration.sources[input] === undefined)
}

function fedInputs(job: Job<InputDefinitions, OutputDefinitions>): string[] {
  return Object.keys(job.inputs).filter((input) => !(job.inputs[input] instanceof ImportedDefinition))
}

function sourceProblems(sources: Readonly<Record<string, unknown>>, job: Job<InputDefinitions, OutputDefinitions>): string[] {
  const inputs = fedInputs(job)
  return Object.keys(sources).flatMap((input) => {
    if (inputs.includes(input)) return []
    if (Object.hasOwn(job.inputs, input)) return `sources.${input}: this input comes from another job, and takes no source.`
    return `sources.${input}: job ${JSON.stringify(job.name)} has no input ${JSON.stringify(input)} (${inputs.join(', ')}).${didYouMean(input, inputs)}`
  })
}

function issueText(issue: z.core.$ZodIssue): string {
  const path = issue.path.join('.')
  if (issue.code === 'unrecognized_keys')
    return issue.keys
      .map((key) => `There is no field ${JSON.stringify(key)} (${FIELDS.join(', ')}).${didYouMean(key, FIELDS)}`)
      .join('\n  ')
  if (path === '')
    return `takes an object of ${FIELDS.join(', ')}; its default export is ${JSON.stringify(issue.input) ?? 'something else'}.`
  return `${path} ${issue.message}, not ${valueText(issue.input)}.`
}

function valueText(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'object' && value !== null) return 'an object'
  return JSON.stringify(value) ?? String(value)
}
