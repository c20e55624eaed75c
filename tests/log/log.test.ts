import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nodeLog } from '../../runtime/env/node-log.ts'
import { MillraceError } from '../../runtime/error.ts'
import { createLog, type LogRecord, silentLog } from '../../runtime/log/log.ts'
import { prettyLine } from '../../runtime/log/pretty-log.ts'
import { REDACTED, Redactor } from '../../runtime/log/redact.ts'
import '../property-seed.ts'

const TOKEN = 'hunter2-hunter2'

function memoryLog(level?: 'debug' | 'warn', secrets: string[] = [TOKEN]) {
  const records: LogRecord[] = []
  const redactor = new Redactor(secrets)
  return {
    records,
    redactor,
    log: createLog({ sink: (record) => records.push(record), redactor, ...(level === undefined ? {} : { level }) }),
  }
}

describe('levels and fields', () => {
  test('below the level nothing is written', () => {
    const { records, log } = memoryLog('warn')
    log.debug('a')
    log.info('b')
    log.warn('c')
    log.error('d')
    expect(records.map(({ level }) => level)).toEqual(['warn', 'error'])
    expect([log.isEnabled('info'), log.isEnabled('warn')]).toEqual([false, true])
    silentLog.with({ a: 1 }).error('nowhere')
  })

  test('fields of a child come with all its records, the later ones win', () => {
    const { records, log } = memoryLog()
    log.with({ process: 'a', generation: 1 }).with({ generation: 2 }).info('joined', { peer: 'b' })
    log.info('plain')
    expect(records.map(({ fields }) => fields)).toEqual([{ process: 'a', generation: 2, peer: 'b' }, {}])
  })

  test('whatever is given comes out as JSON, and nothing throws', () => {
    const { records, log } = memoryLog()
    const cycle: Record<string, unknown> = {}
    cycle['self'] = cycle
    const thrower = {
      get bad(): never {
        throw new Error('no')
      },
    }
    log.info('odd', {
      cycle,
      thrower,
      big: 5n,
      nan: Number.NaN,
      bytes: new Uint8Array(9),
      map: new Map([[1, 2]]),
      fn: () => 1,
      at: new Date(0),
    })
    const { fields } = records[0]
    expect(JSON.parse(JSON.stringify(fields))).toMatchObject({
      thrower: { bad: '[unreadable]' },
      big: '5',
      nan: 'NaN',
      bytes: '[9 bytes]',
      map: '[Map of 1]',
      fn: '[function]',
      at: '1970-01-01T00:00:00.000Z',
    })
    log.info('long', { list: Array.from({ length: 1000 }, (_, i) => i), text: 'x'.repeat(100_000) })
    expect(JSON.stringify(records[1]).length).toBeLessThan(6000)
  })

  test('an error has its code, cause and stack', () => {
    const { records, log } = memoryLog()
    log.error('failed', { error: new MillraceError('SOURCE', 'cannot read', 'Look.', { cause: new Error('ENOENT') }) })
    expect(records[0].fields['error']).toMatchObject({
      name: 'MillraceError',
      code: 'SOURCE',
      message: 'cannot read\n  Look.',
      cause: { message: 'ENOENT' },
      stack: expect.stringContaining('log.test.ts'),
    })
  })
})

