/** What differs between two values: which places, from what to what. */
import type { Json } from '../../../src/index.ts'

/** One place that differs. A side is absent if there is nothing at that place. */
export interface Change {
  /** Keys and indexes from the top, such as `['lines', 0, 'amount']`; empty for the whole value. */
  readonly path: readonly (string | number)[]
  readonly before?: Json
  readonly after?: Json
}

/** Some places that differ; `more` says how many others do. */
export interface Changes {
  readonly changes: readonly Change[]
  readonly more: number
}

const changesMax = 1000

/** The places at which two values differ, at most `limit` (1,000 by default), in the order of the second one. */
export function changesBetween(before: Json, after: Json, limit: number = changesMax): Changes {
  const changes: Change[] = []
  let more = 0
  const tell = (change: Change) => {
    if (changes.length < limit) changes.push(change)
    else more++
  }
  compare(before, after, [], tell)
  return { changes, more }
}

/** A path as people write it: `lines[0].amount`. The whole value is `.`. */
export function pathText(path: Change['path']): string {
  const text = path
    .map((part) => {
      if (typeof part === 'number') return `[${part}]`
      return /^[\p{L}_$][\p{L}\p{N}_$-]*$/u.test(part) ? `.${part}` : `[${JSON.stringify(part)}]`
    })
    .join('')
  return text === '' ? '.' : text.replace(/^\./, '')
}

type Tell = (change: Change) => void

function compare(before: Json, after: Json, path: Change['path'], tell: Tell): void {
  if (Object.is(before, after)) return
  const bothAre = (test: (value: Json) => boolean) => test(before) && test(after)
  if (bothAre(Array.isArray)) compareLists(before as readonly Json[], after as readonly Json[], path, tell)
  else if (bothAre(isRecord)) compareRecords(before as Fields, after as Fields, path, tell)
  else tell({ path, before, after })
}

type Fields = Readonly<Record<string, Json>>

const isRecord = (value: Json): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)

function compareLists(before: readonly Json[], after: readonly Json[], path: Change['path'], tell: Tell): void {
  const both = Math.min(before.length, after.length)
  for (let i = 0; i < both; i++) compare(before[i]!, after[i]!, [...path, i], tell)
  for (let i = both; i < after.length; i++) tell({ path: [...path, i], after: after[i]! })
  for (let i = both; i < before.length; i++) tell({ path: [...path, i], before: before[i]! })
}

function compareRecords(before: Fields, after: Fields, path: Change['path'], tell: Tell): void {
  for (const [key, value] of Object.entries(after)) {
    const inner = [...path, key]
    if (Object.hasOwn(before, key)) compare(before[key]!, value, inner, tell)
    else tell({ path: inner, after: value })
  }
  for (const [key, value] of Object.entries(before)) {
    if (!Object.hasOwn(after, key)) tell({ path: [...path, key], before: value })
  }
}
