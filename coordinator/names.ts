/** Names of clusters, groups, processes and jobs: they are parts of keys, URLs and labels. */
const NAME = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/

export const NAME_RULE = 'letters, digits, and between them dots, dashes and underscores, at most 63'

export function isName(text: string): boolean {
  return NAME.test(text)
}
