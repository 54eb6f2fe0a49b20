/**
 * The decoder of states, rows and snapshots, with JSON that was changed. What it accepts is what `encode` would have
 * written, so nothing is read as something else.
 */
import assert from 'node:assert/strict'
import { decode, encode, NotEncoded } from '../../../src/domain/encoding.ts'
import { isStorable, type Json } from '../../../src/domain/json.ts'
import type { Random } from '../../../src/testing/random.ts'
import type { FuzzTarget } from './fuzz-target.ts'
import { mutateJson } from './json-mutation.ts'

const value = {
  at: new Date(0),
  never: new Date(Number.NaN),
  big: -5n,
  map: new Map<unknown, unknown>([
    [1, { a: Number.NaN }],
    ['k', new Set([new Map([[0n, -0]])])],
  ]),
  set: new Set(['a', undefined]),
  $: { $date: 'not one' },
  list: [Number.POSITIVE_INFINITY, null, undefined, { $$: 1 }],
}
const text = JSON.stringify(encode('The value', value))
const marks = ['$date', '$bigint', '$map', '$set', '$number', '$undefined', '$', '$$', '$other', '$output']

/** JSON of encoded values with other marks, values and forms. */
export function mutateEncoded(text: string, random: Random): string {
  const mutated = random.chance(0.7) ? mutateJson(text, random) : text
  const found = [...mutated.matchAll(/"\$+\w*":/g)]
  if (found.length === 0 || random.chance(0.5)) return mutated
  const { 0: mark, index } = random.pick(found)
  return `${mutated.slice(0, index)}"${random.pick(marks)}":${mutated.slice(index + mark.length)}`
}

/** JSON that a store could hold, or `undefined`. */
export function storableIn(text: string): { readonly json: Json } | undefined {
  try {
    const json: Json = JSON.parse(text)
    // Written and read again, as a store does: -0 is 0.
    return isStorable(json) ? { json: JSON.parse(JSON.stringify(json)) } : undefined
  } catch {
    return undefined
  }
}

/** `encode` leaves out fields that are `undefined`. */
function leaveOut(this: unknown, _: string, held: Json): Json | undefined {
  const isField = typeof this === 'object' && !Array.isArray(this)
  return isField && JSON.stringify(held) === '{"$undefined":true}' ? undefined : held
}

/** Keys of Maps and values of Sets are never -0. */
const withoutSign = (text: string): string => text.replaceAll('{"$number":"-0"}', '0')

/** Checks that a value is what `encode` has written as this JSON. */
export function checkDecoded(decoded: unknown, json: Json): void {
  const again = JSON.stringify(encode('What was decoded', decoded))
  assert.equal(withoutSign(again), withoutSign(JSON.stringify(json, leaveOut)))
}

export const encodingTarget: FuzzTarget = {
  name: 'encoding',
  run(random) {
    const changed = storableIn(mutateEncoded(text, random))
    if (changed === undefined) return 'refused'
    let decoded: unknown
    try {
      decoded = decode(changed.json)
    } catch (error) {
      assert.ok(error instanceof NotEncoded, `${error}`)
      return 'refused'
    }
    checkDecoded(decoded, changed.json)
    return 'answered'
  },
}
