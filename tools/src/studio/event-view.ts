/** A stored event as the page shows it: upcast, and as it was stored if that is something else. */
import { isDeepStrictEqual } from 'node:util'
import type { StoredEvent } from '../../../src/index.ts'
import { type Inspection, shown, shownEvent } from '../inspection/index.ts'
import type { EventView, Json } from './views.ts'

export function eventView(inspection: Pick<Inspection, 'domain'>, event: StoredEvent): EventView {
  const view = shownEvent(inspection, event)
  const stored = shown(event.data)
  // A value that was stored before its field was declared as personal is plain text in what is stored.
  const isClear = personalValuesIn(view.data) > personalValuesIn(stored)
  return isClear || isDeepStrictEqual(view.data, stored) ? view : { ...view, stored }
}

const personalValuesIn = (data: Json): number => JSON.stringify(data).split('"[personal]"').length - 1
