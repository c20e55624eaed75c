/** Certificate authorities and certificates for tests. */
import { generate } from 'selfsigned'
import type { TlsIdentity } from '../../runtime/env/connection.ts'

export interface Authority {
  readonly key: string
  readonly cert: string
}

const DAY = 86_400_000

export async function newAuthority(name: string): Promise<Authority> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  })
  return { key, cert }
}

/** A certificate for localhost and 127.0.0.1, or for other names, with the authority as the one to trust. */
export async function issue(authority: Authority, names: readonly string[] = [], endsInDays = 30): Promise<Required<TlsIdentity>> {
  const altNames =
    names.length === 0
      ? [
          { type: 2 as const, value: 'localhost' },
          { type: 7 as const, ip: '127.0.0.1' },
        ]
      : names.map((value) => ({ type: 2 as const, value }))
  const { private: key, cert } = await generate([{ name: 'commonName', value: names[0] ?? 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    ca: authority,
    notBeforeDate: new Date(Date.now() - 60 * DAY),
    notAfterDate: new Date(Date.now() + endsInDays * DAY),
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true, keyEncipherment: true },
      { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
      { name: 'subjectAltName', altNames },
    ],
  })
  return { ca: authority.cert, certificate: cert, key }
}
