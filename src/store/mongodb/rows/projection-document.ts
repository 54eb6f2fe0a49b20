/** The document of a projection: its checkpoint, the number of its step, and pending rows. */
import { noCheckpoint } from '../../checkpoint.ts'
import type { Checkpoint } from '../../store.ts'
import type { Database } from '../database/database.ts'
import { checkFields, type FieldCheck, listOf, optional, record, text, whole } from '../database/fields.ts'
import { fromText } from '../database/json-text.ts'
import type { RowText } from './row-documents.ts'

export interface ProjectionDocument {
  readonly _id: string
  readonly checkpoint: number
  readonly term: number
  /** The note as JSON. */
  readonly note: string
  readonly step: number
  readonly floor?: number
  /** Rows of the last step that are not in their places yet. */
  readonly pending?: Pending
}

/** Rows that are saved, but not in their places: here, or in a number of parts under a token. */
export type Pending = { readonly rows: readonly RowText[] } | { readonly token: string; readonly parts: number }

const rowText = record({ key: text, value: (value) => value === null || text(value) })
const fields: Readonly<Record<string, FieldCheck>> = {
  checkpoint: whole,
  term: whole,
  note: text,
  step: whole,
  floor: optional(whole),
  pending: optional(
    (value) => record({ rows: listOf(rowText) })(value) || record({ token: text, parts: whole })(value),
  ),
}

/** The document of a projection, if it has made a step. @throws StoreError `STORE_CORRUPT` */
export async function findProjection(
  database: Database,
  store: string,
  projection: string,
): Promise<ProjectionDocument | undefined> {
  const found = await database.get<ProjectionDocument>('projections', projection)
  return found && checkFields(found, fields, { store, where: `the checkpoint of ${projection}` })
}

/** The checkpoint of a projection. Before its first step it is the initial one. */
export function checkpointOf(known: ProjectionDocument | undefined, store: string): Checkpoint {
  if (known === undefined) return noCheckpoint
  const { _id, checkpoint: position, term, note } = known
  return { position, term, note: fromText(note, store, `the checkpoint of ${_id}`) }
}
