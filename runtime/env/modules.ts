/** The host's modules, as the loader of job bundles needs them: everything is synchronous, since threads wait for nothing. */
export interface Modules {
  /** SHA-256 of a text as UTF-8; hex. */
  digest(text: string): string
  /**
   * Runs the text of a CommonJS module and returns its `module.exports`. While it runs, and in what it throws, stacks say `filename`,
   * or, where the text ends with an inline source map, the files that it was made from.
   * @throws BundleError with what it threw, or with the SyntaxError of a text that is no program
   */
  evaluate(text: string, filename: string, require: (name: string) => unknown): unknown
  /** A module of the host itself (`node:fs`), or one that is installed beside the job. Throws what the host throws. */
  require(name: string): unknown
}

/** What a bundle threw when it ran. */
export class BundleError extends Error {
  /** `file:line` of the bundle's first own frame; null if nothing says it. */
  readonly place: string | null

  constructor(cause: unknown, place: string | null) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.name = 'BundleError'
    this.place = place
  }
}
