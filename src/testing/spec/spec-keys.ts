/**
 * Personal values in specs. There is no key store: each value has a key that is made on the spot and encrypts nothing,
 * so the same value always has the same box.
 */

import type { Json, JsonObject } from '../../domain/json.ts'
import { Personal } from '../../domain/personal.ts'
import { sealedWithin } from '../../domain/personal-fields.ts'
import { adopt, boxStartOf, isBox, SealedValue, type SubjectKey } from '../../domain/sealed-value.ts'

const keyId = 'spec'.padEnd(22, '-')

/** The box has the subject too, so that it can be opened without knowing it. */
const specKey = (subject: string, isDestroyed: boolean): SubjectKey => ({
  id: keyId,
  subject,
  boxStart: boxStartOf(keyId),
  isDestroyed,
  isConfirmed: true,
  seal: (text) => JSON.stringify([subject, text, isDestroyed]),
  open: (sealed) => (JSON.parse(sealed) as readonly [string, string])[1],
})

/** Gives keys to the personal values in some data. */
export function sealInSpec<Data>(data: Data): Data {
  for (const value of sealedWithin(data)) SealedValue.seal([value], specKey(value.subject, false))
  return data
}

/** Finds the personal values in what a store of a spec returns. */
export const specRing: { readonly open: (parts: readonly Json[]) => Promise<readonly Json[]> } = Object.freeze({
  async open(parts: readonly Json[]): Promise<readonly Json[]> {
    parts.forEach(openIn)
    return parts
  },
})

function openIn(json: Json): void {
  if (typeof json !== 'object' || json === null) return
  if (!isBox(json)) {
    Object.values(json as JsonObject).forEach(openIn)
    return
  }
  const sealed = (json.$personal as string).slice((json.$personal as string).indexOf('['))
  const [subject, , isDestroyed] = JSON.parse(sealed) as readonly [string, string, boolean]
  adopt(json, new Personal({ subject, key: specKey(subject, isDestroyed), box: json }))
}

/**
 * A personal value whose subject was forgotten, for tests of what your code does then.
 *
 *     spec(Customers).given(Registered({ customer: 'c-17', email: forgottenValue('c-17') }))
 */
export function forgottenValue(subject: string): Personal<never> {
  const value = Personal.of(subject, null)
  SealedValue.seal([value], specKey(subject, true))
  return value as Personal<never>
}

/** Personal values as records, so that they can be compared and shown. */
export function revealed(data: unknown): unknown {
  if (sealedWithin(data).length === 0) return data
  return reveal(data)
}

function reveal(data: unknown): unknown {
  if (data instanceof Personal) return { personalOf: data.subject, value: data.value }
  if (Array.isArray(data)) return data.map(reveal)
  if (data instanceof Map) return new Map(Array.from(data, ([key, value]) => [reveal(key), reveal(value)]))
  if (data instanceof Set) return new Set(Array.from(data, reveal))
  if (typeof data !== 'object' || data === null || data instanceof Date) return data
  return Object.fromEntries(Object.entries(data).map(([name, part]) => [name, reveal(part)]))
}
