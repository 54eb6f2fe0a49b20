/**
 * Data beside the output that a schema or a lift has made of it. Places in them are described without the numbers of lists:
 * `people[].name`.
 */
import { isItsJson, pathOf } from './difference.ts'
import { isPlain, type Json, JsonCopier, type JsonObject } from './json.ts'

export type Change = 'lost' | 'added' | 'changed'

const marks = { lost: '-', added: '+', changed: '~' } as const satisfies Record<Change, string>

/** Describes what a schema has done to data: each place with a mark, `+reason`. The same is said of any data that is changed in this way. */
export function changesOf(input: Json, output: unknown): string {
  const found: string[] = []
  compare(input, output, '', (change, place) => {
    const marked = marks[change] + place
    if (!found.includes(marked)) found.push(marked)
  })
  return found.join('\n')
}

/** The places that were changed in one way. */
export const placesOf = (changes: string, change: Change): readonly string[] =>
  changes.split('\n').flatMap((marked) => (marked.startsWith(marks[change]) ? [marked.slice(1)] : []))

function compare(json: Json, value: unknown, place: string, tell: (change: Change, place: string) => void): void {
  if (json === value) return
  if (Array.isArray(json) && Array.isArray(value) && json.length === value.length) {
    for (let i = 0; i < json.length; i++) compare(json[i], value[i], `${place}[]`, tell)
  } else if (isRecord(json) && isRecord(value)) {
    for (const key in json) {
      if (json[key] === value[key]) continue
      if (has(value, key)) compare(json[key] as Json, value[key], pathOf(place, key), tell)
      else tell('lost', pathOf(place, key))
    }
    for (const key in value) if (!Object.hasOwn(json, key) && has(value, key)) tell('added', pathOf(place, key))
  } else if (!isItsJson(value, json)) tell('changed', place)
}

/** The input with the keys that only the output has; it is asked what they get, and those for which there is nothing stay away. */
export function filled(json: Json, value: unknown, fill: Filling, place = ''): Json {
  if (Array.isArray(json) && Array.isArray(value) && json.length === value.length) {
    return json.map((item, i) => filled(item, value[i], fill, `${place}[]`))
  }
  if (!isRecord(json) || !isRecord(value)) return json
  const own = Object.entries(json as JsonObject).map(
    ([key, item]) => [key, filled(item, value[key], fill, pathOf(place, key))] as const,
  )
  const added = Object.keys(value).flatMap((key) => {
    const item = has(json, key) || !has(value, key) ? undefined : fill(pathOf(place, key), value[key])
    return item === undefined ? [] : [[key, item] as const]
  })
  return Object.fromEntries([...own, ...added])
}

type Filling = (place: string, value: unknown) => Json | undefined

/** Data without some of the keys that the output has not. */
export function without(json: Json, value: unknown, dropped: ReadonlySet<string>, place = ''): Json {
  if (Array.isArray(json) && Array.isArray(value) && json.length === value.length) {
    return json.map((item, i) => without(item, value[i], dropped, `${place}[]`))
  }
  if (!isRecord(json) || !isRecord(value)) return json
  return Object.fromEntries(
    Object.entries(json as JsonObject)
      .filter(([key]) => has(value, key) || !dropped.has(pathOf(place, key)))
      .map(([key, item]) => [key, without(item, value[key], dropped, pathOf(place, key))]),
  )
}

type Fields = Readonly<Record<string, unknown>>

const isRecord = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && isPlain(value)

const has = (fields: Fields, key: string): boolean => Object.hasOwn(fields, key) && fields[key] !== undefined

/** A value as JSON; undefined if it has none. */
export function asJson(value: unknown, copier: JsonCopier = new JsonCopier()): Json | undefined {
  try {
    return copier.copy(value, 'The output of a schema', '')
  } catch {
    // Whatever a `toJSON` has thrown; or it is too large, of which the caller is told later.
    return undefined
  }
}
