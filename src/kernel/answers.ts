/**
 * Answers commands: with events that were just stored, with a decision that stores nothing, or with the commit that is
 * already stored under the command's id. Commands that wait for the store here are listed in `inquiries`, so that
 * `stop` can end the wait.
 */
import { InputError, OutcomeUnknownError } from '../domain/error.ts'
import type { StreamId } from '../domain/stream.ts'
import { Breath } from '../runtime/breath.ts'
import { deepFreeze } from '../runtime/freeze.ts'
import type { Receipt, StoredEvent } from '../store/store.ts'
import { acceptedEvents } from './accepted-events.ts'
import type { AggregateType } from './aggregate-type.ts'
import type { DecidedEvents } from './decide.ts'
import type { PendingCommand } from './pending-command.ts'
import type { Readings } from './readings.ts'
import { catchUp, type LoadedState, recordedEvent, rehydrate, type Sources } from './rehydrate.ts'

/** The parts that answers are made from. */
export interface Answering extends Sources {
  /** Commands whose stored answer is being read, with their streams. */
  readonly inquiries: Map<PendingCommand, StreamId>
  /** Reads the streams of stored answers. */
  readonly readings: Readings<Asked>
}

/** The instance that a command is for. */
interface Addressee {
  readonly type: AggregateType
  readonly stream: StreamId
}

/** A command whose id is stored, with the receipt of the stored commit. */
export interface StoredCommand {
  readonly pending: PendingCommand
  readonly receipt: Receipt
}

/** The state after a command that this round stored. */
export function stateAfter({ decided }: PendingCommand, { sequence, position, checksum }: Receipt): LoadedState {
  return { state: (decided as DecidedEvents).state, sequence, position, checksum }
}

/** Answers a command that this round stored. */
export function answerAccepted(pending: PendingCommand, receipt: Receipt): void {
  const decided = pending.decided as DecidedEvents
  const { sequence, position } = receipt
  const events = acceptedEvents(decided, receipt)
  pending.succeed({ accepted: true, state: decided.state, sequence, position, events })
}

/** Answers a command without events, with the state that it was decided on. */
export function answerDecided(pending: PendingCommand, { state, sequence, position }: LoadedState): void {
  const decided = pending.decided!
  if (decided.kind === 'failed') pending.fail(decided.error)
  else if (decided.kind === 'rejected') pending.succeed({ accepted: false, rejection: decided.rejection })
  else pending.succeed({ accepted: true, state, sequence, position, events: [] })
}

/** The same for a command whose id the caller chose. If that id is already stored, the stored commit is the answer. */
export function answerIfNew(
  answering: Answering,
  addressee: Addressee,
  pending: PendingCommand,
  loaded: LoadedState,
): Promise<void> {
  // It may already be stored, so from here on no answer may say that it had no effect.
  pending.markSent()
  return inquire(answering, addressee, [pending], async () => {
    const receipt = await answering.events.findCommit(addressee.stream, pending.commandId)
    if (receipt === undefined) answerDecided(pending, loaded)
    else await answerAll(answering, addressee, [{ pending, receipt }], loaded)
  })
}

/** A look failed, so there is no answer. A command whose id the caller chose may have been stored before. */
export function failUnconfirmed(stream: StreamId, pending: PendingCommand, cause: unknown): void {
  const { repeatable, commandId } = pending
  pending.fail(repeatable ? new OutcomeUnknownError('OUTCOME_UNKNOWN', { stream, commandId }, cause) : cause)
}

/**
 * Answers stored commands with their stored events and the state after them.
 *
 * @param known a state of the instance; a reading can start from it instead of from further back
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

/** Adds the repetitions that wait in a mailbox, and removes them there: they need no decision and no append. */
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

/** Commands that need stored answers, and a known state of their instance. */
export interface Asked {
  readonly stored: readonly StoredCommand[]
  readonly known: LoadedState
}

/** A commit that one or more commands need, and what was read of it. */
interface AskedCommit {
  readonly receipt: Receipt
  readonly commands: PendingCommand[]
  events: StoredEvent[]
  /** The state after the commit, once it is known. */
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

/** Answers all commands that ask at the same time with as few readings of the stream as possible. */
async function answerTogether(answering: Answering, addressee: Addressee, asked: readonly Asked[]): Promise<void> {
  const { type, stream } = addressee
  const known = asked.map((each) => each.known).reduce((one, other) => (other.sequence > one.sequence ? other : one))
  const commits = commitsOf(asked.flatMap(({ stored }) => stored))
  const newest = commits.find(({ receipt }) => receipt.sequence === known.sequence)
  // If the known state belongs to another log, this fails, and the rest is read from further back.
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

/** Reads the newest commit. If it is of this log, the state after it is known. */
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

/** Picks the wanted commits out of a replay. */
function gatherer(commits: readonly AskedCommit[]): (event: StoredEvent, loaded: LoadedState) => void {
  const byId = new Map(commits.map((commit) => [commit.commands[0]!.commandId, commit]))
  return (event, { state }) => {
    const commit = byId.get(event.commitId)
    if (commit === undefined || commit.after !== undefined) return
    // An earlier replay that failed may have left some.
    if (event.sequence === firstOf(commit.receipt)) commit.events = []
    commit.events.push(event)
    if (event.sequence === commit.receipt.sequence) commit.after = { state: deepFreeze(state) }
  }
}

/** Answers with what was read. Each caller gets its own copies of the events. */
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

/** Fails commands of which it is unknown whether they are stored. */
export function failUnknown(stream: StreamId, commands: readonly PendingCommand[], cause: unknown): void {
  for (const pending of commands) {
    pending.fail(new OutcomeUnknownError('OUTCOME_UNKNOWN', { stream, commandId: pending.commandId }, cause))
  }
}

/** Fails a command if another command is stored under its id. @returns whether it did */
function refuseReuse(stream: StreamId, pending: PendingCommand, { command: stored }: Receipt): boolean {
  const { commandId, mark, isDerived } = pending.command
  if (stored === undefined || (stored.name === mark.name && (isDerived || stored.digest === mark.digest))) return false
  const facts = { stream, commandId, command: mark.name, stored: stored.name }
  pending.fail(new InputError('COMMAND_ID_REUSED', facts))
  return true
}

/** Lists commands in `inquiries` while their stored answer is read. If reading fails, their outcome is unknown. */
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
    failUnknown(stream, commands, cause)
  } finally {
    for (const pending of commands) inquiries.delete(pending)
  }
}
