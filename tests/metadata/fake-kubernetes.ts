/** The part of Kubernetes' API server that keeps leases: resource versions, conflicts, a token. */
import type { HttpHandler } from '../../runtime/env/network.ts'

interface Stored {
  metadata: { name: string; resourceVersion: string }
  spec: object
}

export class FakeKubernetes {
  readonly leases = new Map<string, Stored>()
  readonly token: string
  /** Called between a client's read and write, to let another in between. */
  beforeWrite: (() => void) | null = null
  private version = 0

  constructor(token: string) {
    this.token = token
  }

  readonly handler: HttpHandler = async (request) => {
    if (request.headers.get('authorization') !== `Bearer ${this.token}`) return Response.json({ kind: 'Status' }, { status: 401 })
    const { pathname } = new URL(request.url)
    const match = /^\/apis\/coordination\.k8s\.io\/v1\/namespaces\/[a-z]+\/leases(?:\/([a-z-]+))?$/.exec(pathname)
    if (match === null) return Response.json({ kind: 'Status' }, { status: 404 })
    if (request.method === 'GET') return this.answer(match[1])
    this.beforeWrite?.()
    const lease = (await request.json()) as Stored
    const { name } = lease.metadata
    const known = this.leases.get(name)
    if (request.method === 'POST' ? known !== undefined : known?.metadata.resourceVersion !== lease.metadata.resourceVersion)
      return Response.json({ kind: 'Status', reason: 'Conflict' }, { status: 409 })
    this.touch(lease)
    return this.answer(name)
  }

  touch(lease: Stored): void {
    this.leases.set(lease.metadata.name, { ...lease, metadata: { ...lease.metadata, resourceVersion: String(++this.version) } })
  }

  private answer(name: string): Response {
    const lease = this.leases.get(name)
    return lease === undefined ? Response.json({ kind: 'Status' }, { status: 404 }) : Response.json(lease)
  }
}
