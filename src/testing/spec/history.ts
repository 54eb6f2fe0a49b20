/** The events of a spec: on which streams they happened, and when. */
import { DefinitionError } from '../../domain/error.ts'
import type { AnyEventKind, Family, NewEvent } from '../../domain/event.ts'
import { checkId } from '../../domain/id.ts'
import { JsonCopier, type JsonObject } from '../../domain/json.ts'
import { checkKeys, nearestOf } from '../../domain/options.ts'
import { storedForm } from '../../domain/stored-form.ts'
import { freezeParts } from '../../runtime/freeze.ts'
import { checkMetadata } from '../../store/commit.ts'
import type { StoredEvent } from '../../store/store.ts'
import { sealInSpec } from './spec-keys.ts'

/** Where events happened: the id of their stream, and what else a handler may look at. */
export interface Place {
  /** The stream's id: the id of the aggregate. */
  readonly id: string
  /** The aggregate's name. By default the one that the reaction knows and that has such events, otherwise `spec`. */
  readonly aggregate?: string
  /** The metadata of the events, such as who sent the command. Empty by default. */
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** Events, and where they happened. */
export interface Happened<Event extends NewEvent> {
  readonly place: Place
  readonly events: readonly Event[]
}

const happened = new WeakSet<object>()

/**
 * Says on which stream events happened, for `given` and `when` of a spec. Without it the stream's id is `spec`.
 *
 *     spec(Balances).given(on('ada', Opened({ owner: 'Ada' }), Deposited({ amount: 5 })))
 *
 * @param stream the stream's id, or with it the aggregate's name and the metadata of the events
 * @throws DefinitionError `OPTION_INVALID`; InputError `ID_INVALID`
 */
export function on<Events extends readonly NewEvent[]>(
  stream: string | Place,
  ...events: Events
): Happened<Events[number]> {
  const place = typeof stream === 'string' ? { id: stream } : stream
  checkKeys('on(stream, ...events)', place, ['id', 'aggregate', 'metadata'])
  checkId('the id of a stream', place.id)
  if (place.aggregate !== undefined) checkId('the name of an aggregate', place.aggregate)
  const made = Object.freeze({ place, events })
  happened.add(made)
  return made
}

/** What `given` takes. */
export type Given<Event extends NewEvent> = Event | Happened<Event>

/** One event, and where it happened. */
export interface Happening {
  readonly place: Place
  readonly event: NewEvent
}

/** The events one by one. */
export function happenings(given: readonly Given<NewEvent>[]): readonly Happening[] {
  return given.flatMap((each): readonly Happening[] => {
    if (!happened.has(each)) return [{ place: { id: 'spec' }, event: each as NewEvent }]
    const { place, events } = each as Happened<NewEvent>
    return events.map((event) => ({ place, event }))
  })
}

/**
 * What handles an event.
 *
 * @param where who handles events, such as `The projection balances`
 * @throws DefinitionError `OPTION_INVALID` if nothing does
 */
export function handlerOf<Handler extends { readonly kind: AnyEventKind }>(
  where: string,
  handlers: ReadonlyMap<Family, Handler>,
  event: NewEvent,
): Handler {
  for (const [family, handler] of handlers) if (family.includes(event)) return handler
  const known = Array.from(handlers.keys(), ({ type }) => type)
  const nearest = nearestOf(event.type, known)
  const expected = `an event that is handled: ${where} has .on for ${known.join(', ') || 'none'}`
  const facts = { option: 'event', expected, found: event.type }
  throw new DefinitionError('OPTION_INVALID', { ...facts, ...(nearest !== undefined && { nearest }) })
}

/** The number of events on each stream, and in the log. */
export interface Counts {
  readonly log: number
  readonly streams: ReadonlyMap<string, number>
}

/** An event as a store would return it. */
export function storedEvent(
  kind: AnyEventKind,
  { place, event }: Happening,
  aggregate: string,
  counts: Counts,
  nowMs: number,
): { readonly stored: StoredEvent; readonly counts: Counts } {
  // A domain would do this. It lets `Kind.is(event)` recognise the event.
  kind.family.declaredBy(aggregate)
  const { stored: data, output } = storedForm(kind, sealInSpec(event.data), new JsonCopier())
  const stream = { aggregate, id: place.id }
  const key = JSON.stringify([aggregate, place.id])
  const sequence = (counts.streams.get(key) ?? 0) + 1
  const position = counts.log + 1
  const stored: StoredEvent = {
    stream,
    type: event.type,
    revision: kind.revisions.length,
    data,
    metadata: checkMetadata(place.metadata) as JsonObject,
    tags: kind.tagsOf?.(freezeParts(output).value) ?? [],
    sequence,
    position,
    recordedAt: nowMs,
    commitId: `given-${position}`,
    checksum: 0,
  }
  return { stored, counts: { log: position, streams: new Map(counts.streams).set(key, sequence) } }
}

/** @throws DefinitionError `OPTION_INVALID` */
export function timeOf(now: Date | string): number {
  const nowMs = new Date(now).getTime()
  if (Number.isNaN(nowMs)) throw new DefinitionError('OPTION_INVALID', { option: 'at', expected: 'a date', found: now })
  return nowMs
}
