/**
 * Metadata in Postgres, for coordinators on several machines. The database's clock decides when a lease expires; each write takes the row
 * of the lease and compares the epoch in its own transaction, so that a leader that lost it writes nothing.
 */
import pg from 'pg'
import { MillraceError } from '../../runtime/error.ts'
import { fenced } from './fact-log.ts'
import type { Fact, Holder, Lease, MetadataStore } from './metadata-store.ts'

const CONNECTIONS = 2
const TIMEOUT_MILLISECONDS = 5000

const TABLES = `
  create table if not exists millrace_lease (
    cluster text primary key, epoch bigint not null, holder text not null, url text not null, expires timestamptz not null);
  create table if not exists millrace_fact (
    cluster text not null, key text not null, value bytea not null, primary key (cluster, key));`

/** Two that create a table at one time: the loser gets one of these, and finds the table there. */
const CREATED_MEANWHILE = new Set(['23505', '42P07'])

interface LeaseRow {
  readonly epoch: string
  readonly holder: string
  readonly url: string
}

export interface PostgresStoreOptions {
  /** `postgres://user:password@host/database` */
  readonly url: string
  /** Facts of several clusters may be in one database. */
  readonly cluster: string
}

export class PostgresStore implements MetadataStore {
  private readonly pool: pg.Pool
  private readonly cluster: string
  private hasTables = false

  constructor({ url, cluster }: PostgresStoreOptions) {
    this.cluster = cluster
    this.pool = new pg.Pool({
      connectionString: url,
      max: CONNECTIONS,
      connectionTimeoutMillis: TIMEOUT_MILLISECONDS,
      query_timeout: TIMEOUT_MILLISECONDS,
      application_name: `millrace ${cluster}`,
    })
    // A connection that breaks while nobody uses it: the next query opens another.
    this.pool.on('error', () => undefined)
  }

  async acquire({ id, url }: Holder, milliseconds: number): Promise<Lease | null> {
    await this.makeTables()
    const { rows } = await this.query<LeaseRow>(
      `insert into millrace_lease as held values ($1, 1, $2, $3, now() + $4 * interval '1 millisecond')
       on conflict (cluster) do update set epoch = held.epoch + 1, holder = $2, url = $3, expires = excluded.expires
       where held.expires < now() or held.holder = $2
       returning epoch`,
      [this.cluster, id, url, milliseconds],
    )
    return rows.length === 0 ? null : { holder: { id, url }, epoch: Number(rows[0].epoch) }
  }

  async renew({ epoch }: Lease, milliseconds: number): Promise<boolean> {
    const { rowCount } = await this.query(
      `update millrace_lease set expires = now() + $3 * interval '1 millisecond' where cluster = $1 and epoch = $2`,
      [this.cluster, epoch, milliseconds],
    )
    return rowCount === 1
  }

  async release({ epoch }: Lease): Promise<void> {
    await this.query('update millrace_lease set expires = to_timestamp(0) where cluster = $1 and epoch = $2', [this.cluster, epoch])
  }

  async leader(): Promise<Holder | null> {
    await this.makeTables()
    const { rows } = await this.query<LeaseRow>('select * from millrace_lease where cluster = $1 and expires >= now()', [this.cluster])
    return rows.length === 0 ? null : { id: rows[0].holder, url: rows[0].url }
  }

  async read(key: string): Promise<Uint8Array | null> {
    await this.makeTables()
    const { rows } = await this.query<{ value: Uint8Array }>('select value from millrace_fact where cluster = $1 and key = $2', [
      this.cluster,
      key,
    ])
    return rows[0]?.value ?? null
  }

  async list(prefix: string): Promise<string[]> {
    await this.makeTables()
    const { rows } = await this.query<{ key: string }>('select key from millrace_fact where cluster = $1 and starts_with(key, $2)', [
      this.cluster,
      prefix,
    ])
    return rows.map(({ key }) => key).sort()
  }

  async write({ epoch }: Lease, facts: readonly Fact[]): Promise<void> {
    const client = await this.connected()
    let isBroken = true
    try {
      await client.query('begin')
      // The lock on the row makes an acquisition wait until this is committed, or this wait for it and see it.
      const { rows } = await client.query<LeaseRow>('select epoch from millrace_lease where cluster = $1 for share', [this.cluster])
      if (rows.length === 0 || Number(rows[0].epoch) !== epoch) {
        await client.query('rollback')
        isBroken = false
        throw fenced(epoch)
      }
      const kept = facts.filter(({ value }) => value !== null)
      const removed = facts.filter(({ value }) => value === null)
      for (const { key, value } of kept) {
        await client.query(
          'insert into millrace_fact values ($1, $2, $3) on conflict (cluster, key) do update set value = excluded.value',
          [this.cluster, key, value],
        )
      }
      if (removed.length > 0)
        await client.query('delete from millrace_fact where cluster = $1 and key = any($2)', [this.cluster, removed.map(({ key }) => key)])
      await client.query('commit')
      isBroken = false
    } catch (error) {
      throw storeError(error)
    } finally {
      // Closed rather than used again: what its transaction did is unknown.
      client.release(isBroken)
    }
  }

  async close(): Promise<void> {
    await this.pool.end()
  }

  private async makeTables(): Promise<void> {
    if (this.hasTables) return
    try {
      await this.pool.query(TABLES)
    } catch (error) {
      if (!CREATED_MEANWHILE.has(String((error as { code?: string }).code))) throw storeError(error)
    }
    this.hasTables = true
  }

  private async connected(): Promise<pg.PoolClient> {
    try {
      return await this.pool.connect()
    } catch (error) {
      throw storeError(error)
    }
  }

  private async query<R extends pg.QueryResultRow>(text: string, values: readonly unknown[]): Promise<pg.QueryResult<R>> {
    try {
      return await this.pool.query<R>(text, [...values])
    } catch (error) {
      throw storeError(error)
    }
  }
}

function storeError(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new MillraceError('STORE', `the metadata store in Postgres: ${message}`, 'Look at --store and whether the server is up.', {
    cause: error,
  })
}
