/**
 * Crowds: in some runs only a few commands may wait for an aggregate, and many clients come to one process at once. So
 * some of them are refused because of that limit.
 */
import type { StartOptions } from '../../application/start-options.ts'
import { Random } from '../random.ts'

/** What happens to a process at a time. */
interface Timed {
  readonly kind: string
  readonly atMs: number
  readonly process: number
}

/** How many commands may wait for an aggregate in the run of a seed; nothing is said in most runs. */
function drawMailboxMax(seed: number): number | undefined {
  const random = new Random(seed ^ 0x961)
  return random.chance(1 / 16) ? random.int(1, 3) : undefined
}

/** The options of a run with its limit, unless they say another one. */
export function withCrowdLimit(options: StartOptions, seed: number): StartOptions {
  const mailboxMax = drawMailboxMax(seed)
  return mailboxMax === undefined ? options : { ...options, limits: { mailboxMax, ...options.limits } }
}

/** The same actions, but if only a few commands may wait, some clients come when another one does, and where. */
export function inCrowds<Action extends Timed>(actions: readonly Action[], seed: number): readonly Action[] {
  if (drawMailboxMax(seed) === undefined) return actions
  const random = new Random(seed ^ 0xc0de)
  let left = 0
  let first: Action | undefined
  return actions.map((action) => {
    if (action.kind !== 'command') return action
    if (first !== undefined && left-- > 0) return { ...action, atMs: first.atMs, process: first.process }
    first = action
    left = random.chance(0.3) ? random.int(5, 15) : 0
    return action
  })
}
