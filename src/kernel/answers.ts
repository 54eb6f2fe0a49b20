/**
 * How a command gets its answer where it is not simply accepted: from the verdict that stores nothing, or from what is stored
 * under its id. Whoever waits for the store here is listed in `inquiries`, so that stopping can end the wait.
 */
import { InputError, OutcomeUnknownError } from '../domain/error.ts'
import type { RecordedEvent } from '../domain/event.ts'
import type { StreamId } from '../domain/stream.ts'
import type { Receipt } from '../store/store.ts'
import { acceptedEvents } from './accepted-events.ts'
import type { AggregateType } from './aggregate-type.ts'
import type { Decided } from './decide.ts'
import { deepFreeze } from './freeze.ts'
import type { PendingCommand } from './pending-command.ts'
import { catchUp, recordedEvent, rehydrate, type Sources, type Standing } from './rehydrate.ts'

/** What answers are made from. */
export interface Answering extends Sources {
  /** Commands whose answer is being looked for in the store, with their streams. */
  readonly inquiries: Map<PendingCommand, StreamId>
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
export function answerDecided(pending: PendingCommand, { state, sequence, position }: Standing): void {
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
  standing: Standing,
): Promise<void> {
  // It may have had its effect long ago, so nobody may be told from here on that it had none.
  pending.sent = true
  return inquire(answering, addressee, [pending], async () => {
    const receipt = await answering.events.findCommit(addressee.stream, pending.commandId)
    if (receipt === undefined) answerDecided(pending, standing)
    else await answerAll(answering, addressee, [{ pending, receipt }])
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
  known?: Standing,
): Promise<void> {
  const commands = stored.map(({ pending }) => pending)
  return inquire(answering, addressee, commands, () => answerAll(answering, addressee, stored, known))
}

async function answerAll(
  answering: Answering,
  addressee: Addressee,
  stored: readonly StoredCommand[],
  known?: Standing,
): Promise<void> {
  const own = stored.filter(({ pending, receipt }) => !refuseReuse(addressee.stream, pending, receipt))
  const firstOf = ({ sequence, count }: Receipt) => sequence - count + 1
  const isBehind = ({ receipt }: StoredCommand) => known !== undefined && firstOf(receipt) > known.sequence
  const behind = own.filter(isBehind)
  if (behind.length > 0) await answerBehind(answering, addressee, behind, known!).catch(() => {})
  // Those from before, and those behind a known state that is of another log.
  for (const each of own) if (!each.pending.answered) await answerFrom(answering, addressee, each)
}

/** Answers commands that are stored behind a known state, in one pass. */
async function answerBehind(
  answering: Answering,
  { type, stream }: Addressee,
  stored: readonly StoredCommand[],
  known: Standing,
): Promise<void> {
  const byEnd = new Map(stored.map((each) => [each.receipt.sequence, each]))
  const last = Math.max(...byEnd.keys())
  let events: RecordedEvent[] = []
  await catchUp(answering, type, stream, known, { sequence: last }, (event, standing) => {
    if (events[0]?.commitId !== event.commitId) events = []
    events.push(recordedEvent(type.folds, event))
    const found = byEnd.get(event.sequence)
    if (found !== undefined) accept(found, standing, events)
  })
}

async function answerFrom(answering: Answering, { type, stream }: Addressee, found: StoredCommand): Promise<void> {
  const { sequence, count } = found.receipt
  const range = { from: sequence - count + 1, to: sequence + 1 }
  const stored = await answering.events.readStream(stream, range, { limit: count })
  const standing = await rehydrate(answering, type, stream, { sequence })
  accept(
    found,
    standing,
    stored.map((event) => recordedEvent(type.folds, event)),
  )
}

function accept({ pending, receipt }: StoredCommand, { state }: Standing, events: readonly RecordedEvent[]): void {
  const { sequence, position } = receipt
  pending.succeed({ accepted: true, state: deepFreeze(state), sequence, position, events })
}

/** Whether another command is stored under the id; the caller is told so. */
function refuseReuse(stream: StreamId, pending: PendingCommand, { command: stored }: Receipt): boolean {
  const { commandId, mark, isDerived } = pending
  if (stored === undefined || (stored.name === mark.name && (isDerived || stored.digest === mark.digest))) return false
  const facts = { stream, commandId, command: mark.name, stored: stored.name }
  pending.fail(new InputError('COMMAND_ID_REUSED', facts))
  return true
}

/** Lets commands wait for an answer out of the store; if there is none, their callers are told that the outcome is unknown. */
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
