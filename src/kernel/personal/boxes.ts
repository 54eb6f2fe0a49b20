/** Finds the boxes of personal values in stored JSON, and connects them with their values. */
import type { Json, JsonObject } from '../../domain/json.ts'
import { personalFrom } from '../../domain/personal.ts'
import { adopt, type Box, boxKeyOf, SealedValue, type SubjectKey, valueIn } from '../../domain/sealed-value.ts'

/** Whether some JSON has boxes. Collects the ids of their keys. @throws StoreError `PERSONAL_TOO_NEW` */
export function findBoxes(json: Json, ids: Set<string>): boolean {
  if (typeof json !== 'object' || json === null) return false
  const id = boxKeyOf(json)
  if (id !== undefined) {
    ids.add(id)
    return true
  }
  let has = false
  if (Array.isArray(json)) for (const item of json) has = findBoxes(item, ids) || has
  else if (isClearBox(json)) return true
  else for (const name in json) has = findBoxes((json as JsonObject)[name]!, ids) || has
  return has
}

/** The same JSON, in which each box belongs to its value. A box that another domain has opened is copied. */
export function openBoxes(json: Json, keys: ReadonlyMap<string, SubjectKey>): Json {
  if (typeof json !== 'object' || json === null) return json
  const id = boxKeyOf(json)
  if (id !== undefined) return openedBox(json as Box, keys.get(id)!)
  if (Array.isArray(json)) {
    const items = json.map((item: Json) => openBoxes(item, keys))
    return items.some((item, i) => item !== json[i]) ? Object.freeze(items) : json
  }
  if (isClearBox(json)) return clearBox(json)
  let copy: Record<string, Json> | undefined
  for (const name in json) {
    const before = (json as JsonObject)[name]!
    const after = openBoxes(before, keys)
    if (after === before) continue
    copy ??= { ...json } as Record<string, Json>
    Object.defineProperty(copy, name, { value: after, enumerable: true, configurable: true, writable: true })
  }
  return copy === undefined ? json : Object.freeze(copy)
}

function openedBox(box: Box, key: SubjectKey): Json {
  const known = valueIn(box)
  if (known !== undefined && SealedValue.keyOf(known) === key) return box
  const own = known === undefined ? box : { $personal: box.$personal }
  adopt(own, personalFrom({ subject: key.subject, key, box: own }))
  return Object.freeze(own)
}

/** The key of values for which no key was asked. It opens nothing, so they read as forgotten. */
const noKey: SubjectKey = Object.freeze({
  id: '',
  subject: 'unknown',
  boxStart: '',
  isDestroyed: true,
  isConfirmed: true,
  seal: () => '',
  open: () => '',
})

/**
 * Connects each box that has no value yet with one that reads as forgotten, for readers that have no keys. A reader
 * with keys copies such a box.
 */
export function closeBoxes(json: Json): void {
  if (typeof json !== 'object' || json === null) return
  if (boxKeyOf(json) !== undefined) {
    const box = json as Box
    if (valueIn(box) === undefined) adopt(box, personalFrom({ subject: noKey.subject, key: noKey, box }))
  } else if (!Array.isArray(json) && isClearBox(json)) clearBox(json)
  else for (const part of Object.values(json)) closeBoxes(part)
}

/** Whether JSON holds a personal value that was stored before its field was declared as personal. */
function isClearBox(json: Json): json is JsonObject & { readonly $personal: readonly [string, string] } {
  const { $personal } = json as JsonObject
  if (!Array.isArray($personal) || $personal.length !== 2 || Object.keys(json as object).length !== 1) return false
  return $personal.every((part) => typeof part === 'string')
}

function clearBox(json: JsonObject & { readonly $personal: readonly [string, string] }): Json {
  if (valueIn(json) !== undefined) return json
  const [subject, text] = json.$personal
  adopt(json, personalFrom({ subject, text, isClear: true }))
  return json
}
