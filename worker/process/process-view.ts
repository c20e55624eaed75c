/** What the face of a worker process (its HTTP API and its admin port) sees of the process, and what it is told. */
import type { Environment } from '../../runtime/env/environment.ts'
import type { HttpHandler } from '../../runtime/env/network.ts'
import type { Member, ProcessId, ProcessStats, SourceAssignment } from '../../runtime/protocol/control.ts'
import type {
  ChangesTold,
  FollowOutput,
  OutputShape,
  OutputsComplete,
  ReadOutput,
  RowsRead,
  Unfollow,
} from '../../runtime/protocol/thread.ts'
import type { PeerService } from './peer-service.ts'

export interface ProcessView {
  readonly environment: Environment
  readonly process: ProcessId
  readonly name: string
  readonly group: string
  readonly cluster: string
  /** Whether the coordinator is known to count on this process: only then may anything be read. */
  isLeased(): boolean
  /** What the coordinator said last; null before it said anything, and between generations. */
  readonly generation: GenerationView | null
  readonly service: PeerService
  /** Asks a worker of this process: its number is in `generation`. Answers come as `FaceEvents`, of this generation only. */
  command(worker: number, command: ReadOutput | FollowOutput | Unfollow): void
  /** A number for `ReadOutput.request` and `FollowOutput.request`, never used before by this process. */
  nextRequest(): number
  /** As of the last heartbeat. */
  readonly stats: ProcessStats
  readonly links: LinksView
  /** Of the sources that this process reads. */
  readonly sources: readonly SourceView[]
}

export interface GenerationView {
  readonly generation: number
  readonly members: readonly Member[]
  /** By virtual shard the number of the worker that owns it. */
  readonly owners: readonly number[]
  /** Numbers of this process's workers: `first` to `first + threads - 1`. */
  readonly first: number
  readonly threads: number
  readonly dataflows: ReadonlyMap<number, DataflowView>
}

export interface DataflowView {
  readonly dataflow: number
  readonly name: string
  readonly digest: string
  /** Of `Install`: nothing happens at or before it in this generation. */
  readonly since: number
  /** Empty until it is installed. */
  readonly outputs: readonly OutputShape[]
  /** Its sources are read up to the replay's cuts. */
  readonly live: boolean
  /** All outputs of this process's threads are complete up to here. */
  readonly complete: number
  readonly minted: number
  /** The last time that may be seen; null while none may be in this generation. Reads that ask for no time get this one. */
  readonly visible: number | null
  readonly compactTo: number
  /** It stopped here, and why. */
  readonly failure: { readonly code: string; readonly message: string } | null
}

export interface LinksView {
  readonly coordinator: {
    readonly url: string | null
    readonly connected: boolean
    readonly epoch: number
    readonly problem: string | null
  }
  readonly peers: readonly { readonly process: ProcessId; readonly connected: boolean; readonly bufferedBytes: number }[]
}

export interface SourceView extends SourceAssignment {
  readonly dataflow: number
  readonly kind: string
  readonly rows: number
  readonly rejected: number
  /** Why it cannot be read at the moment; it is tried again. */
  readonly trouble: string | null
  /** Failed attempts in a row. */
  readonly failures: number
  readonly behind: boolean
  readonly paused: boolean
}

/** What the face is told. All calls are short: nothing waits in them. */
export interface FaceEvents {
  /** A generation begins, or none is there any more: all requests of the one before are forgotten and will not be answered. */
  onGeneration(): void
  /** A dataflow was installed, started, became live, failed or was dropped. */
  onDataflow(dataflow: number): void
  /** May be seen from now on, by all that this process shows. */
  onVisible(dataflow: number, time: number): void
  onRows(worker: number, rows: RowsRead): void
  onChanges(worker: number, changes: ChangesTold): void
  /** All of a worker's changes up to the time were told. */
  onComplete(worker: number, complete: OutputsComplete): void
  /** All followers at this process were told up to here; null without followers. Asked for each report. */
  told(dataflow: number): number | null
}

export interface ProcessFace {
  readonly events: FaceEvents
  /** Requests at the port at which the other processes connect. */
  readonly handler: HttpHandler
}
