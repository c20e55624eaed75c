/** The token and the certificates of a process. Neither is ever printed or logged, nor an argument of a command. */
import { readFileSync } from 'node:fs'
import type { TlsIdentity } from '../runtime/env/connection.ts'
import { MillraceError } from '../runtime/error.ts'
import { type Address, addressText, isLoopback } from './configuration/address.ts'
import type { Context } from './context.ts'

export interface Security {
  /** null: anybody who can connect may. */
  readonly token: string | null
  readonly tls: TlsIdentity | undefined
}

export interface SecurityOptions {
  readonly tokenFile?: string
  readonly tlsCa?: string
  readonly tlsCert?: string
  readonly tlsKey?: string
}

export const TOKEN_VARIABLE = 'MILLRACE_TOKEN'
/** Shorter ones can be guessed. */
export const LEAST_TOKEN_LENGTH = 16

/**
 * Reads them; the variable with the token is removed, so that no child process and no crash report has it.
 * @throws MillraceError CONFIG naming the file, never what is in it
 */
export function readSecurity(options: SecurityOptions, { variables }: Context): Security {
  const variable = variables[TOKEN_VARIABLE]
  delete variables[TOKEN_VARIABLE]
  const { tokenFile, tlsCa, tlsCert, tlsKey } = options
  const token = tokenFile === undefined ? variable : readText(tokenFile, '--token-file')
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw new MillraceError(
      'CONFIG',
      `--tls-${tlsCert === undefined ? 'cert' : 'key'} is missing.`,
      'A certificate and its key are given together.',
    )
  const tls: TlsIdentity = {
    ...(tlsCa === undefined ? {} : { ca: readPem(tlsCa, '--tls-ca') }),
    ...(tlsCert === undefined ? {} : { certificate: readPem(tlsCert, '--tls-cert') }),
    ...(tlsKey === undefined ? {} : { key: readPem(tlsKey, '--tls-key') }),
  }
  return {
    token: token === undefined || token === '' ? null : checkedToken(token.trim(), tokenFile === undefined ? TOKEN_VARIABLE : tokenFile),
    tls: Object.keys(tls).length === 0 ? undefined : tls,
  }
}

/** Refuses to let everybody on the network in. */
export function requireTokenUnlessLoopback(listen: Address, security: Security, what: string): void {
  if (isLoopback(listen.host) || security.token !== null) return
  throw new MillraceError(
    'CONFIG',
    `${what} would listen on ${addressText(listen)} without a token: whoever reaches it could run code there.`,
    'Make one: millrace token --out token.txt; and give --token-file token.txt to every process. Or listen on 127.0.0.1.',
  )
}

function checkedToken(token: string, where: string): string {
  if (token.length < LEAST_TOKEN_LENGTH)
    throw new MillraceError('CONFIG', `The token in ${where} has fewer than ${LEAST_TOKEN_LENGTH} characters.`, 'Make one: millrace token')
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new MillraceError(
      'CONFIG',
      `The token in ${where} has characters other than printable ASCII, or spaces.`,
      'Make one: millrace token',
    )
  return token
}

function readPem(path: string, option: string): string {
  const text = readText(path, option)
  if (!text.includes('-----BEGIN ')) throw new MillraceError('CONFIG', `${option}: ${path} is no PEM file.`)
  return text
}

function readText(path: string, option: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new MillraceError('CONFIG', `${option}: ${path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'failed'}.`)
  }
}
