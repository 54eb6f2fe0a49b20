/**
 * What the file store needs of its machine beside a disk: which processes run, ids that nobody else makes, chance, and
 * the event loop. It is handed in, so that a simulation can decide all of it.
 */
import { randomInt } from 'node:crypto'
import type { EventLoop } from '../../../runtime/breath.ts'
import { platformLoop } from '../../../runtime/timers.ts'
import { ask, type LifeSocket, listen } from './life-socket.ts'
import { type Life, lifeOf, type ProcessIdentity, thisProcess, type Witnesses } from './process-identity.ts'

export interface Machine {
  readonly loop: EventLoop
  /** The process that opens the store. */
  thisProcess(): ProcessIdentity
  /** The tokens of the locks that this process has let go of, but could not mark as free. */
  readonly letGo: Set<string>
  /** Whether a process runs, as far as that is certain. */
  lifeOf(owner: ProcessIdentity, witnesses: Witnesses): Promise<Life>
  /** Listens on a socket as long as this process lives, if the machine has such sockets. */
  listen(path: string): Promise<LifeSocket | undefined>
  /** Whether a process listens on a socket. */
  ask(path: string): Promise<Life>
  /** Makes an id that no other log and no other lock has. */
  newId(): string
  /** A whole number from 0 to 2^31 - 2, by chance. */
  newSeed(): number
}

/** The machine on which this program runs. */
export const thisMachine: Machine = Object.freeze({
  loop: platformLoop,
  thisProcess,
  letGo: new Set<string>(),
  lifeOf,
  listen,
  ask,
  newId: () => crypto.randomUUID(),
  newSeed: () => randomInt(0x7fffffff),
})
