/** The fluent face of a plan: each method makes one node, and says where in the user's program it was made. */
import type { Columns, RowOf } from '../runtime/data/schema.ts'
import { MillraceError } from '../runtime/error.ts'
import { aggregate } from './aggregate.ts'
import { located } from './call-site.ts'
import { concat } from './concat.ts'
import { consolidate } from './consolidate.ts'
import { distinct } from './distinct.ts'
import { antijoin, join, leftJoin, nullableSchema, outerJoin, rightJoin, semijoin } from './equi-join.ts'
import { type AggregatedColumns, type Aggregates, aggregateSchema } from './expression/aggregate.ts'
import type { Expression } from './expression/expression.ts'
import type { Typed } from './expression/kinds.ts'
import { OrderBy } from './expression/order-by.ts'
import { proxyRow, type RowExpressions } from './expression/proxy-row.ts'
import { type SelectedColumns, type Selection, selectionSchema } from './expression/selection.ts'
import { filter } from './filter.ts'
import { filterRows } from './filter-rows.ts'
import { flatMap } from './flat-map.ts'
import { IndexedOutput } from './indexed-output.ts'
import { type Inspect, inspect } from './inspect.ts'
import { type IterateOptions, iterate } from './iterate.ts'
import {
  type AnyJoinKeys,
  type Joined,
  type JoinKeys,
  keyPairs,
  type LeftJoined,
  type NullableColumns,
  type OuterJoined,
  type RightJoined,
  type Unambiguous,
} from './join-keys.ts'
import { map } from './map.ts'
import { negate } from './negate.ts'
import type { RowChange } from './output.ts'
import { Changelog, Probed } from './output-definition.ts'
import type { PlanNode } from './plan.ts'
import { positionsOf } from './plan-columns.ts'
import { type Reduce, reduce } from './reduce.ts'
import { select } from './select.ts'
import { threshold } from './threshold.ts'
import { type TopOptions, topK } from './top-k.ts'
import { validBetween, validFor } from './valid-between.ts'

type Condition = Expression<boolean | null, 'bool'> | Expression<boolean, 'bool'>

type Entry = (...parameters: never[]) => unknown
type AnyProjection = (mine: never, theirs: never) => Selection

/** A change as it passes an operator: not summed up yet; inside a loop the time is an id. */
export interface InspectedChange<R> {
  readonly time: number
  readonly row: R
  readonly diff: number
}

/** A time of a row, which may be null. */
export type Bound<C extends Columns> = (row: RowExpressions<C>) => Typed<bigint | null, 'timestamp'>

/** A collection of rows that changes over time. */
export class Collection<C extends Columns> {
  readonly kind = 'collection'
  readonly node: PlanNode
  /** What messages call it. */
  readonly label: string

  constructor(node: PlanNode, label: string) {
    this.node = node
    this.label = label
  }

  get columns(): C {
    return this.node.schema.columns() as C
  }

  /** Rows of expressions over each row: `select((o) => ({ city: o.city, euros: o.cents.divide(100) }))`. */
  select<S extends Selection>(make: (row: RowExpressions<C>) => S): Collection<SelectedColumns<S>> {
    return this.derived(this.select, [make], (origin) => {
      const selection = make(this.row())
      selectionSchema(selection)
      return select(this.node, selection, origin)
    })
  }

  /** The rows for which the condition is true; null is not. */
  filter(condition: (row: RowExpressions<C>) => Condition): Collection<C> {
    return this.derived(this.filter, [condition], (origin) => filter(this.node, condition(this.row()), origin))
  }

  /** The rows for which a plain function returns true; it must be deterministic. */
  filterRows(fn: (row: RowOf<C>) => boolean): Collection<C> {
    return this.derived(this.filterRows, [fn], (origin) => filterRows(this.node, fn as (row: object) => boolean, origin))
  }

  /** One row of the given columns for each row, by a plain, deterministic function. */
  map<const D extends Columns>(columns: D, fn: (row: RowOf<C>) => RowOf<D>): Collection<D> {
    return this.derived(this.map, [columns, fn], (origin) => map(this.node, columns, fn as (row: object) => RowOf<D>, origin))
  }

  /** Any number of rows of the given columns for each row, by a plain, deterministic function. */
  flatMap<const D extends Columns>(columns: D, fn: (row: RowOf<C>) => Iterable<RowOf<D>>): Collection<D> {
    return this.derived(this.flatMap, [columns, fn], (origin) =>
      flatMap(this.node, columns, fn as (row: object) => Iterable<RowOf<D>>, origin),
    )
  }

