/** What members say to each other, and how commands, outcomes and errors become JSON. */
import { decode, decodeOwn, encode, encodeFrozen } from '../domain/encoding.ts'
import * as errors from '../domain/error.ts'
import { wordsOf } from '../domain/error-words.ts'
import type { RecordedEvent } from '../domain/event.ts'
import type { Json, JsonObject } from '../domain/json.ts'
import type { Outcome } from '../domain/outcome.ts'
import { Rejection } from '../domain/rejection.ts'
import type { StreamId } from '../domain/stream.ts'
import type { HandedState } from '../kernel/handed-state.ts'
import type { KeyRing } from '../kernel/personal/key-ring.ts'

/** A member refuses links of members that speak another protocol. */
export const protocol: number = 4

/** A command on its way to the owner of its stream. */
export interface SentCommand {
  /** Whose domain it is for, if the members run the domains of many tenants. */
  readonly tenant?: string | undefined
  readonly stream: StreamId
  readonly name: string
  /** Absent if the data was left out. */
  readonly data?: Json | undefined
  readonly commandId: string
  /** Who made the id: the caller, or a reaction (`derivedCommandId`). Absent: the member that sends the command. */
  readonly idBy?: 'caller' | 'reaction' | undefined
  /** Whether it was sent before, so that it may be stored already. */
  readonly isRepeated?: true | undefined
  /** Whether its sender has to be asked before each decision. */
  readonly hasFence?: true | undefined
  readonly expectedSequence?: number | undefined
  readonly metadata?: JsonObject | undefined
  readonly tags?: readonly string[] | undefined
}

/** The answer of the owner. `moved`: the command was not decided, because another member owns the stream. */
export type Reply = { readonly outcome: Json } | { readonly error: Json } | { readonly moved: true }

/** A reply that has come. `wasRepeated`: the command was sent more than once, so an earlier reply may be lost. */
export interface Answered {
  readonly reply: Reply
  readonly wasRepeated: boolean
}

/** One thing that a member says. `n` is the number that the sender of a command has given it. */
export type Message =
  | { readonly say: 'command'; readonly n: number; readonly command: SentCommand }
  | { readonly say: 'cancel'; readonly n: number }
  | { readonly say: 'reply'; readonly n: number; readonly reply: Reply }
  /** Asks the sender of a command whether it may still be decided, and the answer. The times are those of `Fence`. */
  | { readonly say: 'ask fence'; readonly n: number; readonly nth: number; readonly wantedMs?: number | undefined }
  | { readonly say: 'fence'; readonly n: number; readonly nth: number; readonly fixedMs?: number | undefined }
  | { readonly say: 'fence'; readonly n: number; readonly nth: number; readonly error: Json }
  /** The state of a stream that the other side will own. */
  | { readonly say: 'state'; readonly handed: HandedState }
  /** A part of the JSON of a longer message. The parts come in order, and those of two messages are never mixed. */
  | { readonly say: 'piece'; readonly text: string; readonly isLast: boolean }

/**
 * A command that has only what most have: its number, aggregate, id, name and command id, and its data unless that was
 * left out. Most of what members say are commands and replies, and without names these are half as long.
 */
export type BriefCommand = readonly [number, string, string, string, string, Json?]

/** A reply with one event that has no tags and the first revision: its number, and then what `SentOutcome` has. */
export type BriefReply = readonly [
  n: number,
  sequence: number,
  position: number,
  recordedAt: number,
  state: Json,
  type: string,
  data: Json,
  metadata: JsonObject,
]

/** What one side may say. Only the side that has opened a link sends commands over it. */
export type Said = Message | BriefCommand | BriefReply

const isBrief = (said: Said): said is BriefCommand | BriefReply => Array.isArray(said)

/** Whether it is a part of a longer message. */
export const isPiece = (said: Said): said is Message & { readonly say: 'piece' } =>
  !isBrief(said) && said.say === 'piece'

/** What the side says that has opened the link. */
export const fromSender = (said: Said): Message => (isBrief(said) ? commandIn(said as BriefCommand) : said)

/** What the side says that decides. */
export const fromOwner = (said: Said): Message => (isBrief(said) ? replyIn(said as BriefReply) : said)

