/** The rule by which a commit is stored or conflicts; the same in every store that decides in this process. */
import { DefinitionError, InputError } from '../domain/error.ts'
import type { StreamId } from '../domain/stream.ts'
import { Commit, type Expected } from './commit.ts'
import type { StoreLimits } from './store.ts'

/**
 * Whether a stream is as a commit expects it.
 *
 * @param sequence the stream's last sequence, counting what earlier commits of the batch stored; 0 if it has no event
 * @param broken whether an earlier commit of the batch to this stream was not stored by it: whoever expects an exact
 *   sequence was decided on that commit's events, and must not meet the right number by chance
 */
export function isMet(expected: Expected, sequence: number, broken: boolean): boolean {
  switch (expected) {
    case 'any':
      return true
    case 'none':
      return sequence === 0
    case 'exists':
      return sequence > 0
    default:
      return sequence === expected && !broken
  }
}

/**
 * Refuses a batch that holds a commit over the store's limits, or something that `commit` has not made.
 *
 * @throws InputError `COMMIT_TOO_LARGE`; DefinitionError `OPTION_INVALID`
 */
export function checkSizes(commits: readonly Commit[], limits: StoreLimits): void {
  for (const commit of commits) {
    if (!(commit instanceof Commit)) throw notMade(commit)
    checkSize(commit, limits)
  }
}

function notMade(found: unknown): DefinitionError {
  return new DefinitionError('OPTION_INVALID', {
    option: 'commits',
    expected: 'a list of what commit(...) made',
    found,
  })
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
