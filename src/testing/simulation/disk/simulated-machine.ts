/**
 * The machine under simulated processes, as the file store asks about it: which of them run, and since which start of
 * the machine. It has no sockets.
 */
import type { EventLoop } from '../../../runtime/breath.ts'
import type { Machine } from '../../../store/file/database/machine.ts'
import type { ProcessIdentity } from '../../../store/file/database/process-identity.ts'
import type { Random } from '../../random.ts'

/** A process, as the machine knows it. */
export interface ProgramParts {
  readonly loop: EventLoop
  readonly random: Random
  readonly isRunning: () => boolean
}

export class SimulatedMachine {
  readonly #running: (() => boolean)[] = []
  #boots = 1
  #ids = 0

  /** The machine as a process sees it that starts now. */
  start({ loop, random, isRunning }: ProgramParts): Machine {
    const pid = this.#running.push(isRunning)
    const boot = String(this.#boots)
    const identity: ProcessIdentity = { pid, host: 'simulated', boot, namespaces: '1', startTick: String(pid) }
    return {
      loop,
      thisProcess: () => identity,
      letGo: new Set(),
      lifeOf: async (owner) => (this.#isRunning(owner) ? 'running' : 'ended'),
      listen: async () => undefined,
      ask: async () => 'unknown',
      newId: () => `id-${++this.#ids}`,
      newSeed: () => random.int(0, 0x7ffffffe),
    }
  }

  /** It starts again. Nothing runs any more. */
  restart(): void {
    this.#boots++
  }

  #isRunning({ pid, boot }: ProcessIdentity): boolean {
    return boot === String(this.#boots) && this.#running[pid - 1]!()
  }
}
