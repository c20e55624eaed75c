/** The admin port of a process: /livez, /readyz and /metrics. */
import type { TlsIdentity } from '../runtime/env/connection.ts'
import type { Environment } from '../runtime/env/environment.ts'
import type { HttpHandler, HttpServer } from '../runtime/env/network.ts'
import type { Address } from './configuration/address.ts'

/** Encrypted where the cluster is; probes and Prometheus need no certificate of their own. */
export function serveAdmin(
  { network }: Environment,
  { host, port }: Address,
  tls: TlsIdentity | null | undefined,
  handler: HttpHandler,
): Promise<HttpServer> {
  const { certificate, key } = tls ?? {}
  return network.serve({ host, port, ...(certificate === undefined || key === undefined ? {} : { tls: { certificate, key } }) }, handler)
}
