/**
 * Replays traces of a specification on the library: takes the same actions, and compares the state after each. A world
 * is the library in a place where the test decides the order of what happens.
 */
import assert from 'node:assert/strict'
import type { Step, Trace } from './quint.ts'

export interface World {
  /** What the library does for each action of the specification, and the state that the specification has after it. */
  readonly actions: { readonly [action: string]: (picked: Step['picked'], after: Step['state']) => Promise<void> }
  /** Compares the library with a state of the specification. @throws AssertionError */
  compare(state: Step['state']): Promise<void>
}

/**
 * Replays each trace in a world of its own.
 *
 * @throws if the states differ, with the steps that led there
 */
export async function replay(traces: readonly Trace[], worldOf: () => Promise<World>): Promise<void> {
  const taken = new Set<string>()
  for (const trace of traces) {
    const world = await worldOf()
    for (const [i, { action, picked, state }] of trace.entries()) {
      try {
        if (i > 0) await world.actions[action]!(picked, state)
        await world.compare(state)
      } catch (cause) {
        throw new Error(`The library did something else after:\n${story(trace.slice(0, i + 1))}\n${cause}`, { cause })
      }
      taken.add(action)
    }
  }
  assert.ok(traces.length > 0 && taken.size > 1)
}

const story = (trace: Trace): string =>
  trace
    .map(
      ({ action, picked }) =>
        `  ${action} ${Object.values(picked)
          .map((each) => JSON.stringify(each))
          .join(' ')}`,
    )
    .join('\n')