  /** The rows of all, with the sum of their multiplicities. */
  concat(...others: readonly Collection<C>[]): Collection<C> {
    return this.derived(this.concat, others, (origin) => concat([this.node, ...others.map((other) => other.node)], origin))
  }

  /** The same rows with the opposite multiplicities. */
  negate(): Collection<C> {
    return this.derived(this.negate, [], (origin) => negate(this.node, origin))
  }

  /** Each row that is there, once. */
  distinct(): Collection<C> {
    return this.derived(this.distinct, [], (origin) => distinct(this.node, origin))
  }

  /** Each different row as often as `fn` says for its multiplicity, which is never 0. */
  threshold(fn: (multiplicity: number) => number): Collection<C> {
    return this.derived(this.threshold, [fn], (origin) => threshold(this.node, fn, origin))
  }

  /** The same rows; changes of one time that cancel are not passed on. */
  consolidate(): Collection<C> {
    return this.derived(this.consolidate, [], (origin) => consolidate(this.node, origin))
  }

  /**
   * The rows that are valid now, on the app's clock: from `from` until before `until`; a null, or none, is no bound. Rows come
   * and go as time passes, without new input.
   */
  validBetween(from: Bound<C> | null, until: Bound<C> | null): Collection<C> {
    return this.derived(this.validBetween, [from, until], (origin) =>
      validBetween(this.node, from?.(this.row()) ?? null, until?.(this.row()) ?? null, origin),
    )
  }

  /** The rows from a time of theirs until some microseconds later: `validFor((f) => f.at, days(30))`. */
  validFor(from: Bound<C>, duration: bigint): Collection<C> {
    return this.derived(this.validFor, [from, duration], (origin) => {
      if (typeof duration !== 'bigint' || duration <= 0n) {
        throw new MillraceError(
          'CONFIG',
          `rows are valid for ${String(duration)}`,
          'Give microseconds above 0 as a bigint, such as days(30).',
        )
      }
      return validFor(this.node, from(this.row()), duration, origin)
    })
  }

  /** The first k rows in an order: `topK(3, (o) => o.cents.desc())`; several orders are taken one after the other. */
  topK(k: number, order: (row: RowExpressions<C>) => OrderBy | readonly OrderBy[], options: TopOptions = {}): Collection<C> {
    return this.derived(this.topK, [k, order], (origin) => topK(this.node, [], k, orders(order(this.row())), options, origin))
  }

  /**
   * Applies the body again and again to the collection that starts as this one, until nothing changes; at every time. Inside, other
   * collections are brought in with `enter`.
   */
  iterate(body: (variable: Collection<C>, enter: EnterLoop) => Collection<C>, options: IterateOptions = {}): Collection<C> {
    return this.derived(this.iterate, [body], (origin) =>
      iterate(
        this.node,
        (variable, enter) => body(new Collection(variable, this.label), (outer) => new Collection(enter(outer.node), outer.label)).node,
        options,
        origin,
      ),
    )
  }

  /** The same rows; `fn` sees each change as it passes, for debugging. What it throws is an error of the row. */
  inspect(fn: (change: InspectedChange<RowOf<C>>) => void): Collection<C> {
    return this.derived(this.inspect, [fn], (origin) => inspect(this.node, fn as Inspect, origin))
  }

  /** Rows by their values of some columns; with none, all rows are one group. */
  groupBy<const K extends readonly (keyof C & string)[]>(...keys: K): Grouped<C, K[number]> {
    return located(this.groupBy, `${this.label}.`, keys, () => {
      positionsOf(this.node, keys)
      return new Grouped(this, keys)
    })
  }

  /**
   * Pairs of rows with equal keys: `join(accounts, 'id')`, `join(accounts, ['a', 'b'])`, `join(accounts, { mine: 'theirs' })`.
   * A null equals nothing. All columns of this, then the other's that are no keys; or what the projection makes of them, which is
   * needed where columns that are no keys have one name.
   */
  join<D extends Columns, const K extends JoinKeys<C, D>>(other: Collection<D>, keys: K & Unambiguous<C, D, K>): Collection<Joined<C, D, K>>
  join<D extends Columns, const K extends JoinKeys<C, D>, S extends Selection>(
    other: Collection<D>,
    keys: K,
    project: (mine: RowExpressions<C>, theirs: RowExpressions<D>) => S,
  ): Collection<SelectedColumns<S>>
  join(other: Collection<Columns>, keys: AnyJoinKeys, project?: AnyProjection): Collection<Columns> {
    return this.joined(this.join as Entry, join, other, keys, project)
  }

