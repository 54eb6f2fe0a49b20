/**
 * Describes how a schema or an upcast changed some data. Paths leave out the numbers of list items: `people[].name`.
 */
import { isItsJson, pathOf } from './difference.ts'
import { isPlain, type Json } from './json.ts'

const marks = { lost: '-', added: '+', changed: '~' } as const
type Change = keyof typeof marks

/** A record whose keys are data could have any number of changes. */
const changesMax = 100

/**
 * Each change with its path and a mark, as in `+reason`. Data that is changed in the same way has the same description.
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
