import { describe, expect, it } from 'vitest'
import { addressText, isLoopback, parseAddress, parseUrls } from '../../cli/configuration/address.ts'
import { inputsWithoutSource, validateConfiguration } from '../../cli/configuration/validate.ts'
import { defineConfig, type ReplayableSource } from '../../config.ts'
import { imported, int32, job, table, text } from '../../millrace.ts'
import { MillraceError } from '../../runtime/error.ts'

const shop = job(
  'shop',
  {
    orders: table({ id: int32, city: text }, { key: 'id' }),
    cities: table({ city: text }),
    prices: imported({ id: int32, price: int32 }, { key: 'id' }),
  },
  ({ orders, cities }) => ({ orders, cities }),
)
const source: ReplayableSource = { kind: 'none', partitions: async () => ['all'], open: () => Promise.reject(new Error('not opened')) }

/** What is said of a configuration, a line each. */
function problems(given: unknown): string[] {
  try {
    validateConfiguration(given, shop, 'millrace.config.ts')
  } catch (error) {
    expect(error).toBeInstanceOf(MillraceError)
    expect((error as MillraceError).code).toBe('CONFIG')
    const [first, ...rest] = (error as MillraceError).message.split('\n')
    return first === 'millrace.config.ts:' ? rest.map((line) => line.trim()) : [first, ...rest]
  }
  return []
}

describe('types', () => {
  it('of sources are those of the inputs', () => {
    defineConfig<typeof shop>({ sources: { orders: source, cities: source } })
    defineConfig<typeof shop>({ sources: { orders: source } })
    defineConfig<typeof shop>({
      name: 'a',
      group: 'b',
      workers: 2,
      processes: 3,
      tick: 50,
      listen: 7400,
      http: '[::1]:80',
      admin: ':9',
      drainSeconds: 3,
    })
    // @ts-expect-error there is no input order
    defineConfig<typeof shop>({ sources: { order: source } })
    // @ts-expect-error an input of another job takes no source
    defineConfig<typeof shop>({ sources: { prices: source } })
    // @ts-expect-error a path is no source
    defineConfig<typeof shop>({ sources: { orders: 'orders.jsonl' } })
    // @ts-expect-error there is no field worker
    defineConfig<typeof shop>({ worker: 2 })
    // @ts-expect-error a number
    defineConfig<typeof shop>({ workers: '2' })
    expect(defineConfig<typeof shop>({ workers: 2 })).toEqual({ workers: 2 })
  })
})

describe('a configuration file', () => {
  it('may say anything that there is, or nothing', () => {
    const all = {
      sources: { orders: source },
      name: 'a',
      group: 'b',
      workers: 2,
      processes: 3,
      tick: 50,
      listen: 7400,
      http: '[::1]:80',
      admin: ':9',
      drainSeconds: 0,
    }
    expect(validateConfiguration(all, shop, 'f')).toEqual({ ...all, listen: '127.0.0.1:7400', admin: '127.0.0.1:9' })
    expect(validateConfiguration(undefined, shop, 'f').sources).toEqual({})
  })

  it('knows the inputs that stay empty', () => {
    expect(inputsWithoutSource(validateConfiguration({ sources: { orders: source } }, shop, 'f'), shop)).toEqual(['cities'])
  })

  it('has no other fields', () => {
    const fields = 'sources, name, group, workers, processes, tick, listen, http, admin, drainSeconds'
    expect(problems({ worker: 2, zzz: 1 })).toEqual([
      `There is no field "worker" (${fields}). Did you mean "workers"?`,
      `There is no field "zzz" (${fields}).`,
    ])
  })

  it('has values of the right types', () => {
    expect(problems({ workers: '2' })).toEqual(['workers takes a whole number of threads, 1 to 256, not "2".'])
    expect(problems({ workers: 0, processes: 1.5, tick: Number.NaN, drainSeconds: -1 })).toEqual([
      'workers takes a whole number of threads, 1 to 256, not 0.',
      'processes takes a whole number of processes, 1 to 64, not 1.5.',
      'tick takes a whole number of milliseconds, 1 to 60000, not null.',
      'drainSeconds takes a whole number of seconds, 0 to 3600, not -1.',
    ])
    expect(problems({ name: 'my job' })).toEqual([
      'name takes letters, digits, and between them dots, dashes and underscores, at most 63, not "my job".',
    ])
    expect(problems({ listen: 'here' })).toEqual(['listen takes host:port or a port, not "here".'])
    expect(problems({ admin: {} })).toEqual(['admin takes host:port or a port, not an object.'])
  })

  it('has sources that are sources, of inputs that there are', () => {
    expect(problems({ sources: { orders: 'a.jsonl' } })).toEqual([
      `sources.orders is no source. Write files({ path: 'orders.jsonl' }), generated(...) or source(...), of millrace/config, not "a.jsonl".`,
    ])
    expect(problems({ sources: [source] })).toEqual(['sources takes an object: a source for each input, not an object.'])
    expect(problems({ sources: { order: source, prices: source } })).toEqual([
      'sources.order: job "shop" has no input "order" (orders, cities). Did you mean "orders"?',
      'sources.prices: this input comes from another job, and takes no source.',
    ])
  })

  it('exports an object', () => {
    expect(problems(7)[0]).toMatch(/^takes an object of sources, .*; its default export is 7\.$/)
    expect(problems(() => ({}))[0]).toBe('The default export of millrace.config.ts is a function.')
    expect(problems(Promise.resolve({}))[0]).toBe('The default export of millrace.config.ts is a promise.')
  })
})

describe('addresses', () => {
  it('are host and port', () => {
    expect(parseAddress('db-1.example:7400')).toEqual({ host: 'db-1.example', port: 7400 })
    expect(parseAddress('[::1]:7400')).toEqual({ host: '::1', port: 7400 })
    expect(parseAddress(':7400', '0.0.0.0')).toEqual({ host: '0.0.0.0', port: 7400 })
    expect(parseAddress(0)).toEqual({ host: '127.0.0.1', port: 0 })
    expect(addressText({ host: '::1', port: 1 })).toBe('[::1]:1')
    for (const wrong of ['', 'host', 'host:', 'host:70000', '::1:80', 'http://a:80', 'a:80/x', '-1', 'a b:80', '1.5'])
      expect(() => parseAddress(wrong), wrong).toThrow(/is no address/)
  })

  it('of this machine only', () => {
    for (const host of ['localhost', '127.0.0.1', '127.8.8.8', '::1']) expect(isLoopback(host), host).toBe(true)
    for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.example.org', 'localhost.example']) expect(isLoopback(host), host).toBe(false)
  })

  it('of coordinators', () => {
    expect(parseUrls('http://a:1, https://b')).toEqual(['http://a:1', 'https://b'])
    expect(parseUrls('127.0.0.1:7400')).toEqual(['http://127.0.0.1:7400'])
    expect(() => parseUrls(' , ')).toThrow(/There is no URL/)
    expect(() => parseUrls('http://:secret@a')).toThrow(/must not hold a password/)
    expect(() => parseUrls('http://:secret@a')).not.toThrow(/:secret/)
    expect(() => parseUrls('ftp://a')).toThrow(/is not http or https/)
    expect(() => parseUrls('http://a/b')).toThrow(/has a path.\n {2}Write http:\/\/a\./)
    expect(() => parseUrls('http://a:99999')).toThrow(/is no URL/)
  })
})
