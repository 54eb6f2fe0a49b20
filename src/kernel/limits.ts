/** The bounds of the kernel, each with a name and a default: nothing in it grows without end. */
import { DefinitionError } from '../domain/error.ts'
import { checkKeys } from '../domain/options.ts'

export interface KernelLimits {
  /** Live aggregates kept in memory; over it the least recently used idle ones are passivated. */
  readonly liveAggregatesMax: number
  /** Commands that one aggregate lets wait; over it callers get `OVERLOADED`. */
  readonly mailboxMax: number
  /** Commands of all aggregates that are not answered yet; over it callers get `OVERLOADED`. */
  readonly commandsInFlightMax: number
  /**
   * The size of a command's data, in characters of JSON; over it callers get `COMMAND_TOO_LARGE`. As much as one commit
   * may hold in the stores of Mneme: data is checked at once, and holds up everybody else for so long.
   */
  readonly commandSizeMax: number
  /** Commits in one batch to the store. */
  readonly batchCommitsMax: number
  /** The size at which no further commit joins a batch, in characters of JSON. */
  readonly batchSizeMax: number
  /** How often a command is decided again because others wrote the stream, before its caller gets `CONFLICT`. */
  readonly conflictTriesMax: number
  /** How often an append without an answer is repeated before callers get `OUTCOME_UNKNOWN`. */
  readonly appendTriesMax: number
  /** How often loading an aggregate is tried at once when the store is unavailable. */
  readonly loadTriesMax: number
  /** Snapshots that wait to be saved; over it further ones are left out, which costs time at the next load only. */
  readonly snapshotsWaitingMax: number
  /** Snapshots kept of each stream. */
  readonly snapshotsKept: number
  /**
   * How long `stop` waits for commands and snapshots under way before it tells the callers that the outcome is unknown,
   * and then for projections.
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
    if (found !== Number.POSITIVE_INFINITY && !(Number.isSafeInteger(found) && found > 0)) {
      const expected = 'a whole number above 0, or Infinity'
      throw new DefinitionError('OPTION_INVALID', { option: `limits.${name}`, expected, found })
    }
  }
  return { ...limitDefaults, ...chosen }
}