const commandIn = ([n, aggregate, id, name, commandId, data]: BriefCommand): Message => ({
  say: 'command',
  n,
  command: { stream: { aggregate, id }, name, commandId, data },
})

function replyIn([n, sequence, position, recordedAt, state, type, data, metadata]: BriefReply): Message {
  const events = [{ type, data, metadata, tags: undefined, revision: undefined }]
  const outcome = { sequence, position, recordedAt, events, state } satisfies SentOutcome
  return { say: 'reply', n, reply: { outcome: outcome as unknown as Json } }
}

/** Messages that go together, with what both sides have to know of each other at any time. */
export interface Packet {
  /** The time of the member that sends this, by its monotonic clock, in milliseconds. */
  readonly at: number
  /** The newest `at` that it has seen from the other side. */
  readonly seen: number
  /** How many characters of packets it has received over this link. */
  readonly got: number
  /** The epoch of the sender's view. */
  readonly epoch: number
  /** The member that sends this. Only in the first packet of the side that was asked for the link. */
  readonly from?: string
  readonly messages: readonly Said[]
}

/** A command as JSON. */
export function commandText(n: number, command: SentCommand): string {
  const { stream, name, commandId, data, tenant, idBy, isRepeated, hasFence, expectedSequence, metadata, tags } =
    command
  const rare = tenant ?? idBy ?? isRepeated ?? hasFence ?? expectedSequence ?? metadata ?? tags
  if (rare !== undefined) return JSON.stringify({ say: 'command', n, command } satisfies Message)
  const brief: BriefCommand = [n, stream.aggregate, stream.id, name, commandId]
  return JSON.stringify(data === undefined ? brief : [...brief, data])
}

/** How long a message may be, in characters of JSON. */
export const messageLengthMax: number = 64_000_000
/**
 * @param data must not change afterwards
 * @throws InputError `DATA_NOT_JSON` for data that only the own process can hold
 */
export const encodeData = (data: unknown): Json => encodeFrozen('The data of a command', data)
/** @param json what was sent. It belongs to the data from now on */
export const decodeData = (json: Json): unknown => decodeOwn(json)

/** What was sent, in which personal values can be read. They are sent as they are stored: encrypted. */
export async function opened(json: Json, keys: KeyRing | undefined): Promise<Json> {
  return keys === undefined ? json : (await keys.open([json]))[0]!
}

/**
 * An outcome as JSON.
 *
 * @param hasState whether the state is in it. Otherwise the other side loads it
 * @throws InputError `DATA_NOT_JSON` if details of a rejection or the state cannot be sent: a state need not be stored
 */
export function encodeOutcome(outcome: Outcome, hasState = true): Json {
  if (!outcome.accepted) {
    const { code, details } = outcome.rejection as Rejection<string, unknown>
    return { code, details: encode('The details of a rejection', details) }
  }
  const { state, sequence, position, events } = outcome
  const sent: SentOutcome = {
    sequence,
    position,
    recordedAt: events[0]?.recordedAt.getTime(),
    events: events.map(encodeEvent),
    state: hasState ? encodeFrozen('A state', state) : undefined,
  }
  return sent as unknown as Json
}

/**
 * A reply with an outcome as JSON, or `undefined` if it has no brief form.
 *
 * @throws InputError `DATA_NOT_JSON`
 */
export function briefReplyText(n: number, outcome: Outcome): string | undefined {
  if (!outcome.accepted || outcome.events.length !== 1) return undefined
  const { state, sequence, position, events } = outcome
  const { type, data, metadata, tags, revision, recordedAt } = events[0] as RecordedEvent
  if (tags.length > 0 || revision !== 1) return undefined
  const [sentState, sentData] = [encodeFrozen('A state', state), encodeFrozen('An event', data)]
  const brief: BriefReply = [n, sequence, position, recordedAt.getTime(), sentState, type, sentData, metadata]
  return JSON.stringify(brief)
}

/** Whether everything of an outcome was sent: it has no state, or that is here. */
export const isWhole = (json: Json): boolean =>
  'code' in (json as object) || (json as unknown as SentOutcome).state !== undefined

/** @param load loads the state at a sequence, if it was not sent */
export async function completeOutcome(
  command: Pick<SentCommand, 'stream' | 'commandId'>,
  json: Json,
  load: (sequence: number) => Promise<unknown>,
): Promise<Outcome> {
  const outcome = decodeOutcome(command, json)
  return outcome.accepted && !isWhole(json) ? { ...outcome, state: await load(outcome.sequence) } : outcome
}

