/** All that exists while a coordinator leads: read from the facts when its term begins, and thrown away when it ends. */
import type { Connection } from '../runtime/env/connection.ts'
import { MillraceError } from '../runtime/error.ts'
import { Catalog, type Deployment } from './catalog.ts'
import type { Dataflow } from './dataflow.ts'
import { isCode, messageOf } from './error-code.ts'
import { CEILING_KEY, CLUSTER_KEY, GROUP_PREFIX, readFact, setFact } from './facts.ts'
import { Group, type GroupLeader } from './group.ts'
import { Membership } from './membership.ts'
import type { Fact, MetadataStore } from './metadata/metadata-store.ts'
import type { Participant } from './participant.ts'
import { Settler } from './settler.ts'
import { Snapshots } from './snapshots.ts'
import type { Term } from './term.ts'
import { Ceiling } from './timeline.ts'

const BUNDLE_RETRY_MILLISECONDS = 500

export interface LeaderOptions {
  readonly cluster: string
  readonly minimumProcesses: number
}

export class Leader implements GroupLeader {
  readonly term: Term
  readonly ceiling: Ceiling
  readonly catalog: Catalog
  readonly membership: Membership
  readonly groups = new Map<string, Group>()
  readonly cluster: string
  readonly minimumProcesses: number
  private readonly snapshots: Snapshots
  private readonly settler: Settler

  private constructor(term: Term, options: LeaderOptions, ceiling: Ceiling, catalog: Catalog) {
    this.term = term
    this.cluster = options.cluster
    this.minimumProcesses = options.minimumProcesses
    this.ceiling = ceiling
    this.catalog = catalog
    this.membership = new Membership(term, {
      cluster: options.cluster,
      group: (name) => this.group(name),
      needBundle: (participant, digest) => this.sendBundle(participant, digest),
    })
    this.settler = new Settler(term)
    this.snapshots = new Snapshots(term)
  }

  /** @throws MillraceError CONFIG if the store has the facts of another cluster; STORE; FENCED */
  static async load(term: Term, store: MetadataStore, options: LeaderOptions): Promise<Leader> {
    const owner = await readFact(store, CLUSTER_KEY, 'cluster')
    if (owner !== null && owner.name !== options.cluster)
      throw new MillraceError(
        'CONFIG',
        `the metadata store belongs to the cluster "${owner.name}", not to "${options.cluster}"`,
        'Give this coordinator a store of its own, or the right name.',
      )
    const floor = (await readFact(store, CEILING_KEY, 'ceiling'))?.time ?? 0
    let leader: Leader | null = null
    const catalog = await Catalog.load(term, store, floor - 1, {
      generationOf: (group) => leader?.generationOf(group) ?? 0,
      deployed: (dataflow) => leader?.group(dataflow.group).deploy(dataflow),
      dropped: (dataflow) => {
        leader?.snapshots.forget(dataflow)
        leader?.groups.get(dataflow.group)?.drop(dataflow.number)
      },
    })
    leader = new Leader(term, options, new Ceiling(term, floor), catalog)
    const stored = []
    for (const key of await store.list(GROUP_PREFIX)) {
      const fact = await readFact(store, key, 'group')
      if (fact !== null) stored.push(fact)
    }
    const facts = [...catalog.all()].flatMap(({ dataflow }) => dataflow.facts())
    await term.write([setFact(CLUSTER_KEY, { kind: 'cluster', name: options.cluster }), ...facts])
    for (const fact of stored) leader.groups.set(fact.name, new Group(leader, fact, catalog.dataflows(fact.name)))
    for (const { fact } of catalog.all()) leader.group(fact.group)
    return leader
  }

  accept(connection: Connection): void {
    this.membership.accept(connection)
  }

  deploy(deployment: Deployment): Promise<'deployed' | 'replaced' | 'unchanged'> {
    return this.catalog.deploy(deployment)
  }

  /** @throws MillraceError UNKNOWN_NAME */
  drain(name: string): void {
    const participant = this.membership.named(name)
    if (participant === null) {
      const names = [...this.membership.processes.values()].map((one) => one.name)
      throw new MillraceError(
        'UNKNOWN_NAME',
        `there is no process "${name}"`,
        names.length === 0 ? 'None has joined.' : `There are: ${names.join(', ')}.`,
      )
    }
    this.group(participant.group).drain(participant)
  }

  /** Stops all that becomes visible, and stores where that was, so that the next leader can go on from just there. */
  async stop(): Promise<void> {
    this.membership.close('the coordinator stops')
    for (const group of this.groups.values()) group.generation?.stop()
    await this.snapshots.last([...this.catalog.all()].map(({ dataflow }) => dataflow))
  }

  settle(fact: Fact, done: () => void): void {
    this.settler.settle(fact, done)
  }

  dirty(dataflow: Dataflow): void {
    this.snapshots.mark(dataflow)
  }

  failed(dataflow: Dataflow, code: string, message: string): void {
    this.catalog.failed(dataflow, code, message)
  }

  /** A store that cannot be read is asked again, for as long as the job may take to be installed. */
  private async sendBundle(participant: Participant, digest: string): Promise<void> {
    const { term } = this
    const until = term.now() + 1000 * term.limits.installMilliseconds
    for (;;) {
      try {
        const code = await this.catalog.bundle(digest)
        if (code !== null && term.leads()) participant.send({ kind: 'bundle', digest, code })
        return
      } catch (error) {
        if (!isCode(error, 'STORE')) throw error
        if (!term.leads() || term.now() >= until) return
        term.history.addOnce(participant.group, `a bundle could not be read: ${messageOf(error)}`)
      }
      await term.pause(BUNDLE_RETRY_MILLISECONDS)
    }
  }

  private generationOf(group: string): number {
    return this.groups.get(group)?.fact.generation ?? 0
  }

  private group(name: string): Group {
    let group = this.groups.get(name)
    if (group === undefined) {
      group = new Group(this, Group.empty(name), this.catalog.dataflows(name))
      this.groups.set(name, group)
    }
    return group
  }
}
