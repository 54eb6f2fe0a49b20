/**
 * Events of a revision that this program does not know yet. While a new version of a program is rolled out, the old
 * version meets events that the new one has written. That is not a failure of the event. The old program handles what
 * comes before the event, and leaves the event to the newer program.
 */
import { EventError } from '../../domain/error.ts'
import type { AnyEventKind } from '../../domain/event.ts'
import type { LogPlace, StoredEvent } from '../../store/store.ts'

/** A page of events, with the last place that was examined. */
export interface Looked {
  readonly events: readonly StoredEvent[]
  readonly examined: LogPlace
  readonly isLast: boolean
}

/** The kind of an event in this program, or `undefined` if the event is no longer handled. */
type KindOf = (event: StoredEvent) => AnyEventKind | undefined

/**
 * The part of a page that this program can read: it ends before the first newer event.
 *
 * @throws EventError `EVENT_NEWER` if the first event of the page is newer
 */
export function beforeNewer(page: Looked, kindOf: KindOf): Looked {
  const index = page.events.findIndex((event) => isNewer(event, kindOf(event)))
  if (index < 0) return page
  if (index === 0) refuseNewer(page.events, kindOf)
  return endingBefore(page, index)
}

/** The events of a page before the one at an index, which is not the first. */
export function endingBefore({ events }: Looked, index: number): Looked {
  return { events: events.slice(0, index), examined: events[index - 1]!, isLast: false }
}

/** @throws EventError `EVENT_NEWER` if one of the events is newer than its kind in this program */
export function refuseNewer(events: readonly StoredEvent[], kindOf: KindOf): void {
  for (const event of events) {
    const kind = kindOf(event)
    const { type, revision } = event
    if (isNewer(event, kind))
      throw new EventError('EVENT_NEWER', { event: type, revision, known: kind!.revisions.length })
  }
}

const isNewer = ({ revision }: StoredEvent, kind: AnyEventKind | undefined): boolean =>
  kind !== undefined && revision > kind.revisions.length
