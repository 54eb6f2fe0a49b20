/** Writes the batches of the commit queue, and tells an observer of each. */
import type { Observing } from '../runtime/observing.ts'
import { together, type WriteGroups } from '../store/commit-queue.ts'
import type { AppendResult, EventStore } from '../store/store.ts'

/** @param observing absent if nobody observes */
export function batchWriter(events: EventStore, writer: string, observing: Observing | undefined): WriteGroups {
  const write: WriteGroups = (groups) => events.append(together(groups), { writer })
  return observing === undefined ? write : observed(observing, events.name, write)
}

function observed(observing: Observing, store: string, write: WriteGroups): WriteGroups {
  return async (groups, writers) => {
    const commits = together(groups)
    const span = observing.start('batch', {
      store,
      commandIds: commits.map(({ id }) => id),
      events: commits.reduce((sum, { events }) => sum + events.length, 0),
      size: commits.reduce((sum, { size }) => sum + size, 0),
    })
    try {
      const results = await write(groups, writers)
      const count = (status: AppendResult['status']) => results.filter((result) => result.status === status).length
      span.end({ stored: count('stored'), conflicts: count('conflict'), repeated: count('duplicate') })
      return results
    } catch (error) {
      span.cut(error)
      throw error
    }
  }
}
