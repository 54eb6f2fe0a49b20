/**
 * Keeps answers small. Whoever asks has little room for them, and cannot see beforehand how large they are. So an
 * answer has at most so many items and bytes, and a cursor says where the next one begins.
 */
import { type Json, MnemeError } from '../../../src/index.ts'
import { ToolsError, wordsOf } from '../errors.ts'

/** The greatest size of what an answer lists, in bytes of JSON. */
export const bytesMax = 40_000

/** The size of a value as JSON, in bytes. */
export const sizeOf = (value: Json): number => Buffer.byteLength(JSON.stringify(value))

/**
 * The first items, as many as fit. There is always one, so that reading goes on; if it is too large, it is cut.
 *
 * @param cut makes an item that is too large smaller
 */
export function fitting<Item>(items: readonly Item[], cut: (item: Item) => Item): readonly Item[] {
  const some: Item[] = []
  let size = 0
  for (const item of items) {
    size += sizeOf(item as Json)
    if (size > bytesMax) return some.length === 0 ? [cut(item)] : some
    some.push(item)
  }
  return some
}

/** A value that stands for one that is too large. */
export const cutValue = (value: Json): Json => ({ tooLarge: `It has ${sizeOf(value).toLocaleString('en')} bytes` })

/** A value, or what stands for it if it is too large. */
export const smallOr = (value: Json): Json => (sizeOf(value) > bytesMax ? cutValue(value) : value)

/**
 * Numbers as a cursor: `101`, or `1-50`.
 *
 * @throws ToolsError `USAGE`
 */
export function numbersIn(cursor: string, count: number): readonly number[] {
  const numbers = cursor.split('-').map((part) => (/^\d{1,15}$/.test(part) ? Number(part) : Number.NaN))
  if (numbers.length === count && numbers.every(Number.isSafeInteger)) return numbers
  throw new ToolsError('USAGE', `${JSON.stringify(cursor.slice(0, 100))} is no cursor`, {
    advice: 'Give the cursor of the answer before, or none to begin',
  })
}

/** A page of a list that is at hand, and the cursor of the next one. */
export function pageOf<Item>(
  items: readonly Item[],
  { cursor, limit, cut }: { readonly cursor: string | undefined; readonly limit: number; cut(item: Item): Item },
): { readonly some: readonly Item[]; readonly cursor?: string } {
  const [from = 0] = cursor === undefined ? [] : numbersIn(cursor, 1)
  const some = fitting(items.slice(from, from + limit), cut)
  const next = from + some.length
  return { some, ...(next < items.length && { cursor: String(next) }) }
}

/** An error as whoever asked gets it: a code, what happened and what to do. */
export function told(error: unknown): Json {
  const isOurs = error instanceof ToolsError || error instanceof MnemeError
  const message = wordsOf(error)
  return { error: { code: isOurs ? error.code : 'UNEXPECTED', message: message.slice(0, 2000) } }
}
