/** Nothing that was started stays behind, however whoever started it ends. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { REAPER } from './processes.ts'

test('when its input ends, the reaper kills all groups, stopped ones too, and does not mind those that are gone', async () => {
  const sleepers = Array.from({ length: 3 }, () => spawn('sh', ['-c', 'sleep 100 & wait'], { detached: true, stdio: 'ignore' }))
  const ends = sleepers.map((sleeper) => once(sleeper, 'exit'))
  sleepers[0].kill('SIGKILL')
  await ends[0]
  sleepers[1].kill('SIGSTOP')
  const reaper = spawn('sh', ['-c', REAPER], { stdio: ['pipe', 'ignore', 'ignore'] })
  const reaped = once(reaper, 'exit')
  for (const { pid } of sleepers) reaper.stdin?.write(`${pid}\n`)
  reaper.stdin?.end()
  expect(await Promise.all(ends)).toEqual(sleepers.map(() => [null, 'SIGKILL']))
  await reaped
})
