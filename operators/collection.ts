/** The fluent face of a plan: each method makes one node, and says where in the user's program it was made. */
import type { Columns, RowOf } from '../runtime/data/schema.ts'
import { aggregate } from './aggregate.ts'
import { located } from './call-site.ts'
import { concat } from './concat.ts'
import { type AggregatedColumns, type Aggregates, aggregateSchema } from './expression/aggregate.ts'
import type { Expression } from './expression/expression.ts'
import { proxyRow, type RowExpressions } from './expression/proxy-row.ts'
import { type SelectedColumns, type Selection, selectionSchema } from './expression/selection.ts'
import { filter } from './filter.ts'
import { filterRows } from './filter-rows.ts'
import { flatMap } from './flat-map.ts'
import { IndexedOutput } from './indexed-output.ts'
import { innerJoin } from './inner-join.ts'
import { type AnyJoinKeys, type Joined, type JoinKeys, keyPositions, type Unambiguous } from './join-keys.ts'
import { map } from './map.ts'
import { negate } from './negate.ts'
import { Changelog } from './output-definition.ts'
import type { PlanNode } from './plan.ts'
import { positionsOf } from './plan-columns.ts'
import { select } from './select.ts'

type Condition = Expression<boolean | null, 'bool'> | Expression<boolean, 'bool'>

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

  /** Rows by their values of some columns; with none, all rows are one group. */
  groupBy<const K extends readonly (keyof C & string)[]>(...keys: K): Grouped<C, K[number]> {
    return located(this.groupBy, `${this.label}.`, keys, () => {
      positionsOf(this.node, keys)
      return new Grouped(this, keys)
    })
  }

  /**
   * Pairs of rows with equal keys: `join(accounts, 'id')`, `join(accounts, ['a', 'b'])`, `join(accounts, { mine: 'theirs' })`.
   * All columns of this, then the other's that are no keys; or what the projection makes of them, which is needed where
   * columns that are no keys have one name.
   */
  join<D extends Columns, const K extends JoinKeys<C, D>>(other: Collection<D>, keys: K & Unambiguous<C, D, K>): Collection<Joined<C, D, K>>
  join<D extends Columns, const K extends JoinKeys<C, D>, S extends Selection>(
    other: Collection<D>,
    keys: K,
    project: (mine: RowExpressions<C>, theirs: RowExpressions<D>) => S,
  ): Collection<SelectedColumns<S>>
  join(
    other: Collection<Columns>,
    keys: AnyJoinKeys,
    project?: (mine: RowExpressions<C>, theirs: RowExpressions<Columns>) => Selection,
  ): Collection<Columns> {
    return this.derived(this.join as () => unknown, project === undefined ? [other, keys] : [other, keys, project], (origin) => {
      const on = keyPositions(this.node, this.label, other.node, other.label, keys)
      const projection = project?.(this.row(), proxyRow(other.node.schema, other.label, 1)) ?? null
      if (projection !== null) selectionSchema(projection)
      return innerJoin(this.node, other.node, on.left, on.right, projection, origin)
    })
  }

  /** As an output: kept, and looked up by a key. `get` expects one row a key; `getAll` gives any number. */
  keyBy<const K extends readonly [keyof C & string, ...(keyof C & string)[]]>(...key: K): IndexedOutput<C, K[number]> {
    return located(this.keyBy, `${this.label}.`, key, () => new IndexedOutput(this.node, key, positionsOf(this.node, key)))
  }

  /** As an output: only its changes; nothing is kept. */
  changelog(): Changelog<C> {
    return new Changelog(this.node)
  }

  private row(): RowExpressions<C> {
    return proxyRow(this.node.schema, this.label)
  }

  private derived<D extends Columns>(
    entry: (...parameters: never[]) => unknown,
    parameters: readonly unknown[],
    make: (origin: string) => PlanNode,
  ): Collection<D> {
    return located(entry, `${this.label}.`, parameters, (origin) => new Collection<D>(make(origin), derivedLabel(this.label, entry.name)))
  }
}

/** Labels longer than this begin with an ellipsis. */
const LONGEST_LABEL = 60

function derivedLabel(label: string, method: string): string {
  const text = `${label}.${method}(...)`
  return text.length <= LONGEST_LABEL ? text : `....${method}(...)`
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
}
