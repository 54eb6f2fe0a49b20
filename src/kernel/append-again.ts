/** Repeats an append to which the store gave no answer. The ids of the commits make that safe. */
import type { StreamId } from '../domain/stream.ts'
import type { Environment } from '../runtime/environment.ts'
import type { Warn } from '../runtime/warning.ts'
import { type Commit, repeated } from '../store/commit.ts'
import type { CommitQueue } from '../store/commit-queue.ts'
import type { AppendResult } from '../store/store.ts'
import { isCertain } from './certainty.ts'
import { named } from './named.ts'
import { pauseAfter } from './retry.ts'

interface Parts {
  readonly queue: CommitQueue
  readonly environment: Environment
  readonly limits: { readonly appendTriesMax: number }
  readonly warn: Warn
  readonly writer: string
}

/**
 * Appends commits again until the store answers, or says that nothing was stored.
 *
 * @param first the error of the first attempt
 * @param stream for warnings
 * @returns the results, or the error after which it is known or unknown what was stored (`isCertain`)
 */
export async function appendAgain(
  { queue, environment, limits, warn, writer }: Parts,
  commits: readonly Commit[],
  first: unknown,
  stream: StreamId,
): Promise<{ readonly results: readonly AppendResult[] } | { readonly error: unknown }> {
  let error = first
  for (let tries = 1; !isCertain(error) && tries < limits.appendTriesMax; tries++) {
    const message = `An append to ${named(stream)} got no answer and is repeated`
    warn({ code: 'APPEND_REPEATED', message, cause: error, stream })
    await pauseAfter(environment, tries)
    try {
      return { results: await queue.append(commits.map(repeated), { writer }) }
    } catch (next) {
      // An earlier attempt may have succeeded; a later refusal proves nothing about it.
      if (!isCertain(next)) error = next
    }
  }
  return { error }
}
