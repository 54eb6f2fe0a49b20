/**
 * How a command gets its answer where it is not simply accepted: from the verdict that stores nothing, or from what is
 * stored under its id. Whoever waits for the store here is listed in `inquiries`, so that stopping can end the wait.
 */
import { InputError, OutcomeUnknownError } from '../domain/error.ts'
import type { StreamId } from '../domain/stream.ts'
import { Breath } from '../runtime/breath.ts'
import { deepFreeze } from '../runtime/freeze.ts'
import type { Receipt, StoredEvent } from '../store/store.ts'
import { acceptedEvents } from './accepted-events.ts'
import type { AggregateType } from './aggregate-type.ts'
import type { Decided } from './decide.ts'
import type { PendingCommand } from './pending-command.ts'
import type { Readings } from './readings.ts'
import { catchUp, type LoadedState, recordedEvent, rehydrate, type Sources } from './rehydrate.ts'

/** What answers are made from. */
export interface Answering extends Sources {
  /** Commands whose answer is being looked for in the store, with their streams. */
  readonly inquiries: Map<PendingCommand, StreamId>
  /** Of the streams that answers are read from. */
  readonly readings: Readings<Asked>
}

/** The instance that a command was for. */
interface Addressee {
  readonly type: AggregateType
  readonly stream: StreamId
}

/** A command whose id is stored, and where. */
export interface StoredCommand {
  readonly pending: PendingCommand
  readonly receipt: Receipt
}

/** A command that is stored now, as it was decided. */
export interface AcceptedCommand extends StoredCommand {
  readonly decided: Decided & { readonly kind: 'events' }
}

/** Answers a command that is stored now. */
export function answerAccepted({ pending, decided, receipt }: AcceptedCommand): void {
  const { sequence, position } = receipt
  const events = acceptedEvents(decided.commit, decided.data, receipt)
  pending.succeed({ accepted: true, state: decided.state, sequence, position, events })
}

/** Answers a command that decided no events, on the standing that it was decided on. */
export function answerDecided(pending: PendingCommand, { state, sequence, position }: LoadedState): void {
  const decided = pending.decided!
  if (decided.kind === 'failed') pending.fail(decided.error)
  else if (decided.kind === 'rejected') pending.succeed({ accepted: false, rejection: decided.rejection })
  else pending.succeed({ accepted: true, state, sequence, position, events: [] })
}

/** The same for a command with an id of the caller's: only if that id is not stored yet, by whomever. */
export function answerIfNew(
  answering: Answering,
  addressee: Addressee,
  pending: PendingCommand,
  standing: LoadedState,
): Promise<void> {
  // It may have had its effect long ago, so nobody may be told from here on that it had none.
  pending.markSent()
  return inquire(answering, addressee, [pending], async () => {
    const receipt = await answering.events.findCommit(addressee.stream, pending.commandId)
    if (receipt === undefined) answerDecided(pending, standing)
    else await answerAll(answering, addressee, [{ pending, receipt }], standing)
  })
}

/**
 * Answers commands that are stored with what was stored: their events, and the state as it was after them.
 *
 * @param known a state of the instance, so that what lies behind it need not be replayed from further back
 */
export function answerStored(
  answering: Answering,
  addressee: Addressee,
  stored: readonly StoredCommand[],
  known: LoadedState,
): Promise<void> {
  const commands = stored.map(({ pending }) => pending)
  return inquire(answering, addressee, commands, () => answerAll(answering, addressee, stored, known))
}

/** Takes their repetitions out of a mailbox: what is stored already is neither decided nor sent to the store again. */
export function withRepetitions(
  duplicates: readonly StoredCommand[],
  mailbox: PendingCommand[],
): readonly StoredCommand[] {
  if (duplicates.length === 0 || mailbox.length === 0) return duplicates
  const receipts = new Map(duplicates.map(({ pending, receipt }) => [pending.commandId, receipt]))
  const stored = [...duplicates]
  const others: PendingCommand[] = []
  for (const pending of mailbox) {
    const { repeatable, fence, commandId } = pending
    const receipt = repeatable && fence === undefined ? receipts.get(commandId) : undefined
    if (receipt === undefined) others.push(pending)
    else {
      pending.markSent()
      stored.push({ pending, receipt })
    }
  }
  mailbox.length = 0
  for (const pending of others) mailbox.push(pending)
  return stored
}

/** Commands that ask for stored answers, and the state of their instance that is known. */
export interface Asked {
  readonly stored: readonly StoredCommand[]
  readonly known: LoadedState
}

/** A commit that is asked for by one or more commands, and what was read of it. */
interface AskedCommit {
  readonly receipt: Receipt
  readonly commands: PendingCommand[]
  events: StoredEvent[]
  /** The state after it, once that is known. */
  after: { readonly state: unknown } | undefined
}

async function answerAll(
  answering: Answering,
  addressee: Addressee,
  stored: readonly StoredCommand[],
  known: LoadedState,
): Promise<void> {
  const { stream } = addressee
  const own = stored.filter(({ pending, receipt }) => !refuseReuse(stream, pending, receipt))
  if (own.length === 0) return
  const name = JSON.stringify([stream.aggregate, stream.id])
  await answering.readings.gather(name, { stored: own, known }, (asked) => answerTogether(answering, addressee, asked))
}

