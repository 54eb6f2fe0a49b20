/**
 * The data beside the log: snapshots, rows with their checkpoints, and leases. Each call is one round trip.
 *
 * The value of a row is in a column of the type `json`, as the text that was saved. PostgreSQL's own functions for JSON
 * fail on some texts (`\u0000`, halves of surrogate pairs). Such a text is in the column `escaped` instead, so that SQL
 * over the other rows works.
 */

import { InputError } from '../../../domain/error.ts'
import type { Json, JsonObject } from '../../../domain/json.ts'
import type { StreamId } from '../../../domain/stream.ts'
import { checkCheckpoint, noCheckpoint } from '../../checkpoint.ts'
import type {
  Checkpoint,
  CheckpointPlace,
  Row as DocumentRow,
  Lease,
  ProjectionStep,
  RowPage,
  RowQuery,
  RowsWithCheckpoint,
  Snapshot,
} from '../../store.ts'
import { isText, texts } from '../database/binary-arrays.ts'
import type { Access, Parameter, Row, RunQuery } from '../database/database.ts'
import { quoted } from '../database/tables.ts'
import { lockWaitOf } from '../database/writing.ts'
import type { Settings } from '../options.ts'
import { listStatement, pageOf } from './row-list.ts'

/**
 * Settings of a step with work of its own. If a process stops in the middle, or a statement hangs, the checkpoint is
 * locked for at most the time for an answer. The other settings give values the form that `sql-values.ts` reads.
 */
const stepSettings = `set_config('idle_in_transaction_session_timeout', $4, true), CASE
    WHEN current_setting('statement_timeout') = '0' OR current_setting('statement_timeout')::interval > $2::interval
    THEN set_config('statement_timeout', $2, true) END,
  set_config('DateStyle', 'ISO', true), set_config('IntervalStyle', 'postgres', true),
  set_config('bytea_output', 'hex', true), set_config('extra_float_digits', '1', true)`

