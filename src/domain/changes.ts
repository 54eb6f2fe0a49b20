/**
 * Data beside the output that a schema or an upcast has made of it. Places in them are described without the numbers of
 * lists: `people[].name`.
 */
import { isItsJson, pathOf } from './difference.ts'
import { isPlain, type Json } from './json.ts'

const marks = { lost: '-', added: '+', changed: '~' } as const
type Change = keyof typeof marks

/** Where keys are data there may be any number. */
const changesMax = 100

/**
 * Describes what was done to data: each place with a mark, `+reason`. The same is said of any data that is changed in
 * this way.
 */
export function changesOf(input: Json, output: unknown): string {
  const found = new Set<string>()
  compare(input, output, '', (change, place) => {
    if (found.size < changesMax) found.add(marks[change] + place)
  })
  return [...found].join('\n')
}

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

type Fields = Readonly<Record<string, unknown>>

const isRecord = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && isPlain(value)

const has = (fields: Fields, key: string): boolean => Object.hasOwn(fields, key) && fields[key] !== undefined
