/**
 * Finds the personal fields of some data by their paths. A path goes through lists: `contacts.email` is in each item.
 */
import { depthMax } from './json.ts'
import { SealedValue, valueIn } from './sealed-value.ts'

/** Some fields: personal ones, and those on the way to others. */
export type FieldTree = readonly Branch[]

export interface Branch {
  readonly name: string
  /** The fields within it; absent if it is personal itself. */
  readonly within?: FieldTree
}

type Fields = Readonly<Record<string, unknown>>
type Replace = (value: unknown, place: string) => unknown

/** The tree of fields such as `email` and `contacts.phone`. A field within a personal one is personal with it. */
export function treeOf(fields: readonly string[]): FieldTree {
  const names = fields.map((field) => {
    const [name, ...rest] = field.split('.')
    return { name: name!, rest: rest.join('.') }
  })
  return Array.from(
    Map.groupBy(names, ({ name }) => name),
    ([name, own]) =>
      own.some(({ rest }) => rest === '') ? { name } : { name, within: treeOf(own.map(({ rest }) => rest)) },
  )
}

/** The field of a name, if it is one of some fields. */
export function branchOf(tree: FieldTree, name: string): Branch | undefined {
  for (const branch of tree) if (branch.name === name) return branch
  return undefined
}

/**
 * Replaces fields. The data itself is not changed: what leads to a replaced field is copied.
 *
 * @param replace gets each field that is there, with its place, such as `contacts.1.email`
 */
export const replaceFields = (data: unknown, tree: FieldTree, replace: Replace): unknown =>
  replaceIn(data, tree, '', replace)

function replaceIn(data: unknown, tree: FieldTree, place: string, replace: Replace): unknown {
  if (typeof data !== 'object' || data === null) return data
  if (Array.isArray(data)) {
    let copy: unknown[] | undefined
    for (let i = 0; i < data.length; i++) {
      const item = replaceIn(data[i], tree, placeIn(place, String(i)), replace)
      if (item === data[i]) continue
      copy ??= data.slice()
      copy[i] = item
    }
    return copy ?? data
  }
  let copy: Record<string, unknown> | undefined
  for (const { name, within } of tree) {
    if (!Object.hasOwn(data, name)) continue
    const before = (data as Fields)[name]
    const there = placeIn(place, name)
    const after = within === undefined ? replace(before, there) : replaceIn(before, within, there, replace)
    if (after === before) continue
    copy ??= { ...data }
    copy[name] = after
  }
  return copy ?? data
}

const placeIn = (place: string, name: string): string => (place === '' ? name : `${place}.${name}`)

/** Puts a value at a place, if what holds the place is there. */
export function putAt(data: unknown, place: string, value: unknown): unknown {
  const names = place.split('.')
  const put = (within: unknown, depth: number): unknown => {
    if (depth === names.length) return value
    if (typeof within !== 'object' || within === null) return within
    const name = names[depth]!
    const after = put((within as Fields)[name], depth + 1)
    if (Array.isArray(within)) return Number(name) < within.length ? within.with(Number(name), after) : within
    return { ...within, [name]: after }
  }
  return put(data, 0)
}

/** All personal values in some data, also those whose boxes it has. */
export function sealedWithin(data: unknown, depth = 0): readonly SealedValue[] {
  if (typeof data !== 'object' || data === null || depth > depthMax) return []
  if (SealedValue.is(data)) return [data]
  const value = valueIn(data)
  if (value !== undefined) return [value]
  const parts = data instanceof Map ? [...data].flat() : data instanceof Set ? [...data] : Object.values(data)
  return parts.flatMap((part) => sealedWithin(part, depth + 1))
}

/** JSON in which boxes are replaced by their values. */
export function unboxed(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json
  if (SealedValue.is(json)) return json
  const value = valueIn(json)
  if (value !== undefined) return value
  if (Array.isArray(json)) return json.map(unboxed)
  return Object.fromEntries(Object.entries(json).map(([name, part]) => [name, unboxed(part)]))
}
