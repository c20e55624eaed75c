import { describe, expect, it } from 'vitest'
import { blank } from './tidy/blank.ts'
import * as checks from './tidy/checks.ts'
import { readTracked, type SourceFile, trackedFiles } from './tidy/project.ts'

const paths = trackedFiles()
const sources = paths.filter((path) => path.endsWith('.ts')).map(readTracked)
const lockFiles = paths.filter((path) => path.endsWith('package-lock.json')).map(readTracked)

const file = (path: string, ...lines: string[]): SourceFile => ({ path, text: `${lines.join('\n')}\n` })

describe('the project is tidy', () => {
  it('folders import only what the table lets them', () => expect(checks.dependencyDirection(sources)).toEqual([]))
  it('no file imports itself by a detour', () => expect(checks.importCycles(sources)).toEqual([]))
  it.skipIf(!paths.includes('millrace.ts'))('every file is reached from an entry', () => expect(checks.deadFiles(sources)).toEqual([]))
  it('no side doors around runtime/env', () => expect(checks.sideDoors(sources)).toEqual([]))
  it('no barrels inside folders', () => expect(checks.barrels(sources)).toEqual([]))
  it('no overlong files', () => expect(checks.longFiles(sources)).toEqual([]))
  it('no any in the product', () => expect(checks.anyTypes(sources)).toEqual([]))
  it('operators keep no state of their own', () => expect(checks.privateState(sources)).toEqual([]))
  it('lock files name no registry', () => expect(checks.registryHosts(lockFiles)).toEqual([]))
})

describe('the checks see what they are for', () => {
  it('a wrong direction, a missing file, an unknown folder', () => {
    const runtime = file('runtime/a.ts', "import { b } from '../operators/b.ts'", "import type { c } from './c.ts'")
    const found = checks.dependencyDirection([runtime, file('operators/b.ts'), file('elsewhere/d.ts')])
    expect(found).toEqual([
      'runtime/a.ts:1 imports operators/b.ts: runtime may import nothing of ours',
      'runtime/a.ts:2 imports runtime/c.ts, which does not exist',
      'elsewhere/d.ts: the folder elsewhere is not in the dependency table',
    ])
    const thread = file('worker/t.ts', "new URL('../coordinator/x.ts', import.meta.url)", "await import('../runtime/a.ts')")
    expect(checks.dependencyDirection([thread, file('coordinator/x.ts'), file('runtime/a.ts')])).toHaveLength(1)
    expect(checks.dependencyDirection([file('runtime/a.ts', "f(\"import x from './y.ts'\") // import './z.ts'")])).toEqual([])
  })

  it('a cycle of three, and types count', () => {
    const cycle = [file('runtime/a.ts', "import './b.ts'"), file('runtime/b.ts', "import { c } from './c.ts'")]
    expect(checks.importCycles([...cycle, file('runtime/c.ts', "import type { A } from './a.ts'")])).toHaveLength(1)
    expect(checks.importCycles([...cycle, file('runtime/c.ts', "// import './a.ts'")])).toEqual([])
  })

  it('a file that only tests reach, and a helper that nothing reaches', () => {
    const found = checks.deadFiles([
      file('millrace.ts', "import './runtime/live.ts'"),
      file('runtime/live.ts'),
      file('runtime/dead.ts'),
      file('tests/a.test.ts', "import '../runtime/dead.ts'", "import './helper.ts'"),
      file('tests/helper.ts'),
      file('tests/forgotten.ts'),
    ])
    expect(found).toEqual(['runtime/dead.ts: no entry of the product reaches it', 'tests/forgotten.ts: no entry reaches it'])
  })

  it('clock, chance, timers, disk and network beside the door', () => {
    const doors = [
      'Date.now()',
      'new Date()',
      'const d = Date()',
      'performance.now()',
      'Math.random()',
      'setTimeout(f, 1)',
      'globalThis.setInterval(f)',
      'crypto.getRandomValues(x)',
      'await fetch(url)',
      'process.env.HOME',
    ]
    expect(checks.sideDoors([file('operators/a.ts', ...doors, "import fs from 'node:fs'")])).toHaveLength(doors.length + 1)
    const proper = [
      'new Date(micros / 1000)',
      'timers.setTimeout(f, 1)',
      "'Date.now()' // Date.now()",
      'type Clock = Date',
      'Date.UTC(1970)',
    ]
    expect(checks.sideDoors([file('runtime/a.ts', ...proper), file('runtime/env/system-clock.ts', 'Date.now()')])).toEqual([])
    expect(checks.sideDoors([file('runtime/env/disk.ts', "import fs from 'node:fs'"), file('bench/main.ts', 'Date.now()')])).toHaveLength(1)
  })

  it('barrels, long files, any', () => {
    expect(
      checks.barrels([file('runtime/a.ts', "export * from './b.ts'"), file('operators/a.ts', "export { x } from './b.ts'")]),
    ).toHaveLength(2)
    expect(checks.barrels([file('millrace.ts', "export * from './runtime/b.ts'"), file('runtime/b.ts', 'export { x }')])).toEqual([])
    expect(checks.longFiles([file('runtime/a.ts', ...Array<string>(501).fill(''))])).toHaveLength(1)
    const types = ['let a: any', 'f(x as any)', 'let b: Map<string, any>', 'let c: string | any', 'type T<X = any> = X', 'let d: any[]']
    expect(checks.anyTypes([file('runtime/a.ts', ...types)])).toHaveLength(types.length)
    expect(checks.anyTypes([file('runtime/a.ts', "'as any' // : any", 'Promise.any(x)', 'const any = 1', 'f({ any: 1 })')])).toEqual([])
  })

  it('maps and sets in operators', () => {
    const fields = [
      'class Count extends Operator {',
      '  private readonly seen = new Map<number, number>()',
      '  keys: Set<number>',
      '  ok = 1',
    ]
    expect(checks.privateState([file('operators/count.ts', ...fields, '}')])).toHaveLength(2)
    const proper = [
      'class Count extends Operator {',
      '  private readonly names = new Map() // not state: rebuilt from the plan',
      '  f(): void {',
      '    const m = new Map()',
      '  }',
      '}',
    ]
    expect(
      checks.privateState([file('operators/count.ts', ...proper, 'const cache = new Map()'), file('runtime/a.ts', ...fields)]),
    ).toEqual([])
  })

  it('a registry in a lock file', () => {
    const line = '"resolved": "https://registry.invalid/a/-/a-1.0.0.tgz",'
    expect(checks.registryHosts([file('package-lock.json', line, '"url": "https://github.com/sponsors/a"')])).toHaveLength(1)
  })

  it('blanking knows strings, templates, regular expressions and comments', () => {
    const code = (text: string): string => blank(text, 'comments and strings').replaceAll(' ', '')
    expect(code("a('it\\'s') // b")).toBe("a('')")
    expect(code('`x $\u007by + `$\u007bz}`} // w` + v')).toBe('`$\u007by+`$\u007bz}`}`+v')
    expect(code('() => { return `$\u007b{ a: 1 }.a}` }')).toBe('()=>{return`$\u007b{a:1}.a}`}')
    expect(code('s.replace(/[\'"/]/g, x) / 2 / y')).toBe('s.replace(//g,x)/2/y')
    expect(code('a /* b\n c */ d')).toBe('a\nd')
  })
})
