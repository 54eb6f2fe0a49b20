/** Values as TypeScript, as a person would write them. */
import { isDeepStrictEqual } from 'node:util'
import { type Json, Personal } from '../../../../src/index.ts'
import { shown } from '../../inspection/index.ts'

/** What a text needs besides the names of the domain. */
export interface Needs {
  /** Whether `Personal` must be imported. */
  personal: boolean
}

interface LiteralOptions {
  /** Whether personal values are written as their values. */
  readonly isPlain?: boolean
  /** The column in which it begins. */
  readonly indent?: number
}

/** A value that no literal can say, such as an instance of a class. */
class NoLiteral extends Error {}

const widthMax = 100
const depthMax = 100

/**
 * A value as an expression. A personal value is `Personal.of(...)`, or its value alone where a schema takes that.
 *
 * @throws NoLiteral
 */
export function literal(value: unknown, needs: Needs, options: LiteralOptions = {}): string {
  const { isPlain = false, indent = 0 } = options
  if (indent > depthMax * 2) throw new NoLiteral('it is nested too deeply')
  if (value === undefined || value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'string') return text(value)
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value !== 'object') throw new NoLiteral(`it has a ${typeof value}`)
  const inner = (part: unknown) => literal(part, needs, { isPlain, indent: indent + 2 })
  if (value instanceof Personal) {
    if (isPlain) return inner(value.value)
    needs.personal = true
    return `Personal.of(${text(value.subject)}, ${inner(value.value)})`
  }
  if (value instanceof Date) return `new Date(${Number.isNaN(value.getTime()) ? 'NaN' : text(value.toISOString())})`
  if (Array.isArray(value)) return group('[', value.map(inner), ']', indent)
  if (value instanceof Set) return `new Set(${group('[', [...value].map(inner), ']', indent)})`
  if (value instanceof Map) {
    const pairs = [...value].map(([key, part]) => `[${inner(key)}, ${inner(part)}]`)
    return `new Map(${group('[', pairs, ']', indent)})`
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw new NoLiteral('it has an instance of a class')
  const fields = Object.entries(value).map(([key, part]) => `${keyOf(key)}: ${inner(part)}`)
  return fields.length === 0 ? '{}' : group('{ ', fields, ' }', indent)
}

/** On one line if it fits. */
function group(open: string, parts: readonly string[], close: string, indent: number): string {
  const line = `${open}${parts.join(', ')}${close}`
  if (line.length + indent <= widthMax && !line.includes('\n')) return line
  const inside = ' '.repeat(indent + 2)
  return `${open.trim()}\n${parts.map((part) => `${inside}${part},\n`).join('')}${' '.repeat(indent)}${close.trim()}`
}

export function text(value: string): string {
  // They end a line in some programs.
  const safe = JSON.stringify(value).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
  if (value.includes("'")) return safe
  return `'${safe.slice(1, -1).replaceAll('\\"', '"')}'`
}

const isName = (key: string): boolean => /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key)

/** `__proto__: 1` would set the prototype. */
function keyOf(key: string): string {
  if (key === '__proto__') return "['__proto__']"
  return isName(key) ? key : text(key)
}

/** What stands after `when` or an object: `.withdraw` or `['withdraw it']`. */
export const property = (key: string): string => (isName(key) ? `.${key}` : `[${text(key)}]`)

/** An edited state, whose parts that are as shown are the real ones: dates, maps, personal values. */
export function restored(edited: Json, real: unknown): unknown {
  if (isDeepStrictEqual(edited, shown(real))) return real
  if (typeof edited !== 'object' || edited === null) return edited
  const isGroup = typeof real === 'object' && real !== null && !(real instanceof Map) && !(real instanceof Set)
  const inner = (key: string | number) =>
    isGroup && Object.hasOwn(real, key) ? (real as Readonly<Record<string | number, unknown>>)[key] : undefined
  if (Array.isArray(edited)) return (edited as readonly Json[]).map((item, i) => restored(item, inner(i)))
  return Object.fromEntries(Object.entries(edited).map(([key, item]) => [key, restored(item, inner(key))]))
}
