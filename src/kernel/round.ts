/**
 * What an instance decides at once: the waiting commands in order, each on the state that the one before left, and the
 * commits of those that have events. Once the store has answered, a round says what becomes of each command.
 */

import { Breath } from '../runtime/breath.ts'
import type { Environment } from '../runtime/environment.ts'
import type { Commit } from '../store/commit.ts'
import type { AppendResult } from '../store/store.ts'
import type { AcceptedCommand, StoredCommand } from './answers.ts'
import { type Decided, DecisionContext, type DecisionPlace, decide } from './decide.ts'
import type { PendingCommand } from './pending-command.ts'
import type { LoadedState } from './rehydrate.ts'

/** A command that stores nothing. */
interface UnstoredCommand {
  readonly pending: PendingCommand
  readonly receipt?: undefined
}

/** What becomes of the commands of a round. */
export interface Settled {
  /**
   * In order, commands that were stored by this round, and those that store nothing and whose answers are true: each
   * was decided on a state that the log was in when the batch was stored.
   */
  readonly answered: readonly (AcceptedCommand | UnstoredCommand)[]
  /** Commands whose ids were stored before. */
  readonly duplicates: readonly StoredCommand[]
  /** Commands that conflicted, with how far the stream is. */
  readonly conflicts: readonly {
    readonly pending: PendingCommand
    readonly sequence: number
    readonly reserved: boolean
  }[]
  /** Commands that were decided on what was not stored, or on what may have been left behind. */
  readonly undone: readonly PendingCommand[]
}

export class Round {
  readonly commands: readonly PendingCommand[]
  readonly commits: readonly Commit[]

  /**
   * Decides what waits. It ends early when it has taken its time, before a command whose fence is to be asked, and
   * before a second command with an id that is in it already: that one needs the first one's answer, and what came
   * after it must not overtake it.
   *
   * @param waiting the commands; what is not decided stays in it
   * @param standing the durable state
   */
  constructor(waiting: PendingCommand[], standing: LoadedState, place: DecisionPlace, environment: Environment) {
    const breath = new Breath(environment)
    const context = new DecisionContext(place)
    const commands: PendingCommand[] = []
    const commits: Commit[] = []
    let ids: Set<string> | undefined
    let { state, sequence } = standing
    let taken = 0
    for (const pending of waiting) {
      if (taken % 8 === 7 && breath.isDue) break
      if (!pending.isAnswered) {
        if (!pending.isClear) break
        if (pending.repeatable) {
          ids ??= new Set()
          if (ids.has(pending.commandId)) break
          ids.add(pending.commandId)
        }
        let decided: Decided
        try {
          decided = decide(state, sequence, pending, context)
        } catch (error) {
          decided = { kind: 'failed', error }
        }
        if (decided.kind === 'events') {
          commits.push(decided.commit)
          state = decided.state
          sequence += decided.data.length
        }
        pending.decideAs(decided, commits.length > 0)
        commands.push(pending)
      }
      taken++
    }
    if (taken === waiting.length) waiting.length = 0
    else waiting.splice(0, taken)
    this.commands = commands
    this.commits = commits
  }

  /** What becomes of each command, by what became of the commits. */
  settle(results: readonly AppendResult[]): Settled {
    const answered: Settled['answered'][number][] = []
    const duplicates: StoredCommand[] = []
    const conflicts: Settled['conflicts'][number][] = []
    const undone: PendingCommand[] = []
    /** Those before the first commit: their answers are true if that one is stored. */
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
        answered.push({ pending, decided, receipt: result })
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
