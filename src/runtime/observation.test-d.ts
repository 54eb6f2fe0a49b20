/**
 * An observation narrows on its kind.
 * Compiled, never run: every @ts-expect-error must be an error, and everything else must not.
 */
import { memory, type Observation, type Observe, type StartOptions } from '../index.ts'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Equal<A, B>) => {}

export function narrowed(observed: Observation): number | undefined {
  same<typeof observed.atMs, number>(true)
  // @ts-expect-error a decision has no span
  observed.span
  switch (observed.kind) {
    case 'command started':
      // @ts-expect-error it has no outcome yet
      observed.outcome
      return observed.parent
    case 'command ended':
      same<typeof observed.outcome, 'accepted' | 'unchanged' | 'rejected' | 'failed' | 'moved'>(true)
      return observed.waitedMs
    case 'batch started':
      same<typeof observed.commandIds, readonly string[]>(true)
      return observed.size
    case 'passivation':
      // @ts-expect-error no such reason
      return observed.reason === 'bored' ? 1 : observed.live
    // @ts-expect-error no such kind
    case 'command':
      return
    default:
      return
  }
}

const observe: Observe = ({ kind }) => kind
export const options: StartOptions = { store: memory(), observe }
// @ts-expect-error not a function
export const wrong: StartOptions = { observe: { next: () => {} } }
