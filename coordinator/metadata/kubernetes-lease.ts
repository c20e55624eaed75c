/**
 * Leadership by a Lease of Kubernetes (coordination.k8s.io/v1), as its own controllers do it: whoever sees that a lease was not
 * renewed for its duration, by its own clock, takes it; a resource version that is no longer the latest loses. The count of
 * transitions is the epoch.
 */
import type { TlsIdentity } from '../../runtime/env/connection.ts'
import type { Environment } from '../../runtime/env/environment.ts'
import { MillraceError } from '../../runtime/error.ts'
import type { Leadership } from './leadership.ts'
import type { Holder, Lease } from './metadata-store.ts'
import { wholeFile } from './whole-file.ts'

export interface KubernetesLeaseOptions {
  /** The API server, such as `https://kubernetes.default.svc`. */
  readonly server: string
  readonly namespace: string
  /** The lease's name. */
  readonly name: string
  /** The service account's token, read anew for each request: it is rotated. */
  readonly token: () => Promise<string | null>
  readonly tls?: TlsIdentity
}

interface LeaseObject {
  readonly apiVersion: 'coordination.k8s.io/v1'
  readonly kind: 'Lease'
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly resourceVersion?: string
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec: {
    readonly holderIdentity?: string
    readonly leaseDurationSeconds?: number
    readonly acquireTime?: string
    readonly renewTime?: string
    readonly leaseTransitions?: number
  }
}

const URL_ANNOTATION = 'millrace.dev/url'
const NOT_FOUND = 404
const CONFLICT = 409

export class KubernetesLease implements Leadership {
  private readonly environment: Environment
  private readonly options: KubernetesLeaseOptions
  /** A lease of somebody else as it was first seen, on the monotonic clock. */
  private seen: { readonly version: string; readonly at: number } | null = null

  constructor(environment: Environment, options: KubernetesLeaseOptions) {
    this.environment = environment
    this.options = options
  }

  async acquire(holder: Holder, milliseconds: number): Promise<Lease | null> {
    const found = await this.get()
    if (found !== null && this.isHeldByAnother(found, holder)) return null
    const epoch = (found?.spec.leaseTransitions ?? 0) + 1
    const taken = await this.put(found, { holder, epoch }, milliseconds)
    return taken ? { holder, epoch } : null
  }

  async renew(lease: Lease, milliseconds: number): Promise<boolean> {
    const found = await this.get()
    return found !== null && isOf(found, lease) && (await this.put(found, lease, milliseconds))
  }

  async release(lease: Lease): Promise<void> {
    const found = await this.get()
    if (found !== null && isOf(found, lease)) await this.put(found, { ...lease, holder: { id: '', url: '' } }, 1000)
  }

  async leader(): Promise<Holder | null> {
    const found = await this.get()
    const id = found?.spec.holderIdentity ?? ''
    return found === null || id === '' ? null : { id, url: found.metadata.annotations?.[URL_ANNOTATION] ?? '' }
  }

  private isHeldByAnother({ metadata, spec }: LeaseObject, holder: Holder): boolean {
    const { holderIdentity = '', leaseDurationSeconds = 0 } = spec
    if (holderIdentity === '' || holderIdentity === holder.id) return false
    const { resourceVersion: version = '' } = metadata
    const now = this.environment.clock.monotonic()
    if (this.seen?.version !== version) this.seen = { version, at: now }
    return now - this.seen.at < leaseDurationSeconds * 1_000_000
  }

  private get path(): string {
    return `/apis/coordination.k8s.io/v1/namespaces/${this.options.namespace}/leases`
  }

  private async get(): Promise<LeaseObject | null> {
    const response = await this.ask('GET', `${this.path}/${this.options.name}`, null)
    if (response.status === NOT_FOUND) return null
    return (await this.checked(response).json()) as LeaseObject
  }

  /** False if somebody was faster. */
  private async put(found: LeaseObject | null, { holder, epoch }: Lease, milliseconds: number): Promise<boolean> {
    const { name, namespace } = this.options
    const now = microTime(this.environment.clock.now())
    const isSame = found?.spec.leaseTransitions === epoch
    const version = found?.metadata.resourceVersion
    const lease: LeaseObject = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        ...found?.metadata,
        name,
        namespace,
        ...(version === undefined ? {} : { resourceVersion: version }),
        annotations: { ...found?.metadata.annotations, [URL_ANNOTATION]: holder.url },
      },
      spec: {
        holderIdentity: holder.id,
        leaseDurationSeconds: Math.max(1, Math.ceil(milliseconds / 1000)),
        acquireTime: isSame ? (found.spec.acquireTime ?? now) : now,
        renewTime: now,
        leaseTransitions: epoch,
      },
    }
    const response = found === null ? await this.ask('POST', this.path, lease) : await this.ask('PUT', `${this.path}/${name}`, lease)
    if (response.status === CONFLICT) return false
    await this.checked(response).body?.cancel()
    return true
  }

  private async ask(method: string, path: string, body: LeaseObject | null): Promise<Response> {
    const { server, token: readToken, tls } = this.options
    const token = await readToken()
    const request = new Request(`${server}${path}`, {
      method,
      headers: {
        accept: 'application/json',
        ...(body === null ? {} : { 'content-type': 'application/json' }),
        ...(token === null ? {} : { authorization: `Bearer ${token.trim()}` }),
      },
      ...(body === null ? {} : { body: JSON.stringify(body) }),
    })
    try {
      return await this.environment.network.fetch(request, tls === undefined ? {} : { tls })
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      throw new MillraceError('STORE', `the API server of Kubernetes at ${server}: ${message}`, undefined, { cause: error })
    }
  }

  private checked(response: Response): Response {
    if (response.ok) return response
    const { namespace, name } = this.options
    const hint =
      response.status === 401 || response.status === 403 ? 'The service account needs get, create and update on leases.' : undefined
    throw new MillraceError('STORE', `the lease ${namespace}/${name}: the API server answered ${response.status}`, hint)
  }
}

function isOf({ spec }: LeaseObject, { holder, epoch }: Lease): boolean {
  return spec.holderIdentity === holder.id && spec.leaseTransitions === epoch
}

/** RFC 3339 with six digits, as MicroTime is written. */
function microTime(microseconds: number): string {
  const milliseconds = Math.floor(microseconds / 1000)
  return `${new Date(milliseconds).toISOString().slice(0, -1)}${String(microseconds - milliseconds * 1000).padStart(3, '0')}Z`
}

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

/** Within a pod: the API server and account that Kubernetes gives it. */
export async function podLease(environment: Environment, name: string): Promise<KubernetesLease> {
  const ca = await textFile(environment, `${ACCOUNT}/ca.crt`)
  const namespace = await textFile(environment, `${ACCOUNT}/namespace`)
  if (ca === null || namespace === null)
    throw new MillraceError(
      'CONFIG',
      `there is no service account under ${ACCOUNT}`,
      'A Lease of Kubernetes needs a pod with a service account.',
    )
  return new KubernetesLease(environment, {
    server: 'https://kubernetes.default.svc',
    namespace: namespace.trim(),
    name,
    token: () => textFile(environment, `${ACCOUNT}/token`),
    tls: { ca },
  })
}

async function textFile({ disk }: Environment, path: string): Promise<string | null> {
  const bytes = await wholeFile(disk, path)
  return bytes === null ? null : new TextDecoder().decode(bytes)
}
