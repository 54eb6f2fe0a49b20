/** How the facts of errors are put into words. */
import type { StreamId } from './stream.ts'

/** A stream. */
export const at = ({ aggregate, id }: StreamId): string => `${aggregate} ${JSON.stringify(id)}`

/** A value, cut if it is long. */
export const brief = (value: unknown): string => {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

/** A projection by its name, or a reaction, whose stored name says that it is one. */
export const called = (name: string): string =>
  name.startsWith('reaction ') ? `The ${name}` : `The projection ${name}`

/** Where a checkpoint is. */
export interface CheckpointFacts {
  readonly position: number
  readonly term: number
}

export const placed = ({ position, term }: CheckpointFacts): string => `position ${position} in term ${term}`

/** That another process leads, if one does. */
export const untilLedBy = (leader: { readonly until: Date } | undefined): string =>
  leader === undefined ? '' : `; another process has its lease until ${leader.until.toISOString()}`
