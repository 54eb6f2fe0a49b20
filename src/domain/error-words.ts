/** Turns the facts of errors into words. */
import type { StreamId } from './stream.ts'

/** A stream. */
export const at = ({ aggregate, id }: StreamId): string => `${aggregate} ${JSON.stringify(id)}`

/** A value, cut if it is long. */
export const brief = (value: unknown): string => {
  const text = typeof value === 'string' ? JSON.stringify(value) : plain(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

/** What was thrown, in words. Code of users may throw anything, and give an error any message. */
export function wordsOf(thrown: unknown): string {
  try {
    return plain(thrown instanceof Error ? thrown.message : thrown)
  } catch {
    return 'an error without a message'
  }
}

/** A value that has no text (an object without a prototype, a list nested too deep) is named by its type. */
function plain(value: unknown): string {
  try {
    return String(value)
  } catch {
    return Array.isArray(value) ? 'a list' : `a value of type ${typeof value}`
  }
}

/** A projection or reaction, by the name under which it is stored. That of a reaction begins with the word. */
export const named = (name: string): string => (name.startsWith('reaction ') ? `the ${name}` : `the projection ${name}`)

/** The same, at the beginning of a sentence. */
export const called = (name: string): string => `T${named(name).slice(1)}`

/** Where a checkpoint is. */
export interface CheckpointFacts {
  readonly position: number
  readonly term: number
}

export const placed = ({ position, term }: CheckpointFacts): string => `position ${position} in term ${term}`

/** What is tried again, if anything is. */
export interface RetryFacts {
  readonly event?: { readonly position: number; readonly type: string }
  readonly attempts?: number
  readonly nextAt?: Date
}

/** Until when another process leads, if one does. */
export const untilLedBy = (leader: { readonly until: Date } | undefined): string =>
  leader === undefined ? '' : `; another process holds its lease until ${leader.until.toISOString()}`

/** Since when a projection or reaction is paused, if it is. */
export const restingSince = (since: Date | undefined): string =>
  since === undefined ? '' : `; it is paused since ${since.toISOString()}, until somebody resumes it`
