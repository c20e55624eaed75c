/**
 * Builds a dataflow description on one worker: each node once, arrangements shared.
 *
 * Two passes. First all lookups are grouped: lookups that meet in a join share a key table, and so do those that meet
 * them elsewhere (union-find), with key types common to the whole group. Then nodes are built from the wanted outputs upwards.
 */
import { ExchangeReceiver } from '../runtime/channel/exchange-receiver.ts'
import { ExchangeSender } from '../runtime/channel/exchange-sender.ts'
import type { ColumnType } from '../runtime/data/column-type.ts'
import { commonKeyType } from '../runtime/data/key-encoding.ts'
import { typeName } from '../runtime/data/schema.ts'
import { MillraceError } from '../runtime/error.ts'
import type { Dataflow } from '../runtime/graph/dataflow.ts'
import { Region } from '../runtime/graph/region.ts'
import type { Schedulable } from '../runtime/graph/schedulable.ts'
import type { Stream } from '../runtime/graph/stream.ts'
import type { KeyTable } from '../runtime/trace/key-table.ts'
import { ArrangeOperator } from './arrange.ts'
import type { Arrangement } from './arrangement.ts'
import { GeneralArrangeOperator } from './general-arrange.ts'
import type { ImportArrangementOperator } from './import-arrangement.ts'
import { type MintedTimes, mintedByFrontier } from './minted-times.ts'
import type { Built, Lookup, PlanNode } from './plan.ts'

/** The lookups of one group: one key table, one set of key types. */
interface KeyGroup {
  types: ColumnType[]
  table: KeyTable | null
}

/** An arrangement of either kind. `values`: the columns that it was asked to keep; null for all. */
interface Arranged {
  readonly keys: KeyTable
  readonly values: readonly number[] | null
}

export class Builder {
  readonly dataflow: Dataflow
  /** Which times exist; set it before anything is built where frontiers may close several at once. */
  minted: MintedTimes = mintedByFrontier
  /** The indexes of other dataflows, by the node that stands for each. */
  readonly imports: ReadonlyMap<PlanNode, ImportArrangementOperator>
  private readonly built = new Map<PlanNode, Built>()
  private readonly groups = new Map<string, { parent: string; group: KeyGroup }>()
  private readonly nodeIds = new Map<PlanNode, number>()
  private readonly arrangements = new Map<string, ArrangeOperator[]>()
  private readonly generalArrangements = new Map<string, GeneralArrangeOperator[]>()
  private readonly exchanges = new Map<string, Stream>()
  /** By lookup: the columns that are read from what it finds; null for all. */
  private readonly values = new Map<string, readonly number[] | null>()
  private readonly regions = new Map<object, Region>()

  /** @param lookups those that are made besides the nodes' own, by the outputs' readers */
  constructor(
    dataflow: Dataflow,
    outputs: readonly PlanNode[],
    lookups: readonly Lookup[] = [],
    imports: ReadonlyMap<PlanNode, ImportArrangementOperator> = new Map(),
  ) {
    this.dataflow = dataflow
    this.imports = imports
    for (const output of outputs) this.collect(output)
    for (const lookup of lookups) this.want(lookup)
    for (const [node, { keys, keyColumns, keyTypes }] of imports) this.adopt(this.groupOf({ node, columns: keyColumns }), keys, keyTypes)
  }

  /** What this worker made of a node; built at the first call. */
  of(node: PlanNode): Built {
    let built = this.built.get(node)
    if (built === undefined) {
      built = node.build(this)
      this.attribute(node.origin)
      this.built.set(node, built)
    }
    return built
  }

  /** The arrangement of a node's rows by some columns; the same one for everybody who asks for the same. */
  arrange(node: PlanNode, columns: readonly number[], values?: readonly number[]): Arrangement {
    const imported = this.imports.get(node)
    if (
      imported !== undefined &&
      imported.keyColumns.join() === columns.join() &&
      this.groupOf({ node, columns }).table === imported.keys
    ) {
      return imported
    }
    return this.shared(
      { node, columns, ...(values === undefined ? {} : { values }) },
      this.arrangements,
      (rows, types, table, values) => new ArrangeOperator(rows, columns, types, table, values),
    )
  }

  /** The arrangement, inside a loop, of a node's rows by some columns; the same one for everybody who asks for the same. */
  generalArrange(node: PlanNode, columns: readonly number[]): GeneralArrangeOperator {
    return this.shared(
      { node, columns },
      this.generalArrangements,
      (rows, types, table) => new GeneralArrangeOperator(rows, columns, types, table),
    )
  }

