/** What the tidy test holds the project to, as data. */

/** Folders, and the folders that each may import besides itself. Architecture: the core knows nobody. */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  runtime: [],
  operators: ['runtime'],
  worker: ['runtime', 'operators'],
  coordinator: ['runtime'],
  connectors: ['runtime'],
  sql: ['runtime', 'operators'],
  console: [],
  /** Coordinator and workers in one world from one seed. */
  simulation: ['runtime', 'operators', 'worker', 'coordinator', 'connectors'],
  /** The command line assembles processes, and reads files and signals itself. */
  cli: ['runtime', 'operators', 'worker', 'coordinator', 'connectors', ''],
  /** The files at the root assemble the public package and the command line. */
  '': ['runtime', 'operators', 'worker', 'coordinator', 'connectors', 'sql', 'cli', 'simulation'],
  tests: ['*'],
  bench: ['*'],
  examples: ['*'],
}

export const productFolders = ['runtime', 'operators', 'worker', 'coordinator', 'connectors', 'sql', 'console', 'simulation', 'cli']

/** Where a reader, a tool or a process starts. A product file must be reachable from an entry of the product. */
export const productEntries = [
  /^[^/]+\.ts$/,
  /^(worker|coordinator)\/main\.ts$/,
  // Workers of one generation under a seeded scheduler, without coordinator and processes: for tests of the engine.
  /^worker\/simulated-(group|cluster)\.ts$/,
  // A program on several threads, each with a worker of its own: what benchmarks run.
  /^worker\/parallel(-thread)?\.ts$/,
  // Arrangements inside loops are cut and restored, but not yet the counts beside them: see docs/design/0003-traces.md.
  /^runtime\/trace\/general-checkpoint\.ts$/,
  /^runtime\/env\/(simulated|browser)-environment\.ts$/,
]
export const otherEntries = [
  /^tests\/.*\.test\.ts$/,
  /^tests\/(harness|simulation)\/[a-z-]*sim-main\.ts$/,
  /^bench\/(main|parallel-program|recovery-[a-z-]+|exchange-[a-z-]+)\.ts$/,
  /^examples\/[^/]+\/(?:[^/]+\/)?[^/]+\.ts$/,
]

/** `node:` modules: only the Node half of the environment, so that the core runs in a browser. */
export const nodeHalf = [/^runtime\/env\/node-[^/]+\.ts$/, /^cli\//, /^[^/]+\.ts$/]
/** Globals that are not functions of their arguments: only behind the one door. */
export const besideTheDoor = [/^runtime\/env\/[^/]+\.ts$/, /^cli\//, /^[^/]+\.ts$/]
export const doorFolders = ['runtime', 'operators', 'worker', 'coordinator', 'connectors', 'sql']

const GLOBAL = '(?:(?<![.\\w$])|(?<=\\b(?:globalThis|window|self)\\.))'
export const sideDoors: readonly { readonly name: string; readonly pattern: RegExp }[] = [
  { name: 'Date.now', pattern: new RegExp(`${GLOBAL}Date\\s*\\.\\s*now\\b`) },
  { name: 'the current Date', pattern: new RegExp(`${GLOBAL}(?:new\\s+Date\\s*(?:\\(\\s*\\)|(?!\\s*\\())|(?<!new\\s+)Date\\s*\\()`) },
  { name: 'performance', pattern: new RegExp(`${GLOBAL}performance\\s*\\.`) },
  { name: 'Math.random', pattern: new RegExp(`${GLOBAL}Math\\s*\\.\\s*random\\b`) },
  { name: 'a timer', pattern: new RegExp(`${GLOBAL}(?:setTimeout|setInterval|setImmediate|requestAnimationFrame)\\b`) },
  { name: 'crypto', pattern: new RegExp(`${GLOBAL}crypto\\s*\\.`) },
  { name: 'the network', pattern: new RegExp(`${GLOBAL}(?:fetch\\s*\\(|new\\s+(?:WebSocket|EventSource|XMLHttpRequest)\\b)`) },
  // By what Node's has: a process is also what a member of a cluster is called.
  {
    name: 'process',
    pattern: new RegExp(
      `${GLOBAL}process\\s*\\.\\s*(?:argv|cpuUsage|cwd|env|execPath|exit|exitCode|getuid|hrtime|memoryUsage|nextTick|off|on|once|pid|platform|resourceUsage|stderr|stdin|stdout|uptime|versions)\\b`,
    ),
  },
]

export const LONGEST_FILE = 500
