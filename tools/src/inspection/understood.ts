/** Whether the code of a domain understands what is stored. */
import type { StoredEvent } from '../../../src/index.ts'
import { ToolsError } from '../errors.ts'
import type { AnyDomain } from './inspection.ts'

/**
 * Reads an event as an aggregate instance would that is loaded.
 *
 * @returns false if no aggregate of the domain has it, so nobody can say
 * @throws ToolsError `EVENT_UNKNOWN`; EventError `EVENT_UNREADABLE`
 */
export function understood({ aggregates, upcast }: AnyDomain, event: StoredEvent): boolean {
  const aggregate = Object.values(aggregates).find(({ name }) => name === event.stream.aggregate)
  if (aggregate === undefined) return false
  if (aggregate.folds.has(event.type)) upcast(event)
  else {
    const { stream, type, sequence } = event
    const place = `sequence ${sequence} of ${stream.aggregate} ${JSON.stringify(stream.id)}`
    throw new ToolsError('EVENT_UNKNOWN', `The domain does not declare the event ${JSON.stringify(type)} at ${place}`, {
      advice: 'If a newer program stores it, use the code of that program',
    })
  }
  return true
}
