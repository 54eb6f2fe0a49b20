/**
 * Lists rows of a projection. Conditions are part of the statement, so rows that do not meet them are not sent. They
 * compare the text of the field as it is written in the row. Rows whose JSON PostgreSQL cannot read are returned
 * anyway.
 *
 * A statement looks at a bounded number of rows, and at a bounded number of their bytes as they are stored. That size
 * is known without unpacking the rows. The size of their texts is known only afterwards, and bounds the rows that are
 * returned.
 */
import type { Json } from '../../../domain/json.ts'
import { rowCharactersMax, rowsLookedAtMax } from '../../row-page.ts'
import type { Condition, Row, RowPage, RowQuery } from '../../store.ts'
import { isText } from '../database/binary-arrays.ts'
import type { Row as Columns, Parameter } from '../database/database.ts'

/** The number of stored bytes that a statement looks at. Long values are stored compressed. */
const storedBytesMax = 2_000_000
/** The largest `bigint`. */
const countMax = '9223372036854775807'

/**
 * The statement for a page, in the form that `pageOf` reads. The first row says how far the statement has looked if
 * there is more, and how many rows it has found. Then come the rows that it returns.
 *
 * @param schema quoted
 */
export function listStatement(
  schema: string,
  projection: string,
  { after, prefix, where = [], limit }: RowQuery,
): { readonly text: string; readonly values: readonly Parameter[] } {
  // One row more than wanted shows whether there is another page.
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

/** @param answer the answer of the statement */
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

/** The first text after all texts that begin with the prefix, by bytes of UTF-8, or `undefined` if there is none. */
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
