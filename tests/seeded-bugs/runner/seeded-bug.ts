/**
 * Seeded bugs: mistakes that somebody could make, each of which a named test must notice.
 *
 * A family is a file `tests/seeded-bugs/<family>.ts` that exports a list of `SeededBug`, named in
 * `tests/seeded-bugs/runner/families.ts`. Run all with `npx vitest run --project slow seeded-bugs`, one family or one bug with
 * `-t 'progress'` or `-t 'a word of its title'`.
 *
 * For each entry the test file runs in a process of its own, in which `find` is replaced by `replace` in `file` when
 * it is loaded; nothing on the disk changes. The bug is caught if a test of that file fails. A file that no longer
 * loads catches nothing, nor does a test that never ends: a bug must be one that compiles and can be told from the
 * right answer in a few seconds.
 */
export interface SeededBug {
  /** What is wrong, in words: unique in its family. */
  readonly title: string
  /** The source file, from the root of the project. */
  readonly file: string
  /** Text that occurs in the file exactly once. It may span lines. */
  readonly find: string
  readonly replace: string
  /** The test file that must fail, from the root of the project. */
  readonly caughtBy: string
  /** Only the tests whose names match this pattern, where others of the file take long. */
  readonly tests?: string
}

/** The text with the bug in it. */
export function seed(text: string, bug: SeededBug): string {
  const occurrences = text.split(bug.find).length - 1
  if (occurrences !== 1) throw new Error(`seeded bug "${bug.title}": its text occurs ${occurrences} times in ${bug.file}, not once`)
  if (bug.find === bug.replace) throw new Error(`seeded bug "${bug.title}" changes nothing`)
  return text.replace(bug.find, () => bug.replace)
}
