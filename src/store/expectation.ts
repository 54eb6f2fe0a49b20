/** The rule by which a commit is stored or conflicts, for all stores that decide in this process. */
import type { Expected } from './commit.ts'

/**
 * Whether a stream is as a commit expects it.
 *
 * @param sequence the last sequence of the stream, with what earlier commits of the batch stored; 0 if it has no event
 * @param broken whether an earlier commit to this stream was not stored by this batch. A commit that expects an exact
 *   sequence was decided on that commit's events, so it must not match the right number by chance.
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
