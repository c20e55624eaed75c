// Type-checks and emits dist/. Does nothing when no source has changed since the last clean build.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const dist = join(root, 'dist')
const stamp = join(dist, '.stamp')
const config = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'))
const excluded = new Set(config.exclude)
const folders = config.include.filter((pattern) => !pattern.includes('*'))

/** Every .ts source of the compilation, relative to the root. */
function sources() {
  const found = readdirSync(root).filter((name) => name.endsWith('.ts'))
  const visit = (folder) => {
    if (excluded.has(folder) || !existsSync(join(root, folder))) return
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`
      if (entry.isDirectory()) visit(path)
      else if (path.endsWith('.ts')) found.push(path)
    }
  }
  for (const folder of folders) visit(folder)
  return found.sort()
}

function digest(paths) {
  const hash = createHash('sha256')
  for (const path of [...paths, 'tsconfig.json', 'package.json', 'package-lock.json', 'scripts/build.mjs']) {
    const { mtimeMs, size } = statSync(join(root, path))
    hash.update(`${path} ${mtimeMs} ${size}\n`)
  }
  return hash.digest('hex')
}

/** Removes what an earlier build emitted for a source that is gone: it would be packed and published. */
function prune(paths) {
  const stems = new Set(paths.map((path) => path.replace(/(\.d)?\.ts$/, '')))
  const visit = (folder) => {
    for (const entry of readdirSync(join(dist, folder), { withFileTypes: true })) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) visit(path)
      else if (/\.(js|d\.ts)(\.map)?$/.test(path) && !stems.has(path.replace(/\.(js|d\.ts)(\.map)?$/, ''))) rmSync(join(dist, path))
    }
  }
  visit('')
}

const paths = sources()
const now = digest(paths)
if (existsSync(stamp) && readFileSync(stamp, 'utf8') === now) process.exit(0)

mkdirSync(dist, { recursive: true })
rmSync(stamp, { force: true })
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
const result = spawnSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.json')], { stdio: ['ignore', 2, 2], cwd: root })
if (result.error) throw result.error
if (result.status !== 0) process.exit(result.status ?? 1)
prune(paths)
writeFileSync(stamp, now)
