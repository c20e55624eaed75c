/**
 * Marks of processes on Linux: the boot of the machine, the namespace in which the number of the process counts, the number, and the
 * clock tick at which it started. A container has the boot of its host, and a namespace of its own.
 */
import { readFile, readlink } from 'node:fs/promises'
import type { ProcessMarks } from './process-marks.ts'

/** The fields of /proc/PID/stat after the name, which is in parentheses and may hold anything; it starts with field 3. */
const START_TICK = 22 - 3

export async function nodeProcessMarks(): Promise<ProcessMarks> {
  return { own: await markOf(process.pid), hasEnded }
}

/** Null on other systems than Linux, and for a process that is not there, or not shown to us. */
export async function markOf(pid: number): Promise<string | null> {
  try {
    const boot = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
    return `${boot} ${await readlink('/proc/self/ns/pid')} ${pid} ${await startOf(pid)}`
  } catch {
    return null
  }
}

async function hasEnded(mark: string): Promise<boolean> {
  const [boot, namespace, number, start] = mark.split(' ')
  const pid = Number(number)
  const own = await markOf(process.pid)
  if (own === null || !own.startsWith(`${boot} ${namespace} `) || start === undefined || !(Number.isSafeInteger(pid) && pid > 0))
    return false
  if (!isThere(pid)) return true
  try {
    return (await startOf(pid)) !== start
  } catch {
    // It is there, and hidden from us; or it has just ended, which is seen the next time.
    return false
  }
}

/** A signal of no effect finds also processes that /proc hides. */
function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[START_TICK]
  if (start === undefined || !/^\d+$/.test(start)) throw new Error(`/proc/${pid}/stat is not as expected`)
  return start
}
