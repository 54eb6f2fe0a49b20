/** Repeats an append to which the store gave no answer. The ids of the commits make that safe. */
import type { StreamId } from '../domain/stream.ts'
import type { Environment } from '../runtime/environment.ts'
import type { Warn } from '../runtime/warning.ts'
import { type Commit, repeated } from '../store/commit.ts'
import type { CommitQueue } from '../store/commit-queue.ts'
import { isMet } from '../store/expectation.ts'
import type { AppendResult } from '../store/store.ts'
import { isCertain } from './certainty.ts'
import { named } from './named.ts'
import { pauseAfter } from './retry.ts'
import type { Round } from './round.ts'
import { lossesBeforeTurn, type Turns } from './turns.ts'

interface Parts {
  readonly queue: CommitQueue
  readonly turns: Turns
  readonly environment: Environment
  readonly limits: { readonly appendTriesMax: number }
  readonly warn: Warn
  readonly writer: string
  /** From then on nothing is appended again. */
  readonly over: AbortSignal
}

/** `hasTurn`: whether the stream was reserved for this process on the way. */
type Known = { readonly hasTurn: boolean } & (
  | { readonly results: readonly AppendResult[] }
  | { readonly error: unknown }
)

/**
 * Appends the commits of a round again until the store answers, or says that nothing was stored. If the stream is
 * reserved for another process meanwhile, it waits for a turn first.
 *
 * @param first the error of the first attempt
 * @returns the results, or the error after which it is known or unknown what was stored (`isCertain`)
 */
export async function appendAgain(
  { queue, turns, environment, limits, warn, writer, over }: Parts,
  { commits, commands }: Round,
  first: unknown,
  stream: StreamId,
): Promise<Known> {
  const again = commits.map(repeated)
  const isWanted = () => commands.some(({ isAnswered }) => !isAnswered)
  let error = first
  let hasTurn = false
  let losses = lossesBeforeTurn
  for (let tries = 1; !isCertain(error) && tries < limits.appendTriesMax; tries++) {
    const message = `An append to ${named(stream)} got no answer and is repeated`
    warn({ code: 'APPEND_REPEATED', message, cause: error, stream })
    await pauseAfter(environment, tries, over)
    if (over.aborted) break
    try {
      for (;;) {
        const results = await queue.append(again, { writer })
        if (!mayStillArrive(commits, results)) return { results, hasTurn }
        hasTurn = await turns.take(stream, isWanted, losses++)
        if (!hasTurn) return { error, hasTurn }
      }
    } catch (next) {
      // An earlier attempt may have succeeded; a later refusal proves nothing about it.
      if (!isCertain(next)) error = next
    }
  }
  return { error, hasTurn }
}

/**
 * Whether an earlier attempt may be stored after this refusal: the stream is where the round expects it. A reservation
 * passes, and an attempt that is still on its way may arrive after it.
 */
function mayStillArrive(commits: readonly Commit[], results: readonly AppendResult[]): boolean {
  const at = results.findIndex(({ status }) => status === 'conflict')
  const refused = results[at]
  if (refused?.status !== 'conflict' || refused.reserved !== true) return false
  return isMet(commits[at]!.expected, refused.sequence, false)
}
