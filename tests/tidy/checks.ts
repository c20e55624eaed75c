/** Each check takes files and returns one line per offence; see `rules.ts` for what they hold to. */
import { blank } from './blank.ts'
import { folderOf, type Import, importsOf, type SourceFile } from './project.ts'
import * as rules from './rules.ts'

const matches = (path: string, patterns: readonly RegExp[]): boolean => patterns.some((pattern) => pattern.test(path))
const isProduct = (path: string): boolean => folderOf(path) === '' || rules.productFolders.includes(folderOf(path))
const where = (found: Import): string => `${found.from}:${found.line}`

export function dependencyDirection(files: readonly SourceFile[]): string[] {
  const offences: string[] = []
  const known = new Set(files.map((file) => file.path))
  for (const file of files) {
    const folder = folderOf(file.path)
    const allowed = rules.mayImport[folder]
    if (allowed === undefined) {
      offences.push(`${file.path}: the folder ${folder} is not in the dependency table`)
      continue
    }
    for (const found of importsOf(file).filter((one) => one.relative)) {
      const target = folderOf(found.to)
      if (!known.has(found.to)) offences.push(`${where(found)} imports ${found.to}, which does not exist`)
      else if (target !== folder && !allowed.includes(target) && !allowed.includes('*'))
        offences.push(`${where(found)} imports ${found.to}: ${folder || 'the root'} may import ${allowed.join(', ') || 'nothing of ours'}`)
    }
  }
  return offences
}

function importGraph(files: readonly SourceFile[]): Map<string, string[]> {
  const known = new Set(files.map((file) => file.path))
  const targets = (file: SourceFile): string[] => importsOf(file).flatMap((one) => (one.relative && known.has(one.to) ? [one.to] : []))
  return new Map(files.map((file) => [file.path, targets(file)]))
}

/** A cycle of each strongly connected set of files, found by depth-first search. */
export function importCycles(files: readonly SourceFile[]): string[] {
  const graph = importGraph(files)
  const done = new Set<string>()
  const path: string[] = []
  const offences: string[] = []
  const visit = (file: string): void => {
    const start = path.indexOf(file)
    if (start >= 0) offences.push([...path.slice(start), file].join(' -> '))
    if (start >= 0 || done.has(file)) return
    path.push(file)
    for (const next of graph.get(file) ?? []) visit(next)
    path.pop()
    done.add(file)
  }
  for (const file of graph.keys()) visit(file)
  return offences
}

export function deadFiles(files: readonly SourceFile[]): string[] {
  const graph = importGraph(files)
  const reach = (entries: readonly RegExp[]): Set<string> => {
    const seen = new Set([...graph.keys()].filter((path) => matches(path, entries)))
    for (const path of seen) for (const next of graph.get(path) ?? []) seen.add(next)
    return seen
  }
  const product = reach(rules.productEntries)
  const other = reach(rules.otherEntries)
  return [...graph.keys()]
    .filter((path) => !product.has(path) && (isProduct(path) || !other.has(path)))
    .map((path) => `${path}: no entry${isProduct(path) ? ' of the product' : ''} reaches it`)
}

function* codeLines(file: SourceFile): Generator<{ code: string; line: string; at: string }> {
  const lines = file.text.split('\n')
  const code = blank(file.text, 'comments and strings').split('\n')
  for (let i = 0; i < lines.length; i++) yield { code: code[i] ?? '', line: lines[i] ?? '', at: `${file.path}:${i + 1}` }
}

export function sideDoors(files: readonly SourceFile[]): string[] {
  const offences: string[] = []
  for (const file of files) {
    if (!rules.doorFolders.includes(folderOf(file.path))) continue
    if (!matches(file.path, rules.nodeHalf))
      for (const found of importsOf(file)) if (found.to.startsWith('node:')) offences.push(`${where(found)} imports ${found.to}`)
    if (matches(file.path, rules.besideTheDoor)) continue
    for (const { code, at } of codeLines(file))
      for (const door of rules.sideDoors) if (door.pattern.test(code)) offences.push(`${at} uses ${door.name} beside runtime/env`)
  }
  return offences
}

/** A file in a folder that passes on what others export hides where things live; the root files assemble. */
export function barrels(files: readonly SourceFile[]): string[] {
  return files
    .filter((file) => folderOf(file.path) !== '')
    .filter((file) => /\bexport\s+(?:type\s+)?(?:\*|\{[^}]*\})(?:\s+as\s+\w+)?\s+from\b/.test(blank(file.text, 'comments and strings')))
    .map((file) => `${file.path}: exports what another file defines`)
}

export function longFiles(files: readonly SourceFile[]): string[] {
  const length = (file: SourceFile): number => file.text.split('\n').length - 1
  return files
    .filter((file) => length(file) > rules.LONGEST_FILE)
    .map((file) => `${file.path}: ${length(file)} lines, at most ${rules.LONGEST_FILE}`)
}

export function anyTypes(files: readonly SourceFile[]): string[] {
  const offences: string[] = []
  for (const file of files)
    if (isProduct(file.path))
      for (const { code, at } of codeLines(file))
        if (/(?:[:<|&,(=]|\bas|\bextends|\bis)\s*any\b(?!\s*[(:])/.test(code)) offences.push(`${at} says any`)
  return offences
}

const FIELD_OF_COLLECTION =
  /^ {2}(?:(?:private|protected|public|readonly|declare|static|override|accessor)\s+)*#?\w+[?!]?\s*(?::[^=(]*|=\s*new\s+)\b(?:Weak)?(?:Map|Set)\b/

/**
 * Whatever an operator keeps between steps is in a trace or a named state cell, else no checkpoint holds it. Operators and
 * their parts extend or implement something; a plain class in the folder builds graphs.
 */
export function privateState(files: readonly SourceFile[]): string[] {
  const offences: string[] = []
  for (const file of files) {
    if (folderOf(file.path) !== 'operators') continue
    let inClass = false
    for (const { code, line, at } of codeLines(file)) {
      if (/^(?:export\s+)?(?:abstract\s+)?class\b.*\b(?:extends|implements)\b/.test(code)) inClass = true
      else if (code.startsWith('}')) inClass = false
      if (inClass && FIELD_OF_COLLECTION.test(code) && !/\/\/ not state: \S/.test(line))
        offences.push(`${at} keeps a Map or Set: use a trace or a state cell, or say "// not state: <reason>"`)
    }
  }
  return offences
}

/** A lock file that names a registry ties every clone to it. */
export function registryHosts(lockFiles: readonly SourceFile[]): string[] {
  return lockFiles.flatMap((file) =>
    file.text
      .split('\n')
      .flatMap((line, i) => (/"resolved":\s*"https?:|\/\/registry\./.test(line) ? [`${file.path}:${i + 1} names a registry`] : [])),
  )
}
