/** Marks of real processes, of which some end. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { markOf, nodeProcessMarks } from '../../runtime/env/node-process-marks.ts'
import { noProcessMarks } from '../../runtime/env/process-marks.ts'

const children: ChildProcess[] = []

async function started(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', 'console.log("up"); setInterval(() => {}, 1000)'], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  await once(child.stdout as NodeJS.ReadableStream, 'data')
  return child
}

async function killed(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => (child.exitCode === null && child.signalCode === null ? killed(child) : undefined)))
})

describe.runIf(process.platform === 'linux')('the mark of a process', () => {
  it('tells when it has ended, and only then', async () => {
    const marks = await nodeProcessMarks()
    const child = await started()
    const mark = (await markOf(child.pid as number)) as string
    expect(mark).not.toBe(marks.own)
    expect(await marks.hasEnded(mark)).toBe(false)
    child.kill('SIGSTOP')
    expect(await marks.hasEnded(mark)).toBe(false)
    await killed(child)
    expect(await marks.hasEnded(mark)).toBe(true)
    expect(await markOf(child.pid as number)).toBeNull()
  })

  it('is not that of another one with its number', async () => {
    const { own, hasEnded } = await nodeProcessMarks()
    const [boot, namespace, pid, start] = (own as string).split(' ')
    expect(Number(pid)).toBe(process.pid)
    expect(await hasEnded(own as string)).toBe(false)
    expect(await hasEnded([boot, namespace, pid, Number(start) - 1].join(' '))).toBe(true)
  })

  it('says nothing of other machines and namespaces, nor does what is no mark', async () => {
    const { own, hasEnded } = await nodeProcessMarks()
    const child = await started()
    const [boot, namespace, pid, start] = ((await markOf(child.pid as number)) as string).split(' ')
    await killed(child)
    expect(await hasEnded(['another-boot', namespace, pid, start].join(' '))).toBe(false)
    expect(await hasEnded([boot, 'pid:[1]', pid, start].join(' '))).toBe(false)
    for (const text of ['', 'x', `${boot} ${namespace} 0 ${start}`, `${boot} ${namespace} -1 ${start}`, `${boot} ${namespace} ${pid}`])
      expect(await hasEnded(text)).toBe(false)
    expect(own).not.toBeNull()
  })
})

it('where nothing is known of processes, none has ended', async () => {
  expect(noProcessMarks.own).toBeNull()
  expect(await noProcessMarks.hasEnded('anything')).toBe(false)
})
