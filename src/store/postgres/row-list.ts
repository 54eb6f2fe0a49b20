/**
 * The statement that lists rows of a projection. Conditions go with it, so that rows that do not meet them stay where they are:
 * they compare the field's text, as it is written in the row, which `value ->> 'field'` gives. An index over that expression
 * serves them. Rows whose JSON PostgreSQL cannot look into are given all the same.
 */
import type { Condition, RowPage } from '../store.ts'
import { isText } from './binary-arrays.ts'
import type { Parameter } from './database.ts'

/** @param schema quoted */
export function listStatement(
  schema: string,
  projection: string,
  { after, prefix, where = [], limit }: RowPage,
): { readonly text: string; readonly values: readonly Parameter[] } {
  const values: Parameter[] = [projection, Math.min(limit, Number.MAX_SAFE_INTEGER)]
  const parameter = (value: Parameter): string => `$${values.push(value)}`
  const filters: string[] = []
  if (after !== undefined) filters.push(`r.key > ${parameter(after)}`)
  if (prefix !== undefined && prefix !== '') {
    filters.push(`r.key >= ${parameter(prefix)}`)
    const end = successorOf(prefix)
    if (end !== undefined) filters.push(`r.key < ${parameter(end)}`)
  }
  for (const condition of where) {
    if (isText(condition.field)) filters.push(`(r.value IS NULL OR ${conditionText(condition, parameter)})`)
  }
  const text = `SELECT r.key, coalesce(r.value::text, r.escaped) FROM ${schema}.projection_rows r
    WHERE ${['r.projection = $1', ...filters].join(' AND ')} ORDER BY r.key LIMIT $2::bigint`
  return { text, values }
}

function conditionText(condition: Condition, parameter: (value: Parameter) => string): string {
  const field = `r.value, ${parameter(condition.field)}`
  const asText = `json_extract_path_text(${field})`
  if ('oneOf' in condition) {
    const texts = condition.oneOf.map(String).filter(isText)
    return `${asText} = ANY (ARRAY[${texts.map((text) => `${parameter(text)}::text`).join(', ')}]::text[])`
  }
  const { least, most } = condition
  const bounds = [
    ...(least === undefined || least === Number.NEGATIVE_INFINITY ? [] : [`>= ${parameter(String(least))}::numeric`]),
    ...(most === undefined || most === Number.POSITIVE_INFINITY ? [] : [`<= ${parameter(String(most))}::numeric`]),
  ]
  const tests = bounds.map((bound) => `${asText}::numeric ${bound}`)
  return `CASE json_typeof(json_extract_path(${field})) WHEN 'number' THEN ${['true', ...tests].join(' AND ')}
    ELSE json_typeof(json_extract_path(${field})) = 'object' END`
}

/** The first text behind all that begin with this one, by bytes of UTF-8; undefined if there is none. */
export function successorOf(prefix: string): string | undefined {
  const characters = Array.from(prefix)
  for (;;) {
    const last = characters.pop()?.codePointAt(0)
    if (last === undefined) return undefined
    if (last >= 0x10ffff) continue
    const next = last === 0xd7ff ? 0xe000 : last + 1
    return characters.join('') + String.fromCodePoint(next)
  }
}
