/**
 * The identity of this process, and whether another one still runs. Only certain facts count: a process has ended if
 * the kernel says so, or if the kernel that ran it no longer runs. Everything else is in doubt, and the caller must
 * treat the process as running.
 *
 * A process id alone proves nothing. Another process may have got it since, so the tick in which the process started is
 * compared. In another container (PID namespace) the id means another process, so the namespaces are compared. If they
 * differ, the owner's socket is asked (`life-socket.ts`). Host names prove nothing: two containers may have the same
 * name, and a machine may change its own. They are compared only if a system has nothing better (no `/proc`).
 */
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** A part is `null` if the system does not say. */
export interface ProcessIdentity {
  readonly pid: number
  readonly host: string
  /** The run of the kernel, from its start to its end. Containers of one machine share it. */
  readonly boot: string | null
  /** The namespaces to which its process id and start belong. */
  readonly namespaces: string | null
  readonly startTick: string | null
}

export type Life = 'running' | 'ended' | 'unknown'

/** Facts about a process that other files provide, asked for only when they are needed. */
export interface Witnesses {
  /** Whether only one kernel at a time can have the files before it. */
  readonly isLocal: () => Promise<boolean>
  /** Asks the socket of the process. */
  readonly askSocket: () => Promise<Life>
}

export function thisProcess(): ProcessIdentity {
  const { pid } = process
  return { pid, host: hostname(), boot: bootOf(), namespaces: namespacesOf(), startTick: startOf(pid) ?? null }
}

/** Whether a process runs, as far as that is certain. */
export async function lifeOf(owner: ProcessIdentity, { isLocal, askSocket }: Witnesses): Promise<Life> {
  const here = thisProcess()
  if (here.boot === null || owner.boot === null) {
    // On Linux `/proc` may be hidden by a sandbox, in which process ids mean something else.
    const isSameMachine = here.boot === owner.boot && here.host === owner.host && process.platform !== 'linux'
    return isSameMachine ? lifeHere(owner) : 'unknown'
  }
  if (owner.boot === here.boot && owner.namespaces !== null && owner.namespaces === here.namespaces) {
    return lifeHere(owner)
  }
  // Another kernel may have mounted the files too, and this one twice. Then neither the boot nor the socket proves an
  // end.
  if (!(await isLocal())) return 'unknown'
  return owner.boot === here.boot ? askSocket() : 'ended'
}

function lifeHere({ pid, startTick }: ProcessIdentity): Life {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH' ? 'ended' : 'running'
  }
  const now = startOf(pid)
  return startTick === null || now === undefined || now === startTick ? 'running' : 'ended'
}

function bootOf(): string | null {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return null
  }
}

/** Also `null` if `/proc` belongs to other namespaces, as in a container that got the machine's. */
function namespacesOf(): string | null {
  try {
    if (readlinkSync('/proc/self') !== String(process.pid)) return null
    return ['pid', 'time'].map((kind) => readlinkSync(`/proc/self/ns/${kind}`)).join(' ')
  } catch {
    return null
  }
}

/**
 * The start of a process, or `undefined` without `/proc`. For a process that has ended and is only waited for, a value
 * that never matches.
 */
function startOf(pid: number): string | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The program's name, in parentheses, may contain anything. The fields are counted from after it.
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? 'ended' : fields[19]
  } catch {
    return undefined
  }
}