/** The statements by name. @param schema quoted */
export const rowStatements = (schema: string): RowStatements => ({
  saveSnapshot: `SELECT ${schema}.save_snapshot($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
  loadSnapshot: `SELECT s.sequence, s.state_revision, s.taken_at, s.checksum, s.fingerprint, s.state FROM ${schema}.snapshots s
    WHERE s.aggregate = $1 AND s.id = $2 AND s.sequence <= $3 ORDER BY s.sequence DESC LIMIT 1`,
  loadCheckpoint: `SELECT p.position, p.term, p.note FROM ${schema}.projections p WHERE p.name = $1`,
  loadRows: `SELECT r.key, coalesce(r.value::text, r.escaped) FROM ${schema}.projection_rows r
    WHERE r.projection = $1 AND r.key = ANY ($2::text[])`,
  // One statement sees one moment.
  loadRowsWithCheckpoint: `SELECT NULL, p.position, p.term, p.note::text FROM ${schema}.projections p WHERE p.name = $1
    UNION ALL SELECT r.key, NULL, NULL, coalesce(r.value::text, r.escaped) FROM ${schema}.projection_rows r
    WHERE r.projection = $1 AND r.key = ANY ($2::text[])`,
  saveStep: `SELECT s.actual, s.actual_term FROM ${schema}.save_step($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) s`,
  beginStep: `SELECT b.actual, b.actual_term, ${stepSettings} FROM ${schema}.begin_step($1, $2, $3) b`,
  endStep: `SELECT ${schema}.end_step($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
  resetProjection: `SELECT ${schema}.reset_projection($1, $2, $3)`,
  acquireLease: `SELECT l.holder, l.until FROM ${schema}.acquire_lease($1, $2, $3, $4, $5) l`,
  releaseLease: `SELECT ${schema}.release_lease($1, $2)`,
})

export type RowStatements = Readonly<Record<StatementName, string>>

type StatementName =
  | 'saveSnapshot'
  | 'loadSnapshot'
  | 'loadCheckpoint'
  | 'loadRows'
  | 'loadRowsWithCheckpoint'
  | 'saveStep'
  | 'beginStep'
  | 'endStep'
  | 'resetProjection'
  | 'acquireLease'
  | 'releaseLease'

export class PostgresRows {
  readonly #access: Access
  readonly #schema: string
  readonly #statements: RowStatements
  readonly #timeoutMs: number
  /** The first parameters of every function that writes. */
  readonly #writing: readonly [durable: boolean, lockWait: string]

  constructor(access: Access, statements: RowStatements, settings: Settings) {
    const { schema, mayLoseOnPowerFailure, timeoutMs } = settings
    this.#access = access
    this.#schema = quoted(schema)
    this.#timeoutMs = timeoutMs
    this.#statements = statements
    this.#writing = [!mayLoseOnPowerFailure, lockWaitOf(timeoutMs)]
  }

  async saveSnapshot(snapshot: Snapshot, keep: number): Promise<void> {
    const { stream, sequence, stateRevision, takenAt, checksum, fingerprint, state } = snapshot
    const at = [sequence, stateRevision, Math.floor(takenAt), checksum, fingerprint]
    const saved = [JSON.stringify(state), Math.min(keep, keepMax)]
    const values = [...this.#writing, stream.aggregate, stream.id, ...at, ...saved]
    await this.#access.write(this.#statements.saveSnapshot, values)
  }

  async loadSnapshot(stream: StreamId, atOrBefore: number): Promise<Snapshot | undefined> {
    if (!isText(stream.aggregate) || !isText(stream.id)) return undefined
    const bound = Math.min(atOrBefore, Number.MAX_SAFE_INTEGER)
    const [row] = await this.#access.read(this.#statements.loadSnapshot, [stream.aggregate, stream.id, bound])
    if (row === undefined) return undefined
    const [sequence, stateRevision, takenAt, checksum] = row.slice(0, 4).map(Number) as [number, number, number, number]
    const [fingerprint, state] = row.slice(4) as [string, string]
    return { stream, sequence, stateRevision, takenAt, checksum, fingerprint, state: JSON.parse(state) as Json }
  }

  async loadCheckpoint(projection: string): Promise<Checkpoint> {
    const [row] = await this.#access.read(this.#statements.loadCheckpoint, [projection])
    if (row === undefined) return noCheckpoint
    return { ...placeOf(row), note: JSON.parse(row[2]!) as JsonObject }
  }

  async loadRows(projection: string, keys: readonly string[]): Promise<readonly (Json | undefined)[]> {
    const known = keys.filter(isText)
    if (known.length === 0) return keys.map(() => undefined)
    const rows = await this.#access.read(this.#statements.loadRows, [projection, texts(known)])
    const values = new Map(rows.map(([key, value]) => [key!, JSON.parse(value!) as Json]))
    return keys.map((key) => values.get(key))
  }

  async loadRowsWithCheckpoint(projection: string, keys: readonly string[]): Promise<RowsWithCheckpoint> {
    const values = [projection, texts(keys.filter(isText))]
    const answer = await this.#access.read(this.#statements.loadRowsWithCheckpoint, values)
    let checkpoint = noCheckpoint
    const rows = new Map<string, Json>()
    for (const [key, position, term, text] of answer) {
      if (key !== null) rows.set(key!, JSON.parse(text!) as Json)
      else checkpoint = { ...placeOf([position!, term!]), note: JSON.parse(text!) as JsonObject }
    }
    return { checkpoint, values: keys.map((key) => rows.get(key)) }
  }

  async listRows(projection: string, query: RowQuery): Promise<RowPage> {
    const { text, values } = listStatement(this.#schema, projection, query)
    return pageOf(await this.#access.read(text, values), query)
  }

  /** @throws ConflictError `CHECKPOINT_CONFLICT` */
  async saveStep(projection: string, { from, to, rows }: ProjectionStep): Promise<void> {
    const places = [from.position, from.term, ...checkpointColumns(to)]
    const values = [...this.#writing, projection, ...places, ...rowColumns(rows)]
    const [row] = await this.#access.write(this.#statements.saveStep, values)
    checkCheckpoint(projection, from, placeOf(row!))
  }

  /** The first half of a step: locks the checkpoint, and compares it. @throws ConflictError `CHECKPOINT_CONFLICT` */
  async beginStep(query: RunQuery, projection: string, from: CheckpointPlace): Promise<void> {
    const values = [...this.#writing, projection, `${Math.ceil(this.#timeoutMs)}ms`]
    const [row] = await query(this.#statements.beginStep, values)
    checkCheckpoint(projection, from, placeOf(row!))
  }

  /** The second half of a step, in the same transaction. */
  async endStep(query: RunQuery, projection: string, { to, rows }: Omit<ProjectionStep, 'from'>): Promise<void> {
    await query(this.#statements.endStep, [...this.#writing, projection, ...checkpointColumns(to), ...rowColumns(rows)])
  }

  async resetProjection(projection: string): Promise<void> {
    await this.#access.write(this.#statements.resetProjection, [...this.#writing, projection])
  }

  async acquireLease(name: string, owner: string, durationMs: number): Promise<Lease> {
    const values = [...this.#writing, name, owner, Math.floor(durationMs)]
    const [row] = await this.#access.write(this.#statements.acquireLease, values)
    return { owner: row![0]!, expiresAt: Number(row![1]) }
  }

  async releaseLease(name: string, owner: string): Promise<void> {
    await this.#access.write(this.#statements.releaseLease, [name, owner])
  }
}

const keepMax = 2_147_483_647
/**
 * Escapes on which PostgreSQL's functions for JSON fail: the null character, and surrogates, which are escaped only if
 * they are alone.
 */
const troublesome = /\\u(?:0000|d[89a-f])/i

const placeOf = ([position, term]: Row): CheckpointPlace => ({ position: Number(position), term: Number(term) })

const checkpointColumns = ({ position, term, note }: Checkpoint): readonly Parameter[] => [
  position,
  term,
  JSON.stringify(note),
]

/** Rows as three columns: keys, values, and escaped values. If a key is there twice, the last row counts. */
function rowColumns(rows: readonly DocumentRow[]): readonly Parameter[] {
  if (rows.length === 0) return [null, null, null]
  const last = new Map(rows.map(({ key, value }) => [key, value]))
  const keys = [...last.keys()]
  for (const key of keys) {
    if (isText(key)) continue
    const reason = 'it holds a null character or a lone surrogate'
    throw new InputError('ID_INVALID', { what: 'the key of a row', id: key, reason })
  }
  const values = Array.from(last.values(), (value) => (value === undefined ? null : JSON.stringify(value)))
  const isPlain = (text: string | null) => text === null || !troublesome.test(text)
  return [
    texts(keys),
    texts(values.map((text) => (isPlain(text) ? text : null))),
    texts(values.map((text) => (isPlain(text) ? null : text))),
  ]
}
