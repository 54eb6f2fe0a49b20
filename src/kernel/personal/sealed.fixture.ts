/** What the tests of keys share: values that are sealed and opened by a ring. Not part of the library. */
import { encode } from '../../domain/encoding.ts'
import type { Json } from '../../domain/json.ts'
import { Personal } from '../../domain/personal.ts'
import { valueIn } from '../../domain/sealed-value.ts'
import type { KeyRing } from './key-ring.ts'

/** A value that a ring has sealed, as it is stored. */
export async function sealedBy(ring: KeyRing, subject: string, text: string): Promise<Json> {
  const value = Personal.of(subject, text)
  await ring.seal([value])
  return JSON.parse(JSON.stringify(encode('', value)))
}

/** The value in what is stored. */
export async function opened(ring: KeyRing, box: Json): Promise<Personal<unknown>> {
  const [own] = await ring.open([box])
  return valueIn(own as object) as Personal<unknown>
}