  /** As join, and the rows of this without a match, with nulls for the other. */
  leftJoin<D extends Columns, const K extends JoinKeys<C, D>>(
    other: Collection<D>,
    keys: K & Unambiguous<C, D, K>,
  ): Collection<LeftJoined<C, D, K>>
  leftJoin<D extends Columns, const K extends JoinKeys<C, D>, S extends Selection>(
    other: Collection<D>,
    keys: K,
    project: (mine: RowExpressions<C>, theirs: RowExpressions<NullableColumns<D>>) => S,
  ): Collection<SelectedColumns<S>>
  leftJoin(other: Collection<Columns>, keys: AnyJoinKeys, project?: AnyProjection): Collection<Columns> {
    return this.joined(this.leftJoin as Entry, leftJoin, other, keys, project)
  }

  /** As join, and the rows of the other without a match, with nulls for this but for its keys. */
  rightJoin<D extends Columns, const K extends JoinKeys<C, D>>(
    other: Collection<D>,
    keys: K & Unambiguous<C, D, K>,
  ): Collection<RightJoined<C, D, K>>
  rightJoin<D extends Columns, const K extends JoinKeys<C, D>, S extends Selection>(
    other: Collection<D>,
    keys: K,
    project: (mine: RowExpressions<NullableColumns<C>>, theirs: RowExpressions<D>) => S,
  ): Collection<SelectedColumns<S>>
  rightJoin(other: Collection<Columns>, keys: AnyJoinKeys, project?: AnyProjection): Collection<Columns> {
    return this.joined(this.rightJoin as Entry, rightJoin, other, keys, project)
  }

  /** As join, and the rows of both without a match, with nulls for what is missing. */
  outerJoin<D extends Columns, const K extends JoinKeys<C, D>>(
    other: Collection<D>,
    keys: K & Unambiguous<C, D, K>,
  ): Collection<OuterJoined<C, D, K>>
  outerJoin<D extends Columns, const K extends JoinKeys<C, D>, S extends Selection>(
    other: Collection<D>,
    keys: K,
    project: (mine: RowExpressions<NullableColumns<C>>, theirs: RowExpressions<NullableColumns<D>>) => S,
  ): Collection<SelectedColumns<S>>
  outerJoin(other: Collection<Columns>, keys: AnyJoinKeys, project?: AnyProjection): Collection<Columns> {
    return this.joined(this.outerJoin as Entry, outerJoin, other, keys, project)
  }

  /** The rows that some row of the other matches. */
  semijoin<D extends Columns, const K extends JoinKeys<C, D>>(other: Collection<D>, keys: K): Collection<C> {
    return this.derived(this.semijoin as Entry, [other, keys], (origin) =>
      semijoin(this.node, other.node, keyPairs(this.node, this.label, other.node, other.label, keys as AnyJoinKeys), origin),
    )
  }

  /** The rows that no row of the other matches; those with a null key are among them. */
  antijoin<D extends Columns, const K extends JoinKeys<C, D>>(other: Collection<D>, keys: K): Collection<C> {
    return this.derived(this.antijoin as Entry, [other, keys], (origin) =>
      antijoin(this.node, other.node, keyPairs(this.node, this.label, other.node, other.label, keys as AnyJoinKeys), origin),
    )
  }

  /** As an output: kept, and looked up by a key. `get` expects one row a key; `getAll` gives any number. */
  keyBy<const K extends readonly [keyof C & string, ...(keyof C & string)[]]>(...key: K): IndexedOutput<C, K[number]> {
    return located(this.keyBy, `${this.label}.`, key, () => new IndexedOutput(this.node, key, positionsOf(this.node, key)))
  }

  /** As an output: only its changes; nothing is kept. */
  changelog(): Changelog<C> {
    return new Changelog(this.node)
  }

  /** As an output: tells up to which time the collection is complete. */
  probe(): Probed {
    return new Probed(this.node)
  }

