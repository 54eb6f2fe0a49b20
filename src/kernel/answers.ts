/**
 * How a command gets its answer where it is not simply accepted: from the verdict that stores nothing, or from what is stored
 * under its id. Whoever waits for the store here is listed in `inquiries`, so that stopping can end the wait.
 */
import { OutcomeUnknownError } from '../domain/error.ts'
import type { StreamId } from '../domain/stream.ts'
import type { Receipt } from '../store/store.ts'
import type { AggregateType } from './aggregate-type.ts'
import type { PendingCommand } from './pending-command.ts'
import { recordedEvent, rehydrate, type Sources, type Standing } from './rehydrate.ts'

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
  return inquire(answering, addressee, pending, async () => {
    const receipt = await answering.events.findCommit(addressee.stream, pending.commandId)
    if (receipt === undefined) answerDecided(pending, standing)
    else await answerFrom(answering, addressee, pending, receipt)
  })
}

/** Answers a command that is stored with what was stored: its events, and the state as it was after them. */
export function answerStored(
  answering: Answering,
  addressee: Addressee,
  pending: PendingCommand,
  receipt: Receipt,
): Promise<void> {
  return inquire(answering, addressee, pending, () => answerFrom(answering, addressee, pending, receipt))
}

async function answerFrom(
  answering: Answering,
  { type, stream }: Addressee,
  pending: PendingCommand,
  { sequence, position, count }: Receipt,
): Promise<void> {
  const range = { from: sequence - count + 1, to: sequence + 1 }
  const stored = await answering.events.readStream(stream, range, { limit: count })
  const { state } = await rehydrate(answering, type, stream, { sequence })
  const events = stored.map((event) => recordedEvent(type.folds, event))
  pending.succeed({ accepted: true, state, sequence, position, events })
}

/** Lets a command wait for an answer out of the store; if there is none, its caller is told that the outcome is unknown. */
async function inquire(
  { inquiries }: Answering,
  { stream }: Addressee,
  pending: PendingCommand,
  answer: () => Promise<void>,
): Promise<void> {
  inquiries.set(pending, stream)
  try {
    await answer()
  } catch (cause) {
    pending.fail(new OutcomeUnknownError('OUTCOME_UNKNOWN', { stream, commandId: pending.commandId }, cause))
  } finally {
    inquiries.delete(pending)
  }
}
