/** What must be so after every run, whatever has happened in it. */
import { inspect, isDeepStrictEqual } from 'node:util'
import { decode } from '../../domain/encoding.ts'
import { DecisionError, EventError, InputError, MnemeError } from '../../domain/error.ts'
import type { RecordedEvent } from '../../domain/event.ts'
import type { Outcome } from '../../domain/outcome.ts'
import type { AnyRejection } from '../../domain/rejection.ts'
import type { StreamId } from '../../domain/stream.ts'
import type { StoredEvent } from '../../store/store.ts'
import { decideAlone } from '../spec/decide-alone.ts'
import { type Attempt, type ClientCommand, type History, markOf, type Reuse } from './history.ts'
import { recordedOf, statesOf } from './replay.ts'
import { isSame } from './same.ts'
import type { Version } from './version.ts'
import type { Moment, Witness, WitnessedLog } from './witness.ts'

/** A promise that was not kept. */
export class Broken extends Error {
  override readonly name = 'Broken'
  /** The promise. */
  readonly check: string

  constructor(check: string, reason: string, cause?: unknown) {
    super(reason, { cause })
    this.check = check
  }

  /** What a smaller run must break too: the same promise, for the same kind of reason. */
  get kind(): string {
    return this.cause instanceof Error ? `${this.check} (${this.cause.name})` : this.check
  }
}

export class Evidence {
  readonly witness: Witness
  readonly history: History
  /** The versions of which one may have answered any command; absent if that is the version which was asked. */
  readonly #deciders: readonly Version[] | undefined
  readonly #states = new Map<string, readonly unknown[]>()
  /** Whether something is so, whatever is forgotten, or as nobody reads it who was forgotten. */
  readonly isEither: (isSo: () => boolean) => boolean

  constructor(
    witness: Witness,
    history: History,
    deciders: readonly Version[] | undefined,
    isEither: (isSo: () => boolean) => boolean,
  ) {
    this.witness = witness
    this.history = history
    this.#deciders = deciders
    this.isEither = isEither
  }

  /** The versions that may have given an answer. In a cluster, another member may have decided the command. */
  decidersOf({ version }: Pick<Attempt, 'version'>): readonly Version[] {
    return this.#deciders ?? [version]
  }

  /** The state of a stream before its first event, then after each that the version knows. */
  states(version: Version, stream: StreamId, era: number): readonly unknown[] {
    const key = JSON.stringify([era, version.number, stream.aggregate, stream.id])
    let states = this.#states.get(key)
    if (states === undefined) {
      states = statesOf(version.aggregate(stream.aggregate), this.witness.logOf(era).streamOf(stream))
      this.#states.set(key, states)
    }
    return states
  }
}

const shown = (value: unknown): string => inspect(value, { depth: 6, breakLength: Number.POSITIVE_INFINITY })

/** Whether a client does not know if its command was stored. */
export const isUnknown = (told: Attempt['told']): boolean =>
  told === undefined || told === 'nothing' || ('error' in told && codeOf(told.error) === 'OUTCOME_UNKNOWN')

export const codeOf = (error: unknown): string | undefined => (error instanceof MnemeError ? error.code : undefined)

const called = ({ client, command }: ClientCommand): string =>
  `${client < 0 ? `first[${-1 - client}]` : `command ${client}`} (${command.name} on ${command.aggregate} ${command.id})`

/** Throws at the first promise that was not kept. @throws Broken */
export function checkAll(evidence: Evidence): void {
  checkLog(evidence)
  for (const command of evidence.history.commands.values()) {
    checkStored(evidence, command)
    for (const attempt of command.attempts) checkAnswer(evidence, command, attempt)
  }
  for (const read of evidence.history.reads) checkRead(evidence, read)
  for (const reuse of evidence.history.reuses) checkReuse(evidence, reuse)
  for (const each of evidence.history.snapshots) checkSnapshot(evidence, each)
  checkSubscriptions(evidence)
}

