/** TLS on Node: identities as its options, and its errors for people. */
import { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { createSecureContext, type SecureContextOptions, TLSSocket } from 'node:tls'
import { MillraceError } from '../error.ts'
import type { TlsIdentity } from './connection.ts'

/** @throws MillraceError CONFIG if the texts are no certificates or keys, or do not fit together */
export function secureContextOptions(identity: TlsIdentity): SecureContextOptions {
  const { ca, certificate, key } = identity
  if ((certificate === undefined) !== (key === undefined))
    throw new MillraceError('CONFIG', `TLS is given a ${key === undefined ? 'certificate without a key' : 'key without a certificate'}`)
  const options: SecureContextOptions = {
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
  }
  try {
    // An authority that is none would be passed over in silence.
    if (ca !== undefined) new X509Certificate(ca)
    createSecureContext(options)
  } catch (error) {
    const hint = 'Give the contents of PEM files, and the key of this very certificate.'
    throw new MillraceError('CONFIG', `the TLS identity cannot be used: ${(error as Error).message}`, hint, { cause: error })
  }
  return options
}

/** Whether whoever is at the other end of a server's socket showed the certificate that was asked for, if one was. */
export function isTrusted(socket: Socket, identity: TlsIdentity | undefined): boolean {
  return identity?.ca === undefined || (socket instanceof TLSSocket && socket.authorized)
}

/** The error for an attempt to reach `url` that failed. */
export function reachError(url: string, error: Error & { code?: string; reason?: string }): MillraceError {
  const code = error.code ?? ''
  // OpenSSL's messages name its files and threads; the reason is the readable part.
  const what = error.reason ?? (error.message === '' ? code : error.message)
  const hint = distrust(code)
  if (hint !== null) return new MillraceError('REFUSED', `${url} is not trusted: ${what}`, hint, { cause: error })
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_'))
    return new MillraceError('UNREACHABLE', `${url} does not speak TLS: ${what}`, 'Is it an http: address?', { cause: error })
  return new MillraceError('UNREACHABLE', `${url} cannot be reached: ${what}`, undefined, {
    cause: error,
  })
}

/** What to do if we do not trust the other side's certificate; null if that is not what happened. */
function distrust(code: string): string | null {
  switch (code) {
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'CERT_SIGNATURE_FAILURE':
      return 'Its certificate comes from another authority: give the certificate of the authority (ca) that signed it.'
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'Its certificate is for other names: make one for the name or address that is connected to.'
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return 'Check the validity of its certificate, and the clocks of both hosts.'
    default:
      return null
  }
}
