/** What goes wrong in a simulation, and how often. */
import { checkKeys, checkOption, refuseOption } from '../../domain/options.ts'
import { Random } from '../random.ts'

/** How often each fault happens. All are probabilities between 0 and 1, if nothing else is said. */
export interface FaultRates {
  /** Calls to the store, and answers, that take up to three seconds; others take milliseconds. */
  readonly slow: number
  /** Calls that fail before they reach the store. */
  readonly failBefore: number
  /** Calls whose effect happens, but whose answer is lost: the caller gets an error. */
  readonly loseAnswer: number
  /** Calls that fail for the caller, and reach the store later all the same. */
  readonly actLater: number
  /** Appends and steps that reach the store twice. */
  readonly duplicate: number
  /** Hints that the log has grown which are lost. The others may come late. */
  readonly loseHint: number
  /** Crashes of a process for each command of a client. The process is started again after a while. */
  readonly crash: number
  /** The same for a stop in good order. */
  readonly stop: number
  /**
   * The same for a process that does nothing for up to 30 seconds, and for 8 seconds after the last command at most.
   * Its leases are shorter.
   */
  readonly freeze: number
  /** The same for a process's clock, which is wrong by up to a minute from then on. */
  readonly setClock: number
  /** The same for a process that cannot reach its store for up to 20 seconds. */
  readonly partition: number
  /** The same for an operator who rebuilds a projection. */
  readonly rebuild: number
  /** The same for one who pauses a projection or a reaction for a while. */
  readonly pause: number
  /** The same for one who stops a projection or a reaction in one process, and starts it again after a while. */
  readonly halt: number
  /** The same for one who lets the parked events of a projection or a reaction be tried again. */
  readonly retryParked: number
  /** The same for one who skips the first parked event of a projection with rows. */
  readonly skipParked: number
  /** Deployments of an upgrade that are rolled back, and done again later. */
  readonly rollBack: number
  /**
   * The same for a restore: all processes end, everything in the store is set back to an older state, and the processes
   * start again. What was stored since is lost, also if it was acknowledged. 0 unless it is given.
   */
  readonly restore: number
  /**
   * The same, but only the log is set back: rows, checkpoints, scheduled commands and snapshots are ahead of it. An
   * operator then rebuilds the rows, and resets the others. What a reaction did for an older event may be lost with the
   * log, so it handles all events again. 0 unless it is given.
   */
  readonly restoreLog: number
  /** Clients that send a command once more with the same id, though they have its answer. */
  readonly repeat: number
  /** In a cluster, what one member says to another that is lost together with the link between them. */
  readonly breakLink: number
  /** Lines between two members of a cluster that are cut for up to 20 seconds, for each command of a client. */
  readonly cut: number
  /** Operators who forget somebody, for each command of a client. Only if the simulation is told whom. */
  readonly forget: number
  /** Calls to a simulated disk that fail. A write may be done in part, and a sync may lose what it was for. */
  readonly failDisk: number
  /**
   * Power failures of a machine with a simulated disk, for each command of a client. What was written and not synced is
   * lost, in part or as a whole.
   */
  readonly losePower: number
  /**
   * Writes to a simulated disk that have landed at a wrong place, for each command of a client. When the damage is
   * named, an operator puts a backup back; so what was acknowledged since is lost. 0 unless it is given.
   */
  readonly misdirect: number
  /**
   * Calls to a store on a network at which the process stands still, for up to ten seconds: before the call is on its
   * way, or before it has the answer. 0 unless it is given.
   */
  readonly standStill: number
  /**
   * Clients that give their command up by its signal, up to a second after they have sent it. 0 unless it is given.
   */
  readonly giveUp: number
  /**
   * Clients that use the id of a command which they know to be stored for another one to the same aggregate. 0 unless
   * it is given.
   */
  readonly reuse: number
}

export const noFaults: FaultRates = Object.freeze({
  slow: 0,
  failBefore: 0,
  loseAnswer: 0,
  actLater: 0,
  duplicate: 0,
  loseHint: 0,
  crash: 0,
  stop: 0,
  freeze: 0,
  setClock: 0,
  partition: 0,
  rebuild: 0,
  pause: 0,
  halt: 0,
  retryParked: 0,
  skipParked: 0,
  rollBack: 0,
  repeat: 0,
  restore: 0,
  restoreLog: 0,
  breakLink: 0,
  cut: 0,
  forget: 0,
  failDisk: 0,
  losePower: 0,
  misdirect: 0,
  standStill: 0,
  giveUp: 0,
  reuse: 0,
})

/** The most of each that a run may have: within it Mneme keeps all promises. */
const worst: FaultRates = Object.freeze({
  slow: 0.25,
  failBefore: 0.15,
  loseAnswer: 0.15,
  actLater: 0.1,
  duplicate: 0.1,
  loseHint: 0.5,
  crash: 0.1,
  stop: 0.05,
  freeze: 0.2,
  setClock: 0.05,
  partition: 0.05,
  rebuild: 0.03,
  pause: 0.05,
  halt: 0.05,
  retryParked: 0.2,
  skipParked: 0.3,
  rollBack: 1,
  repeat: 0.2,
  // They lose what was acknowledged, so not every invariant can hold then.
  restore: 0,
  restoreLog: 0,
  breakLink: 0.03,
  cut: 0.1,
  forget: 0.2,
  failDisk: 0.05,
  losePower: 0.15,
  misdirect: 0,
  standStill: 0,
  giveUp: 0,
  reuse: 0,
})

export const faultNames = Object.keys(noFaults) as readonly (keyof FaultRates)[]

/**
 * The rates of one run. A random half of the faults is left out, and the others are anything from rare to as bad as is
 * allowed: so each fault also meets the others one by one.
 */
export function drawFaults(seed: number): FaultRates {
  const random = new Random(seed)
  const rates: Record<string, number> = {}
  for (const name of faultNames) rates[name] = random.chance(0.5) ? 0 : worst[name] * random.next() ** 2
  return rates as unknown as FaultRates
}

/** Rates as they are given. @throws DefinitionError `OPTION_INVALID` */
export function ratesOf(given: Partial<FaultRates>): FaultRates {
  if (given === null) refuseOption('faults', 'a record of rates', given)
  checkKeys('faults', given, faultNames)
  for (const [name, rate] of Object.entries(given)) {
    checkOption(
      `faults.${name}`,
      rate,
      (found) => typeof found === 'number' && found >= 0 && found <= 1,
      'a number from 0 to 1',
    )
  }
  return { ...noFaults, ...given }
}
