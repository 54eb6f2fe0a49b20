/** A page of the log as it is answered, a text for each column, and the events that it holds. */
import type { Json, JsonObject } from '../../domain/json.ts'
import type { StreamId } from '../../domain/stream.ts'
import type { StoredEvent } from '../store.ts'
import { numbersOf } from './binary-arrays.ts'
import type { Row } from './database.ts'

/** A pair of aggregate and event type. */
export interface Kind {
  readonly aggregate: string
  readonly type: string
}

/** A page before its kinds are known. */
export interface EventPage {
  /** How many events the statement has found; more than `kinds` has, if they did not all fit. */
  readonly found: number
  /** The last position when the page was read. */
  readonly head: number
  /** The number of each event's kind. */
  readonly kinds: readonly number[]
  /** The events in order. @param stream the stream they are all of, where the page is of one */
  events(kindOf: (number: number) => Kind, stream?: StreamId): readonly StoredEvent[]
}

const noMetadata: JsonObject = Object.freeze({})
const noTags: readonly string[] = Object.freeze([])

export function pageOf(row: Row): EventPage {
  const [found, head, positionTexts, sequenceTexts, kindTexts, revisionTexts, timeTexts, commitIdTexts, ...rest] = row
  if (found === null || positionTexts === null) {
    return { found: 0, head: Number(head), kinds: [], events: () => [] }
  }
  const positions = numbersOf(positionTexts!)
  const kinds = numbersOf(kindTexts!)
  return {
    found: Number(found),
    head: Number(head),
    kinds,
    events(kindOf, stream) {
      const [idTexts, dataTexts, metadataTexts, tagTexts] = rest
      const sequences = numbersOf(sequenceTexts!)
      const revisions = numbersOf(revisionTexts!)
      const times = numbersOf(timeTexts!)
      const commitIds = JSON.parse(commitIdTexts!) as readonly string[]
      const ids = idTexts === null ? undefined : (JSON.parse(idTexts!) as readonly string[])
      const data = JSON.parse(`[${dataTexts}]`) as readonly Json[]
      const metadata = listOf<JsonObject>(metadataTexts!)
      const tags = listOf<readonly string[]>(tagTexts!)
      return positions.map((position, i) => {
        const { aggregate, type } = kindOf(kinds[i]!)
        return {
          stream: stream ?? { aggregate, id: ids![i]! },
          type,
          revision: revisions[i]!,
          data: data[i]!,
          metadata: metadata?.[i] || noMetadata,
          tags: tags?.[i] || noTags,
          sequence: sequences[i]!,
          position,
          recordedAt: times[i]!,
          commitId: commitIds[i]!,
        }
      })
    },
  }
}

/** A column in which nothing is written as 0; undefined if there is nothing in all of it. */
const listOf = <Item>(text: string | null): readonly (Item | 0)[] | undefined =>
  text === null ? undefined : (JSON.parse(`[${text}]`) as readonly (Item | 0)[])