/** Answers all who ask at once out of one reading of the stream, or of the part of it that is needed. */
async function answerTogether(answering: Answering, addressee: Addressee, asked: readonly Asked[]): Promise<void> {
  const { type, stream } = addressee
  const known = asked.map((each) => each.known).reduce((one, other) => (other.sequence > one.sequence ? other : one))
  const commits = commitsOf(asked.flatMap(({ stored }) => stored))
  const newest = commits.find(({ receipt }) => receipt.sequence === known.sequence)
  // Where a state that is known is of another log, the rest is read from further back.
  if (newest !== undefined) await readNewest(answering, stream, newest, known).catch(() => {})
  const behind = commits.filter(({ receipt }) => firstOf(receipt) > known.sequence)
  if (behind.length > 0) {
    const until = { sequence: endOf(behind) }
    await catchUp(answering, type, stream, known, until, gatherer(behind)).catch(() => {})
  }
  const rest = commits.filter(({ after }) => after === undefined)
  try {
    if (rest.length > 0) {
      const until = { sequence: endOf(rest), fromSequence: Math.min(...rest.map(({ receipt }) => firstOf(receipt))) }
      await rehydrate(answering, type, stream, until, gatherer(rest))
    }
  } finally {
    await answerRead(answering, addressee, commits)
  }
}

function commitsOf(stored: readonly StoredCommand[]): readonly AskedCommit[] {
  const bySequence = new Map<number, AskedCommit>()
  for (const { pending, receipt } of stored) {
    const known = bySequence.get(receipt.sequence)
    if (known !== undefined) known.commands.push(pending)
    else bySequence.set(receipt.sequence, { receipt, commands: [pending], events: [], after: undefined })
  }
  return [...bySequence.values()]
}

const firstOf = ({ sequence, count }: Receipt): number => sequence - count + 1
const endOf = (commits: readonly AskedCommit[]): number =>
  commits.reduce((end, { receipt }) => Math.max(end, receipt.sequence), 0)

/** The newest commit: the state after it is known, if it is of this log. */
async function readNewest(
  { events }: Answering,
  stream: StreamId,
  commit: AskedCommit,
  known: LoadedState,
): Promise<void> {
  const { receipt } = commit
  const range = { from: firstOf(receipt), to: receipt.sequence + 1 }
  const stored = await events.readStream(stream, range, { limit: receipt.count })
  const last = stored.at(-1)
  if (stored.length !== receipt.count || last?.checksum !== known.checksum) return
  commit.events = [...stored]
  commit.after = { state: deepFreeze(known.state) }
}

/** Takes what is asked for out of a replay. */
function gatherer(commits: readonly AskedCommit[]): (event: StoredEvent, standing: LoadedState) => void {
  const byId = new Map(commits.map((commit) => [commit.commands[0]!.commandId, commit]))
  return (event, { state }) => {
    const commit = byId.get(event.commitId)
    if (commit === undefined || commit.after !== undefined) return
    // A replay that did not come to its end may have left some.
    if (event.sequence === firstOf(commit.receipt)) commit.events = []
    commit.events.push(event)
    if (event.sequence === commit.receipt.sequence) commit.after = { state: deepFreeze(state) }
  }
}

/** Answers what was read; each caller gets events of its own. */
async function answerRead(
  { environment }: Answering,
  { type, stream }: Addressee,
  commits: readonly AskedCommit[],
): Promise<void> {
  const breath = new Breath(environment)
  for (const { receipt, commands, events, after } of commits) {
    if (after === undefined) continue
    const { sequence, position } = receipt
    for (const pending of commands) {
      await breath.pause()
      if (pending.isAnswered) continue
      try {
        const recorded = events.map((event) => recordedEvent(type.folds, event))
        pending.succeed({ accepted: true, state: after.state, sequence, position, events: recorded })
      } catch (cause) {
        pending.fail(new OutcomeUnknownError('OUTCOME_UNKNOWN', { stream, commandId: pending.commandId }, cause))
      }
    }
  }
}

/** Whether another command is stored under the id; the caller is told so. */
function refuseReuse(stream: StreamId, pending: PendingCommand, { command: stored }: Receipt): boolean {
  const { commandId, mark, isDerived } = pending
  if (stored === undefined || (stored.name === mark.name && (isDerived || stored.digest === mark.digest))) return false
  const facts = { stream, commandId, command: mark.name, stored: stored.name }
  pending.fail(new InputError('COMMAND_ID_REUSED', facts))
  return true
}

/**
 * Lets commands wait for an answer out of the store; if there is none, their callers are told that the outcome is
 * unknown.
 */
async function inquire(
  { inquiries }: Answering,
  { stream }: Addressee,
  commands: readonly PendingCommand[],
  answer: () => Promise<void>,
): Promise<void> {
  for (const pending of commands) inquiries.set(pending, stream)
  try {
    await answer()
  } catch (cause) {
    for (const pending of commands) {
      pending.fail(new OutcomeUnknownError('OUTCOME_UNKNOWN', { stream, commandId: pending.commandId }, cause))
    }
  } finally {
    for (const pending of commands) inquiries.delete(pending)
  }
}
