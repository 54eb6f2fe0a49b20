/** A page of the log as the database returns it, with one text for each column, and the checked events in it. */
import type { Json, JsonObject } from '../../../domain/json.ts'
import type { StreamId } from '../../../domain/stream.ts'
import { faultOfShape } from '../../event-shape.ts'
import type { StoredEvent } from '../../store.ts'
import { numbersOf } from '../database/binary-arrays.ts'
import { hashOfEvent, hashOfStream, placed, unsigned } from '../database/checksum.ts'
import type { Row } from '../database/database.ts'

/** A pair of aggregate and event type. */
export interface Kind {
  readonly aggregate: string
  readonly type: string
}

/** The result of a statement, before its kinds are known. */
export interface EventPage {
  /** The number of events that were found; more than `kinds` has if not all fit into the page. */
  readonly found: number
  /** The number of events that were wanted. */
  readonly wanted: number
  /** Where to continue, if it ended before it had looked at everything. */
  readonly next: number | undefined
  /** The end of the log or stream when the page was read. */
  readonly last: number
  /** The number of events in the part that it looked at, if that was counted. */
  readonly looked: number | undefined
  /** The checksums at the end of the range, and at the place that was asked for. */
  readonly end: number | undefined
  readonly behind: number | undefined
  /** The number of characters of JSON in the page. */
  readonly characters: number
  /** The number of each event's kind. */
  readonly kinds: readonly number[]
  /**
   * The events in order.
   *
   * @param stream their stream, if the page is of one stream
   * @throws Damage
   */
  events(kindOf: (number: number) => Kind | undefined, stream?: StreamId): readonly StoredEvent[]
}

/** The data that was read is not what was stored. */
export class Damage extends Error {
  readonly position: number | undefined

  constructor(reason: string, position?: number) {
    super(reason)
    this.position = position
  }
}

const noMetadata: JsonObject = Object.freeze({})
const noTags: readonly string[] = Object.freeze([])
/** The separator of JSON texts in a column. No JSON text contains a bare line feed. */
const between = ',\n'

/** @throws Damage */
export function pageOf(row: Row): EventPage {
  const [found, wanted, next, last, looked, end, behind, positions, ...columns] = row
  const base = {
    found: Number(found),
    wanted: Number(wanted),
    next: next === null ? undefined : Number(next),
    last: Number(last),
    looked: looked === null ? undefined : Number(looked),
    end: end === null ? undefined : unsigned(Number(end)),
    behind: behind === null ? undefined : unsigned(Number(behind)),
  }
  if (positions === null) return { ...base, characters: 0, kinds: [], events: () => [] }
  const places = numbersOf(positions!)
  const kinds = numbersIn(columns[1]!, places)
  const characters = (columns[7]?.length ?? 0) + (columns[8]?.length ?? 0)
  return {
    ...base,
    characters,
    kinds,
    events: (kindOf, stream) => eventsOf({ places, kinds, columns, kindOf, stream }),
  }
}

interface Parts {
  readonly places: readonly number[]
  readonly kinds: readonly number[]
  readonly columns: readonly (string | null)[]
  readonly kindOf: (number: number) => Kind | undefined
  readonly stream: StreamId | undefined
}

function eventsOf({ places, kinds, columns, kindOf, stream }: Parts): readonly StoredEvent[] {
  const [sequenceTexts, , revisionTexts, timeTexts, checksumTexts, commitIdTexts, idTexts, dataText, metadata, tags] =
    columns
  const sequences = numbersIn(sequenceTexts!, places)
  const revisions = numbersIn(revisionTexts!, places)
  const times = numbersIn(timeTexts!, places)
  const checksums = numbersIn(checksumTexts!, places)
  const commitIds = JSON.parse(commitIdTexts!) as readonly string[]
  const ids = idTexts === null ? undefined : (JSON.parse(idTexts!) as readonly string[])
  const dataTexts = textsIn(dataText!, places)
  const metadataTexts = metadata === null ? undefined : textsIn(metadata!, places)
  const tagLists = tags === null ? undefined : (JSON.parse(`[${tags}]`) as readonly (readonly string[] | 0)[])
  const ofStream = stream === undefined ? undefined : hashOfStream(stream)
  // All checksums are compared before anything is parsed. If they match, the texts are JSON.
  const streams = places.map((position, i) => {
    const kind = kindOf(kinds[i]!)
    if (kind === undefined) throw new Damage('its kind is missing', position)
    const own = stream ?? { aggregate: kind.aggregate, id: ids![i]! }
    if (own.id === null) throw new Damage('its stream is missing', position)
    const noted = metadataTexts?.[i] ?? '0'
    const tags = tagLists?.[i] || noTags
    if (tags.includes(null as never)) throw new Damage('one of its tags is missing', position)
    const hash = hashOfEvent(ofStream ?? hashOfStream(own), {
      commitId: commitIds[i]!,
      recordedAt: times[i]!,
      type: kind.type,
      revision: revisions[i]!,
      tags,
      metadata: noted === '0' ? '' : noted,
      data: dataTexts[i]!,
    })
    if (placed(hash, sequences[i]!, position) !== checksums[i]) throw new Damage('its checksum is wrong', position)
    return own
  })
  const data = JSON.parse(`[${dataText}]`) as readonly Json[]
  const noted = metadata === null ? undefined : (JSON.parse(`[${metadata}]`) as readonly (JsonObject | 0)[])
  return places.map((position, i) => {
    const metadata = noted?.[i] || noMetadata
    const fault = metadata === noMetadata ? undefined : faultOfShape(metadata, noTags)
    if (fault !== undefined) throw new Damage(`its checksum is right, but ${fault}`, position)
    return {
      stream: streams[i]!,
      type: kindOf(kinds[i]!)!.type,
      revision: revisions[i]!,
      data: data[i]!,
      metadata,
      tags: tagLists?.[i] || noTags,
      sequence: sequences[i]!,
      position,
      recordedAt: times[i]!,
      commitId: commitIds[i]!,
      checksum: unsigned(checksums[i]!),
    }
  })
}

/** The numbers of a column. If an index names a row that is missing, the number is NULL. @throws Damage */
function numbersIn(text: string, places: readonly number[]): readonly number[] {
  if (!text.includes('N')) return numbersOf(text)
  const missing = text.slice(1, -1).split(',').indexOf('NULL')
  throw new Damage('it is missing, although an index names it', places[missing])
}

/** The texts of a column of JSON. @throws Damage */
function textsIn(text: string, places: readonly number[]): readonly string[] {
  const texts = text.split(between)
  if (texts.length !== places.length) throw new Damage('the stored text is not JSON', places[0])
  return texts
}
