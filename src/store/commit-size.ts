/** How large a commit may be: refused before any store sees it, with the same error on every store. */
import { InputError } from '../domain/error.ts'
import { refuseOption } from '../domain/options.ts'
import type { StreamId } from '../domain/stream.ts'
import { Commit } from './commit.ts'
import type { StoreLimits } from './store.ts'

/**
 * Refuses a batch with a commit over the store's limits, or with an object that `commit` has not made.
 *
 * @throws InputError `COMMIT_TOO_LARGE`; DefinitionError `OPTION_INVALID`
 */
export function checkSizes(commits: readonly Commit[], limits: StoreLimits): void {
  for (const commit of commits) {
    // Nearly all are of this copy of the package. The question for the mark of another copy takes longer.
    const isCommit = Object.getPrototypeOf(commit ?? 0) === Commit.prototype || commit instanceof Commit
    if (!isCommit) refuseOption('commits', 'a list of commits made by commit(...)', commit)
    checkSize(commit, limits)
  }
}

/** @throws InputError `COMMIT_TOO_LARGE` */
export function checkSize({ stream, events, size }: Commit, limits: StoreLimits): void {
  checkEventCount(stream, events.length, limits)
  if (size > limits.commitSizeMax) throw tooLarge(stream, size, limits)
}

/** @throws InputError `COMMIT_TOO_LARGE` */
export function checkEventCount(stream: StreamId, count: number, { commitEventsMax }: StoreLimits): void {
  if (count <= commitEventsMax) return
  throw new InputError('COMMIT_TOO_LARGE', { stream, measure: 'events', size: count, sizeMax: commitEventsMax })
}

export function tooLarge(stream: StreamId, size: number, { commitSizeMax }: StoreLimits): InputError {
  return new InputError('COMMIT_TOO_LARGE', { stream, measure: 'characters', size, sizeMax: commitSizeMax })
}
