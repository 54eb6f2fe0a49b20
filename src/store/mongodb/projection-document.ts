/** The document of a projection: its checkpoint, the number of its step, and what is pending. */
import type { Database } from './database.ts'
import type { RowText } from './row-documents.ts'

export interface ProjectionDocument {
  readonly _id: string
  readonly checkpoint: number
  readonly step: number
  readonly floor?: number
  /** Rows of the last step that are not among the others yet. */
  readonly pending?: Pending
}

/** Rows that are saved, but not where rows are kept: here, or in so many parts under a token. */
export type Pending = { readonly rows: readonly RowText[] } | { readonly token: string; readonly parts: number }

/** The document of a projection, if it has made a step. */
export async function findProjection(database: Database, projection: string): Promise<ProjectionDocument | undefined> {
  return database.get<ProjectionDocument>('projections', projection)
}