describe('secrets', () => {
  test.each([
    ['token', 'x'],
    ['joinToken', 'x'],
    ['join_token', 'x'],
    ['API_KEY', 'x'],
    ['key', 'x'],
    ['tlsKey', 'x'],
    ['password', 'x'],
    ['authorization', 'Basic x'],
    ['key', new Uint8Array(3)],
    ['credentials', { user: 'a' }],
  ])('a field named %s is not written', (name, value) => {
    const { records, log } = memoryLog()
    log.info('a', { deep: { [name]: value } })
    expect(records[0].fields).toEqual({ deep: { [name]: REDACTED } })
  })

  test.each(['keys', 'tokenCount', 'monkey', 'keyed', 'generation'])('a field named %s is', (name) => {
    const { records, log } = memoryLog()
    log.info('a', { [name]: 'seen' })
    expect(records[0].fields[name]).toBe('seen')
  })

  test('numbers and flags under such names say nothing secret', () => {
    const { records, log } = memoryLog()
    log.info('a', { tokens: 3, token: true, key: null })
    expect(records[0].fields).toEqual({ tokens: 3, token: true, key: null })
  })

  test.each([
    ['Authorization: Bearer abc.def-123', 'Authorization: Bearer [redacted]'],
    ['postgres://me:s3cret@db:5432/x', 'postgres://me:[redacted]@db:5432/x'],
    ['http://host/?token=abc&x=1', 'http://host/?token=[redacted]&x=1'],
    ['MILLRACE_TOKEN=abcdef', 'MILLRACE_TOKEN=[redacted]'],
    ['-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----', REDACTED],
    ['-----BEGIN EC PRIVATE KEY-----\nMIIE', REDACTED],
    ['the token is missing or wrong', 'the token is missing or wrong'],
    ['http://host:8080/path', 'http://host:8080/path'],
  ])('%s', (text, expected) => {
    expect(new Redactor().text(text)).toBe(expected)
  })

  test('property: the secrets of this process turn up nowhere, however they are wrapped', () => {
    const wrap = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.tuple(fc.string(), fc.string()).map(([a, b]) => `${a}${TOKEN}${b}`),
        fc.constant(new Error(`cannot connect with ${TOKEN}`, { cause: new Error(TOKEN) })),
        fc.constant(encodeURIComponent('p&ss "word"')),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.string(), tie('value'), { maxKeys: 3 }),
      ),
    })).value
    fc.assert(
      fc.property(fc.string(), fc.dictionary(fc.string(), wrap), (message, fields) => {
        const { records, log } = memoryLog('debug', [TOKEN, 'p&ss "word"'])
        log.info(`${message} ${TOKEN}`, fields)
        const written = JSON.stringify(records[0])
        expect(written).not.toContain(TOKEN)
        expect(written).not.toContain(encodeURIComponent('p&ss "word"'))
      }),
    )
  })

  test('a secret inside another is cut with it; short ones are not searched for', () => {
    const redactor = new Redactor(['abcdef', 'abcdefgh', 'no', null, undefined])
    expect(redactor.text('abcdefgh abcdef no')).toBe(`${REDACTED} ${REDACTED} no`)
  })
})

describe('on Node', () => {
  test('JSON lines with the names that the documentation gives', () => {
    const lines: string[] = []
    const log = nodeLog({ format: 'json', write: (line) => lines.push(line), redactor: new Redactor([TOKEN]), level: 'debug' })
    log.with({ process: 'a' }).warn(`lost ${TOKEN}`, { generation: 4, error: new MillraceError('FENCED', 'late') })
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0])).toMatchObject({
      level: 'warn',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      pid: process.pid,
      host: expect.any(String),
      message: `lost ${REDACTED}`,
      process: 'a',
      generation: 4,
      error: { code: 'FENCED', message: 'late' },
    })
  })

  test('lines for people: one each, without what could move the cursor', () => {
    const record: LogRecord = {
      level: 'error',
      message: 'bad\nline',
      fields: {
        file: '\x1b[2Jx',
        n: 5,
        error: { name: 'Error', message: 'no', code: 'SOURCE', stack: 'Error: no\n    at here\n    at there' },
      },
    }
    expect(prettyLine(record, 0, false)).toBe(
      '00:00:00.000 error bad\\x0aline file=\\x1b[2Jx n=5 error=SOURCE: no\n    at here\n    at there\n',
    )
    expect(prettyLine(record, 0, true)).toContain('\x1b[31merror\x1b[0m')
  })
})
