/** `--store`: where a coordinator keeps its facts. Each kind is loaded when it is asked for. */
import type { MetadataStore } from '../coordinator/metadata/metadata-store.ts'
import { didYouMean } from '../runtime/data/suggest.ts'
import type { Environment } from '../runtime/env/environment.ts'
import { MillraceError } from '../runtime/error.ts'

export type StoreChoice =
  | { readonly kind: 'memory' }
  | { readonly kind: 'local'; readonly directory: string }
  | { readonly kind: 'postgres'; readonly url: string }
  | { readonly kind: 'kubernetes'; readonly directory: string }

/** In the working directory. */
export const DEFAULT_STORE = 'local:millrace-data'
const KUBERNETES_DIRECTORY = '/var/lib/millrace'
const KINDS = ['memory', 'local', 'postgres', 'kubernetes']
const FORMS =
  'Write local:DIR (this machine), postgres://user@host/database, kubernetes:DIR (a Lease, and a volume), or memory (nothing outlives the process).'

/**
 * @param onCommandLine whether others can read it in the list of processes
 * @throws MillraceError CONFIG
 */
export function parseStore(text: string, onCommandLine = false): StoreChoice {
  const colon = text.indexOf(':')
  const kind = colon < 0 ? text : text.slice(0, colon)
  const rest = colon < 0 ? '' : text.slice(colon + 1)
  switch (kind) {
    case 'memory':
      if (rest === '') return { kind }
      break
    case 'local':
      if (rest !== '') return { kind, directory: rest }
      break
    case 'kubernetes':
      return { kind, directory: rest === '' ? KUBERNETES_DIRECTORY : rest }
    case 'postgres':
    case 'postgresql':
      return { kind: 'postgres', url: checkedUrl(text, onCommandLine) }
  }
  throw new MillraceError('CONFIG', `There is no store ${JSON.stringify(kind)} of that form.${didYouMean(kind, KINDS)}`, FORMS)
}

export async function openStore(choice: StoreChoice, cluster: string, environment: Environment): Promise<MetadataStore> {
  switch (choice.kind) {
    case 'memory': {
      const { MemoryFacts, MemoryStore } = await import('../coordinator/metadata/memory-store.ts')
      return new MemoryStore(new MemoryFacts(environment.clock))
    }
    case 'local': {
      const { LocalStore } = await import('../coordinator/metadata/local-store.ts')
      const { nodeProcessMarks } = await import('../runtime/env/node-process-marks.ts')
      return new LocalStore(environment, choice.directory, await nodeProcessMarks())
    }
    case 'postgres': {
      const { PostgresStore } = await import('../coordinator/metadata/postgres-store.ts')
      return new PostgresStore({ url: choice.url, cluster })
    }
    case 'kubernetes': {
      const { LedStore } = await import('../coordinator/metadata/leadership.ts')
      const { podLease } = await import('../coordinator/metadata/kubernetes-lease.ts')
      const { FactLog } = await import('../coordinator/metadata/fact-log.ts')
      return new LedStore(await podLease(environment, `millrace-${cluster}`), new FactLog(environment.disk, choice.directory))
    }
  }
}

/** For people: without what is secret. */
export function storeText(choice: StoreChoice): string {
  switch (choice.kind) {
    case 'memory':
      return 'memory: what is deployed is gone when this process ends'
    case 'local':
      return choice.directory
    case 'postgres':
      return `Postgres at ${new URL(choice.url).host}`
    case 'kubernetes':
      return `a Lease of Kubernetes, and ${choice.directory}`
  }
}

function checkedUrl(text: string, onCommandLine: boolean): string {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new MillraceError('CONFIG', 'The URL of the Postgres database is no URL.', 'Write postgres://user@host:5432/database.')
  }
  if (onCommandLine && url.password !== '')
    throw new MillraceError(
      'CONFIG',
      'A password on the command line is seen by everybody on this machine.',
      'Set MILLRACE_STORE to the URL, or leave the password out and set PGPASSWORD (or PGPASSFILE).',
    )
  return text
}
