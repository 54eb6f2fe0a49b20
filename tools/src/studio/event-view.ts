/** A stored event as the page shows it: upcast, and as it was stored if that is something else. */
import { isDeepStrictEqual } from 'node:util'
import { Personal, type StoredEvent } from '../../../src/index.ts'
import { type Inspection, shown, shownEvent } from '../inspection/index.ts'
import { brief, briefText } from './brief.ts'
import type { EventView, Json } from './views.ts'

/** How many characters of an event's data are shown where it is alone, and in a list. */
const charactersMax = 500_000
const listedMax = 5000
const reasonMax = 2000

/** An event of a list. Data is cut early. */
export const briefEventView = (inspection: Pick<Inspection, 'domain'>, event: StoredEvent): EventView =>
  eventView(inspection, event, listedMax)

export function eventView(
  inspection: Pick<Inspection, 'domain'>,
  event: StoredEvent,
  dataMax: number = charactersMax,
): EventView {
  const { unreadable, ...view } = shownEvent(inspection, event)
  const stored = storedData(inspection, event, view.data)
  let isCut = false as boolean
  const cut = (value: Json): Json => {
    const found = brief(value, dataMax)
    isCut ||= found.isCut
    return found.value
  }
  const [data, metadata] = [cut(view.data), cut(view.metadata)]
  return {
    ...view,
    data,
    metadata,
    ...(stored !== undefined && { stored: cut(stored) }),
    ...(unreadable !== undefined && { unreadable: briefText(unreadable, reasonMax) }),
    ...(isCut && { isCut }),
  }
}

/**
 * The data as it is stored, if that is something else. A value that was stored before its field was declared as
 * personal is plain text there, so it is masked, or all is left out if it cannot be found.
 */
function storedData({ domain }: Pick<Inspection, 'domain'>, event: StoredEvent, data: Json): Json | undefined {
  const stored = shown(event.data)
  if (isDeepStrictEqual(data, stored)) return undefined
  const expected = personalValuesIn(data)
  if (domain === undefined || expected === 0) return stored
  const plains = plainValuesIn(domain.upcast(event).data)
  const safe = plains.length === 0 ? stored : masked(stored, plains)
  return personalValuesIn(safe) < expected ? undefined : safe
}

const personalValuesIn = (data: Json): number => JSON.stringify(data).split('"[personal]"').length - 1

/** What personal values can be read, because they are stored as plain text. The longest come first. */
function plainValuesIn(data: unknown): readonly string[] {
  const found: string[] = []
  const look = (value: unknown) => {
    if (value instanceof Personal) texts(value.value)
    else if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) look(part)
  }
  const texts = (value: unknown) => {
    if (typeof value === 'string' || typeof value === 'number') found.push(String(value))
    else if (value instanceof Date) found.push(value.toISOString())
    else if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) texts(part)
  }
  look(data)
  return found.filter(Boolean).sort((a, b) => b.length - a.length)
}

function masked(value: Json, plains: readonly string[]): Json {
  if (typeof value === 'string') {
    if (plains.includes(value)) return '[personal]'
    return plains.reduce((text, plain) => text.replaceAll(plain, '[personal]'), value)
  }
  if (typeof value === 'number') return plains.includes(String(value)) ? '[personal]' : value
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return (value as readonly Json[]).map((part) => masked(part, plains))
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, masked(part, plains)]))
}
