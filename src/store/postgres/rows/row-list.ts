/**
 * Lists rows of a projection. Conditions go with the statement, so that rows that do not meet them stay where they are:
 * they compare the field's text, as it is written in the row. Rows whose JSON PostgreSQL cannot look into are given all
 * the same.
 *
 * A statement looks at so many rows at the most, whatever they hold, and at so many bytes of them, as they are stored.
 * That is known without unpacking them; how large their texts are is known afterwards, and bounds what is given.
 */
import type { Json } from '../../../domain/json.ts'
import { rowCharactersMax, rowsLookedAtMax } from '../../row-page.ts'
import type { Condition, Row, RowPage, RowQuery } from '../../store.ts'
import { isText } from '../database/binary-arrays.ts'
import type { Row as Columns, Parameter } from '../database/database.ts'

/** Bytes that a statement looks at, as they are stored: in a compressed form, if they are long. */
const storedBytesMax = 2_000_000
/** The largest `bigint`. */
const countMax = '9223372036854775807'

/**
 * The statement for a page, which gives it as `pageOf` reads it: first a row of its own, which says how far it has
 * looked if there is more, and how many rows it has found; then those of them that it gives.
 *
 * @param schema quoted
 */
export function listStatement(
  schema: string,
  projection: string,
  { after, prefix, where = [], limit }: RowQuery,
): { readonly text: string; readonly values: readonly Parameter[] } {
  // One more than are wanted tells whether there is another page.
  const wanted = Number.isFinite(limit) ? limit + 1 : countMax
  const lookedAt = where.length > 0 ? rowsLookedAtMax : Math.min(limit + 1, rowsLookedAtMax)
  const values: Parameter[] = [projection, lookedAt, storedBytesMax, wanted, rowCharactersMax]
  const parameter = (value: Parameter): string => `$${values.push(value)}`
  const range = ['r.projection = $1']
  if (after !== undefined) range.push(`r.key > ${parameter(after)}`)
  if (prefix !== undefined && prefix !== '') {
    range.push(`r.key >= ${parameter(prefix)}`)
    const end = successorOf(prefix)
    if (end !== undefined) range.push(`r.key < ${parameter(end)}`)
  }
  const tests = where
    .filter(({ field }) => isText(field))
    .map((condition) => `(r.value IS NULL OR ${conditionText(condition, parameter)})`)
  const text = `WITH
    near AS MATERIALIZED (SELECT r.key, r.value, r.escaped FROM ${schema}.projection_rows r
      WHERE ${range.join(' AND ')} ORDER BY r.key LIMIT $2::bigint),
    sized AS MATERIALIZED (SELECT near.*, coalesce(sum(coalesce(pg_column_size(value), pg_column_size(escaped)))
      OVER (ORDER BY key ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before FROM near),
    looked AS MATERIALIZED (SELECT key, value, escaped FROM sized WHERE before < $3::bigint),
    found AS MATERIALIZED (SELECT r.key, coalesce(r.value::text, r.escaped) AS text FROM looked r
      WHERE ${['true', ...tests].join(' AND ')} ORDER BY r.key LIMIT $4::bigint),
    given AS (SELECT key, text, coalesce(sum(octet_length(text))
      OVER (ORDER BY key ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before FROM found)
    SELECT NULL, CASE WHEN (SELECT count(*) FROM near) < $2::bigint AND (SELECT count(*) FROM looked) = (SELECT count(*) FROM near)
      THEN NULL ELSE (SELECT max(key) FROM looked) END, (SELECT count(*) FROM found)
    UNION ALL (SELECT key, text, NULL FROM given WHERE before < $5::bigint ORDER BY key)`
  return { text, values }
}

/** @param answer of the statement */
export function pageOf([first, ...answer]: readonly Columns[], { limit }: RowQuery): RowPage {
  const [, lookedUpTo, found] = first!
  const rows = answer.slice(0, limit).map(([key, text]): Row => ({ key: key!, value: JSON.parse(text!) as Json }))
  if (rows.length < Number(found)) return { rows, next: rows.at(-1)!.key }
  return lookedUpTo === null ? { rows } : { rows, next: lookedUpTo! }
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