  /**
   * Two nodes may show the same stream, and yet be looked up in different groups: they share an arrangement unless their
   * groups already have tables of their own.
   */
  private shared<A extends Arranged>(
    lookup: Lookup,
    made: Map<string, A[]>,
    make: (rows: Stream, types: readonly ColumnType[], table: KeyTable, values: readonly number[] | null) => A,
  ): A {
    const { node, columns } = lookup
    const { rows } = this.of(node)
    const group = this.groupOf(lookup)
    const values = this.valuesOf(lookup)
    const name = `${rows.operator.id}|${rows.picks.join()}|${columns.join()}|${group.types.map(typeName).join()}`
    const candidates = made.get(name) ?? []
    const found = candidates.find(
      ({ keys, values: kept }) =>
        (group.table === null || group.table === keys) && (kept === null || values?.every((column) => kept.includes(column)) === true),
    )
    if (found !== undefined) {
      group.table = found.keys
      return found
    }
    group.table ??= this.dataflow.keyTable(group.types)
    const arrangement = make(this.exchange(rows, columns), group.types, group.table, values)
    made.set(name, [...candidates, arrangement])
    return arrangement
  }

  /** The region of an outermost loop, by what identifies the loop in the plan. */
  regionOf(loop: object): Region {
    let region = this.regions.get(loop)
    if (region === undefined) {
      region = new Region(this.dataflow)
      this.regions.set(loop, region)
    }
    return region
  }

  /**
   * The stream with each row on the worker that the content of its key columns chooses; with no key columns, all on one
   * worker. The stream itself where there is one worker.
   */
  exchange(stream: Stream, columns: readonly number[]): Stream {
    const exchanger = this.dataflow.exchanger
    if (exchanger === null || exchanger.shards.workers === 1) return stream
    const name = `${stream.operator.id}|${stream.picks.join()}|${columns.join()}`
    let exchanged = this.exchanges.get(name)
    if (exchanged === undefined) {
      const sender = new ExchangeSender(stream, columns, exchanger)
      const receiver = new ExchangeReceiver(stream, columns, exchanger)
      sender.connect(receiver)
      stream.region?.addFollower(sender, receiver)
      exchanged = { ...stream, operator: receiver, picks: stream.picks.map((_, i) => i) }
      this.exchanges.set(name, exchanged)
    }
    return exchanged
  }

  /** The operators that were made since the last call are said to come from `origin`; what a node reads was attributed before. */
  private attribute(origin: string): void {
    const { operators } = this.dataflow
    for (let i = operators.length - 1; i >= 0 && (operators[i] as Schedulable).origin === null; i--)
      (operators[i] as Schedulable).origin = origin
  }

  /** Gives a group the key table of an imported index, unless it has one, or keys that this one does not take. */
  private adopt(group: KeyGroup, keys: KeyTable, types: readonly ColumnType[]): void {
    const takes = (type: ColumnType, theirs: ColumnType): boolean => {
      const common = commonKeyType(type, theirs)
      return common !== null && typeName(common) === typeName(theirs)
    }
    if (group.table !== null || !group.types.every((type, i) => takes(type, types[i]))) return
    group.types = [...types]
    group.table = keys
  }

  /** The columns that somebody reads from what this lookup's index finds; null for all. */
  private valuesOf(lookup: Lookup): readonly number[] | null {
    const wanted = this.values.get(this.nameOf(lookup))
    if (wanted === null || lookup.values === undefined) return null
    return [...new Set([...(wanted ?? []), ...lookup.values])]
  }

  private want(lookup: Lookup): void {
    const name = this.nameOf(lookup)
    const wanted = this.values.get(name)
    if (wanted === null) return
    this.values.set(name, lookup.values === undefined ? null : [...(wanted ?? []), ...lookup.values])
  }

  private collect(node: PlanNode): void {
    if (this.nodeIds.has(node)) return
    this.nodeIds.set(node, this.nodeIds.size)
    for (const input of node.inputs) this.collect(input)
    const lookups = node.lookups ?? []
    for (const lookup of lookups) {
      this.want(lookup)
      this.unite(lookups[0] as Lookup, lookup)
    }
  }

  private nameOf(lookup: Lookup): string {
    let id = this.nodeIds.get(lookup.node)
    if (id === undefined) {
      this.collect(lookup.node)
      id = this.nodeIds.get(lookup.node) as number
    }
    return `${id}|${lookup.columns.join()}`
  }

  private find(name: string): { parent: string; group: KeyGroup } {
    let entry = this.groups.get(name) as { parent: string; group: KeyGroup }
    while (entry.parent !== '') entry = this.groups.get(entry.parent) as { parent: string; group: KeyGroup }
    return entry
  }

  private groupOf(lookup: Lookup): KeyGroup {
    const name = this.nameOf(lookup)
    if (!this.groups.has(name)) {
      const types = lookup.columns.map((column) => lookup.node.schema.types[column] as ColumnType)
      this.groups.set(name, { parent: '', group: { types, table: null } })
    }
    return this.find(name).group
  }

  private unite(a: Lookup, b: Lookup): void {
    const first = this.groupOf(a)
    const second = this.groupOf(b)
    if (first === second) return
    first.types = first.types.map((type, i) => {
      const other = second.types[i] as ColumnType
      const common = commonKeyType(type, other)
      if (common === null) throw new MillraceError('COLUMN_TYPE', `${typeName(type)} and ${typeName(other)} cannot be compared as keys`)
      return common
    })
    this.find(this.nameOf(b)).parent = this.nameOf(a)
  }
}