/** Sequences and positions are 1, 2, 3 ... */
function checkLog({ witness }: Evidence): void {
  for (const [i, { position }] of witness.events.entries()) {
    if (position !== i + 1) throw new Broken('positions have no gaps', `event ${i + 1} has the position ${position}`)
  }
  for (const stream of witness.log.streams) {
    let last = 0
    for (const [i, { sequence, metadata }] of witness.log.streamOf(stream).entries()) {
      if (sequence !== i + 1) {
        const reason = `event ${i + 1} of ${shown(stream)} has the sequence ${sequence}`
        throw new Broken('sequences have no gaps', reason)
      }
      const epoch = (metadata['clusterEpoch'] as number | undefined) ?? last
      if (epoch < last) {
        const reason = `event ${sequence} of ${shown(stream)} was decided in epoch ${epoch}, after one of ${last}`
        throw new Broken('the epochs of the owners of a stream never go down', reason)
      }
      last = epoch
    }
  }
}

/** The events that a command has left in a log. */
function eventsOf(log: WitnessedLog, { client, command: { aggregate, id } }: ClientCommand): readonly StoredEvent[] {
  return log
    .streamOf({ aggregate, id })
    .filter(({ metadata }) => metadata['client'] === markOf(client).client && metadata['causationId'] === undefined)
}

/** An acknowledged command is stored once; one whose client was told that it failed is not stored. */
function checkStored(evidence: Evidence, command: ClientCommand): void {
  const { witness } = evidence
  const events = eventsOf(witness.log, command)
  const commits = [...new Set(events.map(({ commitId }) => commitId))]
  if (commits.length > 1) {
    throw new Broken('no command is stored twice', `${called(command)} has the commits ${commits.join(' and ')}`)
  }
  const told = command.attempts.map((attempt) => attempt.told)
  const isAcknowledged = told.some((each) => hasEvents(each))
  // What was stored after the moment to which the log was set back is gone.
  const isKept = command.attempts.some(({ told: each, sent }) => {
    const position = positionOf(each)
    return position !== undefined && position <= witness.keptSince(sent.era)
  })
  if (isKept && commits.length === 0) {
    throw new Broken('an acknowledged command is stored', `${called(command)} was acknowledged and is not in the log`)
  }
  if (commits.length === 1 && !isAcknowledged && !told.some(isUnknown)) {
    const reason = `${called(command)} is stored, but its client was told: ${told.map(shown).join('; ')}`
    throw new Broken('a command that failed is not stored', reason)
  }
  checkNotStoredBefore(evidence, command, events)
  if (commits.length === 1 && !isAcknowledged && isRefusedAtLast(command.attempts)) {
    const reason = `${called(command)} is stored, but its client was told at last: ${shown(told.at(-1))}`
    throw new Broken('a command that failed is not stored', reason)
  }
}

/**
 * What was stored before the first attempt that may have stored it comes from one whose client was told that it failed.
 * That one may have been sent again since, so the command is not stored too often, but it was not refused either.
 */
function checkNotStoredBefore({ witness }: Evidence, command: ClientCommand, [event]: readonly StoredEvent[]): void {
  const { attempts } = command
  const may = attempts.find(({ told }) => hasEvents(told) || isUnknown(told))
  if (event === undefined || may === undefined || attempts.some(({ sent }) => sent.era !== witness.era)) return
  if (event.position > may.sent.head) return
  const reason = `${called(command)} was stored before it was sent again, but its client was told: ${shown(attempts[0]!.told)}`
  throw new Broken('a command that failed is not stored', reason)
}

/** Whether a client that did not know what became of its command, and sent it again, was told that nothing did. */
function isRefusedAtLast(attempts: readonly Attempt[]): boolean {
  const last = attempts.at(-1)!
  const isAlone = attempts.every(
    ({ isGivenUp, ended }) =>
      !isGivenUp && ended !== undefined && (ended === last.ended || ended.head <= last.sent.head),
  )
  return isAlone && typeof last.told === 'object' && 'outcome' in last.told
}

