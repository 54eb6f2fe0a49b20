/**
 * Which process this is, and whether another one still runs. A process id alone does not tell: it may have been given to
 * another process since, so the time it started is compared where the system shows it (/proc). Of a process on
 * another machine nothing can be learnt; it counts as running.
 */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'

export interface ProcessIdentity {
  readonly pid: number
  readonly host: string
  /** The boot of the machine and the tick in it when the process started; `null` where neither can be known. */
  readonly started: string | null
}

export function thisProcess(): ProcessIdentity {
  return { pid: process.pid, host: hostname(), started: startOf(process.pid) ?? null }
}

/** Whether a process runs, as far as can be told from here. */
export function isRunning({ pid, host, started }: ProcessIdentity): boolean {
  if (host !== hostname()) return true
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  const now = startOf(pid)
  return started === null || now === undefined || now === started
}

/** Undefined where there is no /proc; for a process that has ended and is only waited for, something that never fits. */
function startOf(pid: number): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name of the program, in parentheses, may hold anything; the fields count from behind it.
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ')
    const [state, tick] = [fields[0], fields[19]]
    return state === 'Z' || state === 'X' ? 'ended' : `${boot} ${tick}`
  } catch {
    return undefined
  }
}
