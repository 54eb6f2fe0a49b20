/**
 * Which process this is, and whether another one still runs. Only what is certain counts: a process has ended if the
 * kernel says so, or if the kernel that ran it is not there any more. Anything else is doubt, and the caller must treat
 * the process as running.
 *
 * A process id alone tells nothing. It may have been given to another process since, so the tick in which the process
 * started is compared. It means another process in another container (PID namespace), so the namespaces are compared,
 * and where they differ the owner's socket is asked (`life-socket.ts`). Host names tell nothing: two containers may
 * have the same, and one machine may change its own. They are compared only where a system has nothing better (no
 * `/proc`).
 */
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** Where it is `null`, the system does not tell. */
export interface ProcessIdentity {
  readonly pid: number
  readonly host: string
  /** The run of the kernel, from its start to its end. Containers of one machine share it. */
  readonly boot: string | null
  /** In which its process id and its start are to be understood. */
  readonly namespaces: string | null
  readonly startTick: string | null
}

export type Life = 'running' | 'ended' | 'unknown'

/** Facts about a process that other files provide, asked for only when they are needed. */
export interface Witnesses {
  /** Whether only one kernel at a time can have the files before it. */
  readonly isLocal: () => Promise<boolean>
  /** What the socket of the process says. */
  readonly askSocket: () => Promise<Life>
}

export function thisProcess(): ProcessIdentity {
  const { pid } = process
  return { pid, host: hostname(), boot: bootOf(), namespaces: namespacesOf(), startTick: startOf(pid) ?? null }
}

/** Whether a process runs, as far as it is certain. */
export async function lifeOf(owner: ProcessIdentity, { isLocal, askSocket }: Witnesses): Promise<Life> {
  const here = thisProcess()
  if (here.boot === null || owner.boot === null) {
    // On Linux a sandbox hides it, in which process ids mean something else.
    const isSameMachine = here.boot === owner.boot && here.host === owner.host && process.platform !== 'linux'
    return isSameMachine ? lifeHere(owner) : 'unknown'
  }
  if (owner.boot === here.boot && owner.namespaces !== null && owner.namespaces === here.namespaces) {
    return lifeHere(owner)
  }
  // Another kernel may have mounted them too, and this one twice: then neither the boot nor the socket proves an end.
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

/** `null` also where `/proc` is that of other namespaces, as in a container that was given the machine's. */
function namespacesOf(): string | null {
  try {
    if (readlinkSync('/proc/self') !== String(process.pid)) return null
    return ['pid', 'time'].map((kind) => readlinkSync(`/proc/self/ns/${kind}`)).join(' ')
  } catch {
    return null
  }
}

/**
 * Undefined where there is no /proc; for a process that has ended and is only waited for, something that never fits.
 */
function startOf(pid: number): string | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name of the program, in parentheses, may hold anything; the fields count from behind it.
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? 'ended' : fields[19]
  } catch {
    return undefined
  }
}
