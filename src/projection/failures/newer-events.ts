/**
 * Events of a revision that this program does not know yet. While a new version of a program is rolled out, the old one
 * meets what the new one has written. That is no failure of the event: what comes before it is handled, and it is left
 * to the newer program.
 */
import { EventError } from '../../domain/error.ts'
import type { AnyEventKind } from '../../domain/event.ts'
import type { LogPlace, StoredEvent } from '../../store/store.ts'

/** Events with the last place that was looked at behind them. */
export interface Looked {
  readonly events: readonly StoredEvent[]
  readonly examined: LogPlace
  readonly isLast: boolean
}

/** The kind of an event in this program; nothing for one that is not handled any more. */
type KindOf = (event: StoredEvent) => AnyEventKind | undefined

/**
 * What of a page this program can read: the page ends before the first event that is newer.
 *
 * @throws EventError `EVENT_NEWER` if that is its first event
 */
export function beforeNewer(page: Looked, kindOf: KindOf): Looked {
  const index = page.events.findIndex((event) => isNewer(event, kindOf(event)))
  if (index < 0) return page
  if (index === 0) refuseNewer(page.events, kindOf)
  return { events: page.events.slice(0, index), examined: page.events[index - 1]!, isLast: false }
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
