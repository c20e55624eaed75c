/** Where to listen or connect, as people write it: `host:port`, `[::1]:port`, `:port`, `port`. */
import { MillraceError } from '../../runtime/error.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/** @throws MillraceError CONFIG */
export function parseAddress(given: string | number, defaultHost = '127.0.0.1'): Address {
  const text = String(given).trim()
  const found = /^(?:(\[[0-9a-fA-F:.%]+\]|[^:[\]\s/]*):)?(\d{1,5})$/.exec(text)
  const port = found === null ? -1 : Number(found[2])
  if (found === null || port > 65535)
    throw new MillraceError(
      'CONFIG',
      `${JSON.stringify(text)} is no address.`,
      'Write host:port, such as 127.0.0.1:7400 or [::1]:7400; port 0 takes a free one.',
    )
  const host = found[1] ?? ''
  return { host: host === '' ? defaultHost : host.replace(/^\[|\]$/g, ''), port }
}

export function addressText({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** Whether only programs on this machine can connect there. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

/** One or several http(s) URLs with commas between, without paths. */
export function parseUrls(given: string): readonly string[] {
  const urls = given
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
  if (urls.length === 0) throw new MillraceError('CONFIG', 'There is no URL.', `Write http://127.0.0.1:7400.`)
  return urls.map(parseUrl)
}

function parseUrl(text: string): string {
  const whole = /^[a-z]+:\/\//i.test(text) ? text : `http://${text}`
  let url: URL
  try {
    url = new URL(whole)
  } catch {
    throw new MillraceError('CONFIG', `${JSON.stringify(text)} is no URL.`, 'Write http://host:port, with commas between several.')
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new MillraceError('CONFIG', `${JSON.stringify(text)} is not http or https.`, 'Write http://host:port or https://host:port.')
  if (url.username !== '' || url.password !== '')
    throw new MillraceError(
      'CONFIG',
      'A URL must not hold a password: others see it in the list of processes.',
      'Use --token-file or MILLRACE_TOKEN.',
    )
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    throw new MillraceError('CONFIG', `${JSON.stringify(text)} has a path.`, `Write ${url.origin}.`)
  return url.origin
}
