/**
 * The projection's floor on SQLite: reads the events' rows in pages of 1,000, parses the data, keeps the documents of
 * the page's accounts by reading and upserting them with prepared statements, and moves the checkpoint, one transaction
 * a page. Tables of its own in a file of its own; the log is only read.
 */
import { rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { type Document, emptyDocument, evolveDocument } from './document.ts'
import { connect, makeSchema } from './sqlite.ts'

const pageSize = 1000

type EventRow = readonly [position: number, id: string, type: string, data: string, recordedAt: number]

/** Projects the log of a SQLite store; gives the seconds it took. */
export async function projectInSqlite(log: string): Promise<number> {
  const path = `${log}-projected`
  await makeSchema(path)
  const source = new DatabaseSync(log, { readOnly: true })
  const target = connect(path)
  const read = source.prepare(`SELECT e.position, s.id, k.type, e.data, e.recorded_at FROM events e
    JOIN streams s ON s.number = e.stream JOIN kinds k ON k.number = e.kind
    WHERE e.position > ? ORDER BY e.position LIMIT ${pageSize}`)
  read.setReturnArrays(true)
  const load = target.prepare("SELECT value FROM projection_rows WHERE projection = 'balances' AND key = ?")
  const save =
    target.prepare(`INSERT INTO projection_rows (projection, key, value, checksum) VALUES ('balances', ?, ?, 0)
    ON CONFLICT (projection, key) DO UPDATE SET value = excluded.value`)
  const move =
    target.prepare(`INSERT INTO projections (name, checkpoint, term, note, checksum) VALUES ('balances', ?, 1, '{}', 0)
    ON CONFLICT (name) DO UPDATE SET checkpoint = excluded.checkpoint`)
  const startedAt = performance.now()
  for (let checkpoint = 0; ; ) {
    const rows = read.all(checkpoint) as unknown as readonly EventRow[]
    if (rows.length === 0) break
    target.exec('BEGIN IMMEDIATE')
    const documents = new Map<string, Document>()
    for (const row of rows) {
      const known = documents.get(row[1]) ?? parse(load.get(row[1]))
      documents.set(row[1], known)
      evolveDocument(known, { type: row[2], data: row[3], recordedAt: row[4] })
    }
    for (const [id, document] of documents) save.run(id, JSON.stringify(document))
    checkpoint = rows.at(-1)![0]
    move.run(checkpoint)
    target.exec('COMMIT')
  }
  const seconds = (performance.now() - startedAt) / 1000
  target.close()
  source.close()
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
  return seconds
}

function parse(row: Record<string, unknown> | undefined): Document {
  return row === undefined ? { ...emptyDocument } : (JSON.parse(row['value'] as string) as Document)
}
