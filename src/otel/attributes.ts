/**
 * The names of attributes. Those of OpenTelemetry's semantic conventions are used where they fit, and `mneme.` stands
 * before the others. No attribute holds data of commands or events, and none of a metric holds an id, of which there
 * are too many.
 */
import type { Attributes } from '@opentelemetry/api'
import { MnemeError } from '../domain/error.ts'
import type { StreamId } from '../domain/stream.ts'

/** A store as the conventions for databases call it. */
const systems: Readonly<Record<string, string>> = { postgres: 'postgresql' }

export const systemOf = (store: string): string => systems[store] ?? store

/** What a metric or a span says of a command. */
export const commandAttributes = ({ aggregate }: StreamId, command: string): Attributes => ({
  'mneme.aggregate': aggregate,
  'mneme.command': command,
})

/** What only a span says, because there are many of them. */
export const streamAttributes = ({ id }: StreamId): Attributes => ({ 'mneme.stream.id': id })

/** The kind of an error. Its message may quote data, so it is left out. */
export function errorType(error: unknown): string {
  if (error instanceof MnemeError) return error.code
  return error instanceof Error ? error.name : '_OTHER'
}