  private joined(
    entry: Entry,
    kind: typeof join,
    other: Collection<Columns>,
    keys: AnyJoinKeys,
    project?: AnyProjection,
  ): Collection<Columns> {
    return this.derived(entry, project === undefined ? [other, keys] : [other, keys, project], (origin) => {
      const pairs = keyPairs(this.node, this.label, other.node, other.label, keys)
      if (project === undefined) return kind(this.node, other.node, pairs, null, origin)
      const side = (collection: Collection<Columns>, missing: boolean, at: 0 | 1): RowExpressions<Columns> => {
        const { schema } = collection.node
        return proxyRow(missing ? nullableSchema(schema) : schema, collection.label, at)
      }
      const projection = (project as (mine: unknown, theirs: unknown) => Selection)(
        side(this as unknown as Collection<Columns>, kind === rightJoin || kind === outerJoin, 0),
        side(other, kind === leftJoin || kind === outerJoin, 1),
      )
      selectionSchema(projection)
      return kind(this.node, other.node, pairs, projection, origin)
    })
  }

  private row(): RowExpressions<C> {
    return proxyRow(this.node.schema, this.label)
  }

  private derived<D extends Columns>(entry: Entry, parameters: readonly unknown[], make: (origin: string) => PlanNode): Collection<D> {
    return located(entry, `${this.label}.`, parameters, (origin) => new Collection<D>(make(origin), derivedLabel(this.label, entry.name)))
  }
}

/** Labels longer than this begin with an ellipsis. */
const LONGEST_LABEL = 60

function derivedLabel(label: string, method: string): string {
  const text = `${label}.${method}(...)`
  return text.length <= LONGEST_LABEL ? text : `....${method}(...)`
}

/** Brings a collection from outside into a loop. */
export type EnterLoop = <D extends Columns>(outer: Collection<D>) => Collection<D>

function orders(order: OrderBy | readonly OrderBy[]): readonly OrderBy[] {
  return order instanceof OrderBy ? [order] : order
}

type Merged<A, B> = { readonly [N in keyof A | keyof B]: N extends keyof B ? B[N] : N extends keyof A ? A[N] : never }

/** Names that keys have already. */
type NotKeys<K extends string> = { readonly [N in K]?: never }

/** The groups of a collection's rows that have equal values in the key columns. */
export class Grouped<C extends Columns, K extends keyof C & string> {
  private readonly source: Collection<C>
  private readonly keys: readonly string[]

  constructor(source: Collection<C>, keys: readonly string[]) {
    this.source = source
    this.keys = keys
  }

  /** One row a group: its key, and aggregates such as `count()` and `sum(row.cents)`. */
  aggregate<A extends Aggregates>(make: (row: RowExpressions<C>) => A & NotKeys<K>): Collection<Merged<Pick<C, K>, AggregatedColumns<A>>> {
    const { node, label } = this.source
    const subject = `${label}.groupBy(...).`
    return located(this.aggregate, subject, [make], (origin) => {
      const aggregates = make(proxyRow(node.schema, label))
      aggregateSchema(aggregates)
      const specs = Object.fromEntries(Object.entries(aggregates as Aggregates).map(([name, { spec }]) => [name, spec]))
      return new Collection(aggregate(node, this.keys, specs, origin), derivedLabel(label, 'aggregate'))
    })
  }

  /** The first k rows of each group in an order. */
  topK(k: number, order: (row: RowExpressions<C>) => OrderBy | readonly OrderBy[], options: TopOptions = {}): Collection<C> {
    const { node, label } = this.source
    return located(this.topK, `${label}.groupBy(...).`, [k, order], (origin) => {
      const top = topK(node, this.keys, k, orders(order(proxyRow(node.schema, label))), options, origin)
      return new Collection<C>(top, derivedLabel(label, 'topK'))
    })
  }

  /**
   * Rows of the key and the given columns, by a plain, deterministic function of each group: of its different rows with their
   * multiplicities, in no order.
   */
  reduce<const D extends Columns>(
    columns: D & NotKeys<K>,
    fn: (rows: readonly RowChange<RowOf<C>>[], key: Pick<RowOf<C>, K>) => Iterable<RowOf<D>>,
  ): Collection<Merged<Pick<C, K>, D>> {
    const { node, label } = this.source
    return located(this.reduce, `${label}.groupBy(...).`, [columns, fn], (origin) => {
      return new Collection(reduce(node, this.keys, columns as Columns, fn as unknown as Reduce, origin), derivedLabel(label, 'reduce'))
    })
  }
}
