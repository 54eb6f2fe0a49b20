/**
 * A round: the waiting commands of an instance, decided in order, each on the state that the previous one left, and the
 * commits of those that have events. From the results of the store, it derives what happens to each command.
 */
import { ConflictError } from '../domain/error.ts'
import type { StreamId } from '../domain/stream.ts'
import { Breath } from '../runtime/breath.ts'
import type { Environment } from '../runtime/environment.ts'
import type { Observing } from '../runtime/observing.ts'
import type { Commit } from '../store/commit.ts'
import type { AppendResult, Receipt } from '../store/store.ts'
import type { StoredCommand } from './answers.ts'
import type { CheckedCommand } from './checked-command.ts'
import { tellDecision } from './command-observation.ts'
import { type Decided, DecisionContext, type DecisionScope, decide, hasEvents } from './decide.ts'
import type { PendingCommand } from './pending-command.ts'
import type { LoadedState } from './rehydrate.ts'

/** A command without events. */
interface UnstoredCommand {
  readonly pending: PendingCommand
  readonly receipt?: undefined
}

/** What happens to the commands of a round. */
export interface Settled {
  /**
   * In order: commands that this round stored, and commands without events whose answers are true. They were decided on
   * a state that the log had when the batch was stored.
   */
  readonly answered: readonly (StoredCommand | UnstoredCommand)[]
  /** Commands whose ids were already stored. */
  readonly duplicates: readonly StoredCommand[]
  /** Commands that conflicted, with the sequence where the stream ends now. */
  readonly conflicts: readonly {
    readonly pending: PendingCommand
    readonly sequence: number
    readonly reserved: boolean
  }[]
  /** Commands that have to be decided again: their state was not stored, or may not be the newest. */
  readonly undone: readonly PendingCommand[]
}

export class Round {
  readonly commands: readonly PendingCommand[]
  readonly commits: readonly Commit[]
  /** Whether a command was not decided, because it expects another sequence. */
  readonly hasUnexpected: boolean

  /**
   * Decides the waiting commands. It ends early when it has taken too long, before a command whose fence must be asked
   * first, and before a second command with the same id. The second one needs the answer of the first, and later
   * commands must not overtake it. It also ends before a command that another process may be asked to decide too, if it
   * would have no events on the stored state (`mayFollow`), and before one whose decision asks for a time that is not
   * fixed yet (`fixed-time.ts`).
   *
   * @param waiting the commands; those that are not decided stay in it
   * @param loaded the durable state
   * @param observing absent if nobody observes
   */
  constructor(
    waiting: PendingCommand[],
    loaded: LoadedState,
    scope: DecisionScope,
    environment: Environment,
    observing?: Observing,
  ) {
    const breath = waiting.length < 8 ? undefined : new Breath(environment)
    const context = new DecisionContext(scope)
    // As long as they may get. A list that grows begins with room for many, and most rounds are short.
    const commands: PendingCommand[] = new Array(waiting.length)
    const commits: Commit[] = new Array(waiting.length)
    let commandCount = 0
    let commitCount = 0
    let hasUnexpected = false
    let ids: Set<string> | undefined
    let { state, sequence } = loaded
    let taken = 0
    for (const pending of waiting) {
      if (taken % 8 === 7 && breath!.isDue) break
      if (!pending.isAnswered) {
        if (!pending.isClear) break
        if (commitCount > 0 && !mayFollow(pending.command, loaded, context)) break
        if (pending.repeatable) {
          ids ??= new Set()
          if (ids.has(pending.commandId)) break
          ids.add(pending.commandId)
        }
        const { command } = pending
        const isExpected = command.expectedSequence === undefined || command.expectedSequence === sequence
        hasUnexpected ||= !isExpected
        let decided: Decided
        const beganAt = observing?.elapsed()
        try {
          if (!isExpected) throw unexpected(command, sequence, scope.stream)
          decided = decide(state, sequence, command, context)
        } catch (error) {
          decided = { kind: 'failed', error }
        }
        if (command.time?.isMissing === true) break
        if (beganAt !== undefined && isExpected) {
          tellDecision(observing!, pending, decided, { stream: scope.stream, sequence, beganAt })
        }
        if (decided.kind === 'events') {
          commits[commitCount++] = decided.commit
          state = decided.state
          sequence += decided.commit.events.length
        }
        pending.decideAs(decided, commitCount > 0)
        commands[commandCount++] = pending
      }
      taken++
    }
    if (taken === waiting.length) waiting.length = 0
    else waiting.splice(0, taken)
    commands.length = commandCount
    commits.length = commitCount
    this.commands = commands
    this.commits = commits
    this.hasUnexpected = hasUnexpected
  }

  /** Whether every command of the round has events, and all of them were stored. Most rounds are like this. */
  isStored(results: readonly AppendResult[]): results is readonly (Receipt & { readonly status: 'stored' })[] {
    if (this.commits.length < this.commands.length) return false
    for (const { status } of results) if (status !== 'stored') return false
    return true
  }

  /** Derives what happens to each command from the results of its commits. */
  settle(results: readonly AppendResult[]): Settled {
    const answered: Settled['answered'][number][] = []
    const duplicates: StoredCommand[] = []
    const conflicts: Settled['conflicts'][number][] = []
    const undone: PendingCommand[] = []
    /** Commands before the first commit. Their answers are true if that commit is stored. */
    let unfenced: PendingCommand[] = []
    let isBroken = false
    let next = 0
    for (const pending of this.commands) {
      const decided = pending.decided!
      if (decided.kind !== 'events') {
        if (isBroken) undone.push(pending)
        else if (next === 0) unfenced.push(pending)
        else answered.push({ pending })
        continue
      }
      const result = results[next++]!
      if (result.status === 'stored' && !isBroken) {
        for (const before of unfenced) answered.push({ pending: before })
        if (unfenced.length > 0) unfenced = []
        answered.push({ pending, receipt: result })
        continue
      }
      isBroken = true
      if (result.status !== 'conflict') duplicates.push({ pending, receipt: result })
      else {
        const { sequence, reserved = false } = result
        conflicts.push({ pending, sequence, reserved })
      }
    }
    return { answered, duplicates, conflicts, undone: unfenced.length === 0 ? undone : [...unfenced, ...undone] }
  }
}

/**
 * Whether a command may be decided behind others of its round. Another process may be asked to decide it too: one that
 * takes over a reaction or the stream, or whom the caller asks after a broken connection. It decides on the stored
 * state. If the command has no events there, that is an answer, and nothing would keep this round from being stored
 * later with the other answer. If it has events there too, only one of the two commits can be stored.
 */
function mayFollow(command: CheckedCommand, { state }: LoadedState, context: DecisionContext): boolean {
  if (!command.mayBeRepeated) return true
  return command.expectedSequence === undefined && hasEvents(state, command, context)
}

function unexpected({ name, expectedSequence }: CheckedCommand, sequence: number, stream: StreamId): ConflictError {
  const facts = { stream, command: name, expectedSequence: expectedSequence!, sequence }
  return new ConflictError('SEQUENCE_UNEXPECTED', facts)
}
