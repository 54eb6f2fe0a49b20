/**
 * The floors of reading on PostgreSQL, by the same rows and columns that the store reads, row by row through the
 * driver. The projection's reads pages of 1,000, keeps the documents of a page's accounts by reading and upserting
 * them, a statement each, and moves the checkpoint, one transaction a page. Its documents are in a schema of their own;
 * the log is only read.
 */
import { dropSchema } from '../location.ts'
import type { Place } from '../setting.ts'
import { accountAt } from '../workloads/events.ts'
import { type Document, emptyDocument, evolveDocument } from './document.ts'
import { connectBare, makeSchema } from './postgres.ts'

const pageSize = 1000
const columns = 'e.position, e.sequence, e.kind, e.revision, e.recorded_at, e.commit_id, e.data, e.metadata, e.tags'

/** Folds the deposits of the first account into a balance; gives the seconds it took. */
export async function foldBare(place: Place): Promise<number> {
  const { client, schema, rows } = await connectBare(place)
  const { aggregate, id } = accountAt(0)
  const startedAt = performance.now()
  const events = await rows(
    '',
    `SELECT ${columns} FROM ${schema}.events e JOIN ${schema}.streams s ON s.number = e.stream
      WHERE s.aggregate = $1 AND s.id = $2 ORDER BY e.sequence`,
    [aggregate, id],
  )
  let balance = 0
  for (const row of events) balance += (JSON.parse(row[6]!) as { readonly amount?: number }).amount ?? 0
  const seconds = (performance.now() - startedAt) / 1000
  await client.end()
  if (balance !== events.length - 1) throw new Error(`The fold gave ${balance}, not ${events.length - 1}`)
  return seconds
}

/** Projects the log; gives the seconds it took. */
export async function projectInPostgres(place: Place): Promise<number> {
  const path = `${place.path}-projected`
  await makeSchema(place.url, path)
  const source = await connectBare(place)
  const target = await connectBare(place, path)
  const read = `SELECT ${columns}, s.id, k.type FROM ${source.schema}.events e
    JOIN ${source.schema}.streams s ON s.number = e.stream JOIN ${source.schema}.kinds k ON k.number = e.kind
    WHERE e.position > $1 ORDER BY e.position LIMIT ${pageSize}`
  const load = `SELECT r.key, r.value FROM ${target.schema}.projection_rows r
    WHERE r.projection = 'balances' AND r.key = ANY ($1::text[])`
  const save = `INSERT INTO ${target.schema}.projection_rows (projection, key, value)
    SELECT 'balances', d.key, d.value::json FROM unnest($1::text[], $2::text[]) d (key, value)
    ON CONFLICT (projection, key) DO UPDATE SET value = excluded.value`
  const move = `INSERT INTO ${target.schema}.projections (name, position, term, note) VALUES ('balances', $1, 0, '{}')
    ON CONFLICT (name) DO UPDATE SET position = excluded.position`
  const startedAt = performance.now()
  for (let checkpoint = 0; ; ) {
    const events = await source.rows('read', read, [checkpoint])
    if (events.length === 0) break
    await target.client.query('BEGIN')
    const ids = [...new Set(events.map((row) => row[9]!))]
    const documents = new Map<string, Document>(ids.map((id) => [id, { ...emptyDocument }]))
    for (const [id, value] of await target.rows('load', load, [ids])) documents.set(id!, JSON.parse(value!) as Document)
    for (const row of events) {
      evolveDocument(documents.get(row[9]!)!, { type: row[10]!, data: row[6]!, recordedAt: Number(row[4]) })
    }
    await target.rows('save', save, [ids, Array.from(documents.values(), (document) => JSON.stringify(document))])
    checkpoint = Number(events.at(-1)![0])
    await target.rows('move', move, [checkpoint])
    await target.client.query('COMMIT')
  }
  const seconds = (performance.now() - startedAt) / 1000
  await target.client.end()
  await source.client.end()
  await dropSchema(place.url, path)
  return seconds
}
