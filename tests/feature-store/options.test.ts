/** The command line of the feature store. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { parseOptions, UsageError } from '../../examples/feature-store/options.ts'

const directory = mkdtempSync(join(tmpdir(), 'millrace-options-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const accounts = join(directory, 'accounts.jsonl')
writeFileSync(accounts, '')

test('without options logs are generated into a temporary directory, and the server is this machine’s only', () => {
  expect(parseOptions([])).toEqual({
    logs: null,
    generator: {
      directory: null,
      overwrite: false,
      format: 'jsonl',
      passed: ['--rate', '1000', '--seed', '1', '--rotate-every', '0', '--truncate-every', '0', '--format', 'jsonl'],
    },
    once: false,
    at: null,
    port: null,
    host: '127.0.0.1',
    duration: Number.POSITIVE_INFINITY,
    quiet: false,
  })
  expect(parseOptions(['--help', '--port', 'x'])).toBeNull()
})

test('files to follow may come later; their directory may not', () => {
  const frauds = join(directory, 'frauds.csv')
  expect(parseOptions(['--accounts', accounts, '--frauds', frauds])?.logs).toEqual({ accounts, frauds })
  writeFileSync(frauds, '')
  expect(parseOptions(['--once', '--dir', directory, '--at', '2026-01-31T00:00:00Z'])).toMatchObject({
    logs: { accounts, frauds },
    at: Date.UTC(2026, 0, 31) * 1000,
  })
  rmSync(frauds)
})

test.each<[string[], RegExp]>([
  [['--prot', '1'], /^Unknown option '--prot'\.$/],
  [['extra'], /^Unexpected argument 'extra'/],
  [['--port', 'http'], /--port takes a number from 0 to 65535, not "http"/],
  [['--port', '80.5'], /--port takes a whole number, not "80\.5"/],
  [['--port', '70000'], /--port takes a number from 0 to 65535/],
  [['--rate', '0'], /--rate takes a number/],
  [['--duration', ''], /--duration takes a number/],
  [['--format', 'xml'], /--format takes jsonl or csv, not "xml"/],
  [['--accounts', accounts], /--accounts and --frauds go together/],
  [['--accounts', accounts, '--frauds', join(directory, 'no', 'frauds.jsonl')], /--frauds: there is no directory .*no/],
  [['--accounts', accounts, '--frauds', directory], /--frauds takes a file named/],
  [['--accounts', accounts, '--frauds', accounts, '--dir', directory], /--dir is where logs are generated/],
  [['--once'], /--once reads files that are there/],
  [['--once', '--dir', directory], /there is no frauds\.jsonl or frauds\.csv/],
  [['--once', '--accounts', accounts, '--frauds', join(directory, 'frauds.jsonl')], /there is no file/],
  [['--at', '2026-01-01T00:00:00Z'], /--at goes with --once/],
  [['--once', '--dir', directory, '--at', 'noon'], /no frauds|--at takes a time/],
])('%j is a mistake', (args, message) => {
  expect(() => parseOptions(args)).toThrow(UsageError)
  expect(() => parseOptions(args)).toThrow(message)
})
