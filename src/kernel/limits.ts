/** The limits of the kernel, each with a name and a default. Nothing in the kernel grows without a limit. */
import { checkKeys, refuseOption } from '../domain/options.ts'

export interface KernelLimits {
  /** Live aggregates in memory. Above this, the least recently used idle ones are passivated. */
  readonly liveAggregatesMax: number
  /** Commands that wait for one aggregate. Above this, callers get `OVERLOADED`. */
  readonly mailboxMax: number
  /** Commands of all aggregates that are not answered yet. Above this, callers get `OVERLOADED`. */
  readonly commandsInFlightMax: number
  /**
   * The size of a command's data, in characters of JSON. Above this, callers get `COMMAND_TOO_LARGE`. The default is
   * what Mneme's stores allow for one commit. Nothing else happens in the process while data is checked.
   */
  readonly commandSizeMax: number
  /** Commits in one batch to the store. */
  readonly batchCommitsMax: number
  /** The size at which no further commit joins a batch, in characters of JSON. */
  readonly batchSizeMax: number
  /** How often a command is decided, if other writers keep writing to the stream, before its caller gets `CONFLICT`. */
  readonly conflictTriesMax: number
  /** How often an append that gets no answer is tried before callers get `OUTCOME_UNKNOWN`. */
  readonly appendTriesMax: number
  /** How often a load is tried, with short pauses, before its commands fail. */
  readonly loadTriesMax: number
  /** Snapshots that wait to be saved. Above this, further ones are left out, and the next load takes longer. */
  readonly snapshotsWaitingMax: number
  /** Snapshots that are kept of each stream. */
  readonly snapshotsKept: number
  /**
   * How long `stop` waits for everything in progress: commands, snapshots and projections. Callers of commands that are
   * not answered by then get `OUTCOME_UNKNOWN` or `STOPPED`.
   */
  readonly stopTimeoutMs: number
}

const limitDefaults: KernelLimits = Object.freeze({
  liveAggregatesMax: 10_000,
  mailboxMax: 10_000,
  commandsInFlightMax: 100_000,
  commandSizeMax: 8_000_000,
  batchCommitsMax: 5_000,
  batchSizeMax: 16_000_000,
  conflictTriesMax: 10,
  appendTriesMax: 5,
  loadTriesMax: 3,
  snapshotsWaitingMax: 1_000,
  snapshotsKept: 2,
  stopTimeoutMs: 30_000,
})

/**
 * The limits with their defaults.
 *
 * @throws DefinitionError `OPTION_INVALID`
 */
export function limitsOf(chosen: Partial<KernelLimits>): KernelLimits {
  checkKeys('limits', chosen, Object.keys(limitDefaults))
  for (const [name, found] of Object.entries(chosen)) {
    if (found === Number.POSITIVE_INFINITY) continue
    if (!Number.isSafeInteger(found) || found < 1) {
      refuseOption(`limits.${name}`, 'a whole number from 1, or Infinity', found)
    }
  }
  return { ...limitDefaults, ...chosen }
}
