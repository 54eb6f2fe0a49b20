/** Errors of a user's functions without the personal values that their messages show. */
import { plainOf, shown } from './personal.ts'
import { sealedWithin } from './personal-fields.ts'

/** How deep causes are searched. */
const causesMax = 20

/**
 * The same error, or a copy that shows no personal value of some data, neither in its messages nor in texts that it has
 * as properties. Errors are logged, and their messages stored with parked events.
 *
 * @param data what the function was given
 */
export function discreet(error: unknown, data: unknown): unknown {
  const plains = sealedWithin(data).flatMap((value) => textsIn(plainOf(value)))
  return plains.length === 0 ? error : without(error, plains, 0)
}

/** The texts that a message may show. The longest come first, because one may be a part of another. */
function textsIn(plain: unknown): readonly string[] {
  if (typeof plain === 'string') return plain === '' ? [] : [plain]
  if (typeof plain === 'number' || typeof plain === 'bigint') return [String(plain)]
  if (plain instanceof Date) return Number.isNaN(plain.getTime()) ? [] : [plain.toISOString(), String(plain)]
  return typeof plain === 'object' && plain !== null ? Object.values(plain).flatMap(textsIn) : []
}

function without(error: unknown, plains: readonly string[], depth: number): unknown {
  const hide = (text: string) =>
    plains.toSorted((a, b) => b.length - a.length).reduce((hidden, plain) => hidden.replaceAll(plain, shown), text)
  if (typeof error === 'string') return hide(error)
  if (!(error instanceof Error) || depth === causesMax) return error
  const changes: PropertyDescriptorMap = {}
  for (const name of new Set(['message', 'stack', ...Object.keys(error)])) {
    const text: unknown = error[name as keyof Error]
    const hidden = typeof text === 'string' && name !== 'code' ? hide(text) : text
    const { enumerable = false } = Object.getOwnPropertyDescriptor(error, name) ?? {}
    if (hidden !== text) changes[name] = { value: hidden, enumerable, configurable: true, writable: true }
  }
  const cause = without(error.cause, plains, depth + 1)
  if (cause !== error.cause) changes['cause'] = { value: cause, configurable: true, writable: true }
  if (Object.keys(changes).length === 0) return error
  return Object.create(Object.getPrototypeOf(error), { ...Object.getOwnPropertyDescriptors(error), ...changes })
}