/** Where the events of an acknowledged command were stored, if it made some. */
const positionOf = (told: Attempt['told']): number | undefined =>
  typeof told === 'object' && 'outcome' in told && told.outcome.accepted && hasEvents(told)
    ? told.outcome.position
    : undefined

export const hasEvents = (told: Attempt['told']): boolean =>
  typeof told === 'object' && 'outcome' in told && told.outcome.accepted && told.outcome.events.length > 0

/** Each answer was true at a moment between question and answer. */
function checkAnswer(evidence: Evidence, command: ClientCommand, attempt: Attempt): void {
  const { told, ended } = attempt
  if (ended === undefined || told === undefined || told === 'nothing') return
  if ('error' in told) {
    if (attempt.isGivenUp && codeOf(told.error) === 'ABORTED') return
    const isTold = isExpectedIn(told.error, evidence.history, attempt.sent.era)
    if (isTold || evidence.decidersOf(attempt).some((each) => each.meetsNewer(told.error))) return
    if (codeOf(told.error) !== 'SEQUENCE_UNEXPECTED') throw unforeseen(called(command), told.error)
    checkUnexpected(evidence, command, attempt)
    return
  }
  const { outcome } = told
  // While it was on its way the log was set back.
  if (ended.era !== attempt.sent.era) return
  if (hasEvents(told)) checkAccepted(evidence, command, attempt, outcome)
  else checkUnstored(evidence, command, attempt, outcome)
}

/** What a client may be told when the world is bad; everything else is a fault. */
const expected: ReadonlySet<string | undefined> = new Set([
  'OUTCOME_UNKNOWN',
  'STORE_UNAVAILABLE',
  'NOT_STORED',
  'STOPPED',
  'OVERLOADED',
  'CONFLICT',
  'AGGREGATE_LOAD_FAILED',
  'OWNER_UNREACHABLE',
  'KEYS_UNCONFIRMED',
  'STORE_FULL',
  'STORE_HALTED',
])
const isExpected = (error: unknown): boolean => expected.has(codeOf(error))

/** The same for an era: in some of them the store was damaged, which has to be said. */
export const isExpectedIn = (error: unknown, { damaged }: History, era: number): boolean =>
  isExpected(error) || (codeOf(error) === 'STORE_CORRUPT' && damaged.has(era))

/** An error that nothing in a bad world explains. It is mostly a mistake of the domain or its clients. */
function unforeseen(what: string, error: unknown): Broken {
  const isOfUser = error instanceof DecisionError || error instanceof EventError || error instanceof InputError
  if (!isOfUser || codeOf(error) === 'COMMAND_ID_REUSED') {
    return new Broken('every error is one of the catalogue', `${what}: ${shown(error)}`, error)
  }
  const { message, cause } = error
  const from = cause instanceof Error ? `\n${cause.stack}` : ''
  const reason = `${what}: ${message}${from}\nThe mistake is probably in the domain, or in the options command or first of this simulation.`
  return new Broken('commands are right, and the domain can decide them', reason, error)
}

/** A command expects a sequence at which the stream was not. */
function checkUnexpected(evidence: Evidence, known: ClientCommand, { sent, ended }: Attempt): void {
  const { expectedSequence } = known.command
  if (ended!.era !== sent.era || sent.sequence !== ended!.sequence || sent.sequence !== expectedSequence) {
    if (sent.era !== evidence.witness.era) return
    const [stored] = eventsOf(evidence.witness.log, known)
    if (stored === undefined || stored.position > sent.head) return
  }
  const reason = `${called(known)} was refused, although the stream was at ${expectedSequence} or it was stored`
  throw new Broken('every answer is true', reason)
}

