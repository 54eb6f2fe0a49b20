/** States from a state and what events changed. */
import type { ChangeView, Json } from '../src/studio/views.ts'

/** The state after some changes. The state before is not touched; what did not change is shared with it. */
export function applyChanges(before: Json | undefined, changes: readonly ChangeView[]): Json {
  let state = before as Json
  // Entries of lists are removed from the end, so that the others keep their places.
  const removed = changes.filter((change) => !('after' in change)).reverse()
  for (const change of changes) if ('after' in change) state = changed(state, change.path, change.after)
  for (const { path } of removed) state = changed(state, path, undefined)
  return state
}

function changed(value: Json, [key, ...rest]: ChangeView['path'], after: Json | undefined): Json {
  if (key === undefined) return after as Json
  if (Array.isArray(value)) {
    const list = [...(value as readonly Json[])]
    if (rest.length === 0 && after === undefined) list.splice(key as number, 1)
    else list[key as number] = changed(list[key as number] as Json, rest, after)
    return list
  }
  const entries = new Map(Object.entries(value as Readonly<Record<string, Json>>))
  if (rest.length === 0 && after === undefined) entries.delete(String(key))
  else entries.set(String(key), changed(entries.get(String(key)) as Json, rest, after))
  // Not by assignment, because a key may be `__proto__`.
  return Object.fromEntries(entries)
}

/** The value at a path; `undefined` if there is nothing. */
export function valueAt(state: Json, path: ChangeView['path']): Json | undefined {
  let value: Json | undefined = state
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Readonly<Record<string | number, Json>>)[key]
  }
  return value
}

/** A path as people write it: `lines[0].amount`. */
export function pathText(path: ChangeView['path']): string {
  const text = path
    .map((part) => {
      if (typeof part === 'number') return `[${part}]`
      return /^[\p{L}_$][\p{L}\p{N}_$-]*$/u.test(part) ? `.${part}` : `[${JSON.stringify(part)}]`
    })
    .join('')
  return text === '' ? 'the whole state' : text.replace(/^\./, '')
}
