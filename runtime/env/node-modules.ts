/**
 * Modules on Node. Source maps of bundles are applied here, and only while a bundle runs: Node's own switch
 * (`--enable-source-maps`) knows no scripts of `node:vm`, and slows every stack of the process.
 */
import { createHash } from 'node:crypto'
import { createRequire, SourceMap } from 'node:module'
import { join } from 'node:path'
import { compileFunction, constants } from 'node:vm'
import { BundleError, type Modules } from './modules.ts'

type Evaluated = (exports: object, require: (name: string) => unknown, module: { exports: unknown }, filename: string) => void

const INLINE_MAP = /\n\/\/# sourceMappingURL=data:application\/json;(?:charset=[\w-]+;)?base64,([A-Za-z0-9+/=]+)\s*$/

export class NodeModules implements Modules {
  private readonly load: NodeJS.Require

  /** @param folder where modules that bundles leave out are looked for, upwards */
  constructor(folder: string) {
    this.load = createRequire(join(folder, 'job.cjs'))
  }

  digest(text: string): string {
    return createHash('sha256').update(text).digest('hex')
  }

  require(name: string): unknown {
    return this.load(name)
  }

  evaluate(text: string, filename: string, require: (name: string) => unknown): unknown {
    const places = new Places(text, filename)
    const module: { exports: unknown } = { exports: {} }
    try {
      places.during(() => {
        const run = compileFunction(text, ['exports', 'require', 'module', '__filename'], {
          filename,
          importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
        }) as unknown as Evaluated
        run(module.exports as object, require, module, filename)
      })
    } catch (error) {
      throw new BundleError(error, places.of(error))
    }
    return module.exports
  }
}

/** Places in a bundle, and in the files that it was made from. */
class Places {
  private readonly text: string
  private readonly filename: string
  private readonly pattern: RegExp
  private map: SourceMap | null | undefined

  constructor(text: string, filename: string) {
    this.text = text
    this.filename = filename
    this.pattern = new RegExp(`${filename.replace(/[.*+?^$\u007b}()|[\\]\\\\]/g, '\\$&')}:(\\d+):(\\d+)`)
  }

  /** Stacks that are looked at meanwhile say the original places; so does that of what `work` throws. */
  during(work: () => void): void {
    const before = Error.prepareStackTrace
    Error.prepareStackTrace = (error, sites) => [header(error), ...sites.map((site) => `    at ${this.original(String(site))}`)].join('\n')
    try {
      work()
    } catch (error) {
      // Stacks are written when they are first looked at.
      if (error instanceof Error) void error.stack
      throw error
    } finally {
      Error.prepareStackTrace = before
    }
  }

  /** `file:line` of the first frame of an error's stack that is in the bundle and not in a package; else of the first that is in it. */
  of(error: unknown): string | null {
    if (!(error instanceof Error) || typeof error.stack !== 'string') return null
    const found = error.stack.split('\n').flatMap((line) => /^ {4}at (?:.*\()?(.+):(\d+):\d+\)?$/.exec(line)?.slice(1, 3).join(':') ?? [])
    const own = found.filter((place) => this.sources.has(place.slice(0, place.lastIndexOf(':'))))
    return own.find((place) => !place.includes('node_modules')) ?? own[0] ?? null
  }

  /** Names that frames of the bundle have. */
  private readonly sources = new Set<string>()

  private original(frame: string): string {
    return frame.replace(this.pattern, (place, line: string, column: string) => {
      const entry = this.sourceMap()?.findEntry(Number(line) - 1, Number(column) - 1)
      if (entry === undefined || !('originalSource' in entry)) {
        this.sources.add(this.filename)
        return place
      }
      this.sources.add(entry.originalSource)
      return `${entry.originalSource}:${entry.originalLine + 1}:${entry.originalColumn + 1}`
    })
  }

  private sourceMap(): SourceMap | null {
    if (this.map !== undefined) return this.map
    const found = INLINE_MAP.exec(this.text)
    try {
      this.map = found === null ? null : new SourceMap(JSON.parse(Buffer.from(found[1], 'base64').toString()))
    } catch {
      this.map = null
    }
    return this.map
  }
}

function header(error: Error): string {
  try {
    return String(error)
  } catch {
    return 'Error'
  }
}