/** The outcome, without the state if that was not sent. @param json belongs to the outcome from now on */
export function decodeOutcome({ stream, commandId }: Pick<SentCommand, 'stream' | 'commandId'>, json: Json): Outcome {
  const sent = json as unknown as SentOutcome | { readonly code: string; readonly details: Json }
  if ('code' in sent) return { accepted: false, rejection: new Rejection(sent.code, decode(sent.details)) }
  const { sequence, position, recordedAt = 0 } = sent
  // A commit has the id of its command, and its events are adjacent.
  const before = sent.events.length - 1
  const events = sent.events.map(({ type, data, metadata, tags = [], revision = 1 }, i): RecordedEvent => {
    const [place, at] = [sequence - before + i, position - before + i]
    const facts = { stream, sequence: place, position: at, recordedAt: new Date(recordedAt), commitId: commandId }
    return { type, data: decodeOwn(data), metadata, tags, revision, ...facts }
  })
  const state = sent.state === undefined ? undefined : decodeOwn(sent.state)
  return { accepted: true, state, sequence, position, events }
}

interface SentOutcome {
  readonly sequence: number
  readonly position: number
  /** Of all events. Absent if there are none. */
  readonly recordedAt: number | undefined
  readonly events: readonly SentEvent[]
  readonly state: Json | undefined
}

/** What the other side cannot know. `tags` are absent if there are none, and `revision` if it is the first. */
interface SentEvent extends Pick<RecordedEvent, 'type' | 'metadata'> {
  readonly data: Json
  readonly tags: RecordedEvent['tags'] | undefined
  readonly revision: number | undefined
}

const encodeEvent = ({ type, data, metadata, tags, revision }: RecordedEvent): SentEvent => ({
  type,
  data: encodeFrozen('An event', data),
  metadata,
  tags: tags.length === 0 ? undefined : tags,
  revision: revision === 1 ? undefined : revision,
})

// -- errors ----------------------------------------------------------------------------------------------------------

interface SentError {
  readonly name: string
  readonly message: string
  /** Only of errors of Mneme. */
  readonly code?: string
  readonly facts?: Json
  readonly cause?: Json
}

/** How many causes of causes are sent. */
const causesMax = 5
/** Longer texts of an error are cut, in characters, and longer lists in it. */
const textMax = 10_000
const listMax = 1000

/** An error as JSON. Never throws: code of users may throw anything, and give an error any name and message. */
export function encodeError(error: unknown, left: number = causesMax): Json {
  if (!(error instanceof Error)) return { name: 'Error', message: short(wordsOf(error)) as string }
  try {
    const { name, cause } = error
    const sent = {
      name: typeof name === 'string' ? short(name) : 'Error',
      message: short(wordsOf(error)),
      ...(cause !== undefined && left > 0 && { cause: encodeError(cause, left - 1) }),
    }
    if (!(error instanceof errors.MnemeError)) return sent
    const facts = encode('The facts of an error', error.facts)
    return { ...sent, code: error.code, facts: short(facts) }
  } catch {
    return { name: 'Error', message: short(wordsOf(error)) as string }
  }
}

/** JSON whose long texts and lists are cut. */
function short(json: Json): Json {
  if (typeof json === 'string') return json.length > textMax ? `${json.slice(0, textMax - 3).toWellFormed()}...` : json
  if (typeof json !== 'object' || json === null) return json
  if (Array.isArray(json)) return json.slice(0, listMax).map(short)
  return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, short(value!)]))
}

type ErrorClass = new (code: never, facts: never, cause?: unknown) => errors.MnemeError
const classes = Object.entries(errors as unknown as Record<string, ErrorClass>)

export function decodeError(json: Json): Error {
  const { name, message, code, facts, cause: sentCause } = json as unknown as SentError
  const cause = sentCause === undefined ? undefined : decodeError(sentCause)
  const known = classes.find(([className]) => className === name)?.[1]
  if (known !== undefined && code !== undefined) return new known(code as never, decode(facts!) as never, cause)
  const error = new Error(message, cause === undefined ? undefined : { cause })
  error.name = name
  return error
}