function checkAccepted(evidence: Evidence, command: ClientCommand, attempt: Attempt, outcome: Outcome) {
  if (!outcome.accepted) return
  const check = 'an acknowledgement says what is stored'
  const { era } = attempt.sent
  const events = evidence.witness.logOf(era).streamOf(command.command)
  const first = outcome.sequence - outcome.events.length
  const stored: readonly StoredEvent[] = events.slice(first, outcome.sequence)
  const says = outcome.events.map(({ type, sequence, position }) => ({ type, sequence, position }))
  const is = stored.map(({ type, sequence, position }) => ({ type, sequence, position }))
  const commit = events.filter(({ commitId }) => commitId === stored.at(-1)?.commitId)
  if (!isDeepStrictEqual(says, is) || commit.length !== is.length || outcome.position !== is.at(-1)?.position) {
    const reason = `${called(command)} was acknowledged with ${shown(says)} at ${outcome.position}, but stored is ${shown(is)}`
    throw new Broken(check, commit.length > is.length ? `${reason} of ${commit.length} events` : reason)
  }
  const { expectedSequence = first } = command.command
  if (expectedSequence !== first) {
    throw new Broken(check, `${called(command)} expects the sequence ${expectedSequence}, and was decided at ${first}`)
  }
  const deciders = evidence.decidersOf(attempt)
  if (
    !deciders.some((version) =>
      isEachSame(recordedOf(version.aggregate(command.command.aggregate), stored), outcome.events),
    )
  ) {
    throw new Broken(check, `${called(command)} was acknowledged with ${shown(outcome.events)}, not ${shown(stored)}`)
  }
  const states = deciders.map((version) => evidence.states(version, command.command, era)[outcome.sequence])
  if (!states.some((state) => isSame(outcome.state, state))) {
    const reason = `${called(command)} was acknowledged with the state ${shown(outcome.state)}, not ${shown(states.at(-1))}`
    throw new Broken(check, reason)
  }
  const since = command.attempts[0]!.sent
  if (since.era === era && stored[0]!.position <= since.head) {
    throw new Broken(check, `${called(command)} was stored before it was sent`)
  }
  if (stored.at(-1)!.position > attempt.ended!.head) {
    throw new Broken('an acknowledged command is stored', `${called(command)} was acknowledged before it was stored`)
  }
}

/** Whether all that callers get of some events is the same. */
function isEachSame(stored: readonly RecordedEvent[] | undefined, told: readonly RecordedEvent[]): boolean {
  return stored?.every((event, i) => isSame(event, told[i])) === true
}

/** A rejection, or nothing to do. */
function checkUnstored(evidence: Evidence, command: ClientCommand, attempt: Attempt, outcome: Outcome) {
  const { era } = attempt.sent
  const [stored] = eventsOf(evidence.witness.logOf(era), command)
  if (stored !== undefined && stored.position <= attempt.sent.head) {
    const reason = `${called(command)} was stored when it was sent again, and was answered without its events`
    throw new Broken('a repeated command is answered with what is stored', reason)
  }
  const deciders = evidence.decidersOf(attempt)
  const isTrue = () => deciders.some((version) => wasTrue(evidence, command, attempt, outcome, version))
  // A decision may read a personal value, which was forgotten at some moment.
  if (evidence.isEither(isTrue)) return
  const answer = outcome.accepted ? 'nothing to do' : `the rejection ${shown(outcome.rejection)}`
  const reason = `${called(command)} was answered with ${answer}, which was true at no moment between question and answer (${within(attempt.sent, attempt.ended!)})`
  throw new Broken('every answer is true', reason)
}

/** Whether a version gave this answer at some moment between question and answer. */
function wasTrue(evidence: Evidence, known: ClientCommand, attempt: Attempt, outcome: Outcome, version: Version) {
  const { command, commandId = 'unknown' } = known
  const { aggregate, id, name, data } = command
  const stream = { aggregate, id }
  const definition = version.aggregate(aggregate)
  const states = evidence.states(version, stream, attempt.sent.era)
  const last = Math.min(attempt.ended!.sequence, states.length - 1)
  for (let sequence = attempt.sent.sequence; sequence <= last; sequence++) {
    const on = { definition, stream, state: states[sequence], sequence, nowMs: attempt.nowMs }
    if ((command.expectedSequence ?? sequence) !== sequence) continue
    if (outcome.accepted && (outcome.sequence !== sequence || !isSame(outcome.state, on.state))) continue
    if (isAnswer(outcome, decideAlone(on, name, data, { commandId }))) return true
  }
  return false
}

