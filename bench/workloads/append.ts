/** W1 to W4: appending to a store directly. */
import type { Store } from '../../src/index.ts'
import type { Load, Throughput } from '../rounds.ts'
import { openStore } from '../setting.ts'
import { accountAt, depositsOf, fill } from './events.ts'

const streams = 100

/** W1: one event to a new stream, one caller at a time; the figure is the median time. */
export const oneAtATime: Throughput = {
  ...appendingToNew('W1', 'append 1 event to a new stream, 1 caller: time (p50)', 1, 1),
  unit: 'ms',
  isLatency: true,
}

/** W2: the same, 50 callers at once. */
export const manyAtOnce: Throughput = appendingToNew('W2', 'append 1 event to a new stream, 50 callers', 50, 1)

/** W3: one event with the expected sequence to streams that exist, each owned by one of 50 callers. */
export const expecting: Throughput = {
  id: 'W3',
  what: 'append 1 event with the expected sequence to 100 streams, 50 callers',
  unit: 'events/s',
  prepare: async (place) => {
    const store = await openStore(place)
    await fill(store, streams, 1)
    return { ...expectingLoad(store, new Array<number>(streams).fill(1)), close: () => store.close() }
  },
}

/** The load of W3, on a store whose first 100 streams are at these sequences; they are counted on. */
export function expectingLoad(store: Store, sequences: number[]): Omit<Load, 'close'> {
  const callers = 50
  const operation = (caller: number, count: number) => {
    const index = caller + callers * (count % (sequences.length / callers))
    return store.append([depositsOf(accountAt(index), sequences[index]!++)])
  }
  return { callers, operation }
}

/** W4: 100 events in one commit, one caller. */
export const large: Throughput = appendingToNew('W4', 'append 100 events in one commit, 1 caller', 1, 100)

function appendingToNew(id: string, what: string, callers: number, events: number): Throughput {
  return {
    id,
    what,
    unit: 'events/s',
    unitsEach: events,
    prepare: async (place) => {
      const store = await openStore(place)
      let streamsMade = 0
      const operation = () => store.append([depositsOf(accountAt(streamsMade++), 'none', events)])
      return { callers, operation, close: () => store.close() }
    },
  }
}