function isAnswer(outcome: Outcome, decided: ReturnType<typeof decideAlone>): boolean {
  if (outcome.accepted) return decided.kind === 'nothing'
  if (decided.kind !== 'rejected') return false
  const [told, now] = [outcome.rejection as AnyRejection, decided.rejection as AnyRejection]
  return told.code === now.code && isDeepStrictEqual(told.details, now.details)
}

const within = (sent: Moment, ended: Moment): string => `the stream went from ${sent.sequence} to ${ended.sequence}`

function checkRead(evidence: Evidence, read: History['reads'][number]): void {
  const { aggregate, id, sent, ended, told, version } = read
  if (told === undefined || ended === undefined) return
  if ('error' in told) {
    const isTold = isExpectedIn(told.error, evidence.history, sent.era)
    if (isTold || version.meetsNewer(told.error)) return
    throw unforeseen(`state of ${aggregate} ${id}`, told.error)
  }
  if (ended.era !== sent.era) return
  const states = evidence.states(version, { aggregate, id }, sent.era).slice(sent.sequence, ended.sequence + 1)
  if (states.some((state) => isSame(state, told.state))) return
  const reason = `state of ${aggregate} ${id} was ${shown(told.state)}, which it was at no moment between question and answer (${within(sent, ended)})`
  throw new Broken('every answer is true', reason)
}

/** An id that is stored is refused for another command. */
function checkReuse({ history, witness }: Evidence, { client, other, era, told }: Reuse): void {
  if (told === undefined || told === 'nothing' || era !== witness.era) return
  if ('error' in told && (codeOf(told.error) === 'COMMAND_ID_REUSED' || isExpectedIn(told.error, history, era))) return
  const reason = `client ${client} sent the command of client ${other} with the id of its own, which is stored, and was told ${shown(told)}`
  throw new Broken('an id that is stored is refused for another command', reason)
}

/** A snapshot is the state at its sequence. */
function checkSnapshot(evidence: Evidence, { era, version, snapshot }: History['snapshots'][number]): void {
  const { stream, sequence, state, checksum } = snapshot
  const last = evidence.witness.logOf(era).streamOf(stream)[sequence - 1]
  if (checksum !== last?.checksum) {
    const reason = `that of ${stream.aggregate} ${stream.id} at sequence ${sequence} has the checksum ${checksum}, and its event ${last?.checksum}`
    throw new Broken('a snapshot names the event that it ends with', reason)
  }
  const made = evidence.states(version, stream, era)[sequence]
  if (isSame(decode(state), made)) return
  const reason = `that of ${stream.aggregate} ${stream.id} at sequence ${sequence} has ${shown(decode(state))}, not ${shown(made)}`
  throw new Broken('a snapshot is the state at its sequence', reason)
}

/** Each subscription gives every event once, in order. */
function checkSubscriptions({ history, witness }: Evidence): void {
  for (const [process, { places, era, failure }] of history.readings) {
    const log = witness.logOf(era)
    const wrong = places.findIndex((place, i) => place.position !== i + 1 || !log.has(place))
    if (wrong >= 0) {
      const { position } = places[wrong]!
      const other = position === wrong + 1 ? ', but not the one of the log' : ''
      const reason = `the subscription of ${process} gave the position ${position} as its event ${wrong + 1}${other}`
      throw new Broken('a subscription gives each event once, in order', reason)
    }
    if (failure !== undefined && !isExpected(failure)) {
      throw new Broken('a subscription goes on', `that of ${process} ended: ${shown(failure)}`, failure)
    }
  }
}
