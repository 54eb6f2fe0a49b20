/** The events that stores are filled with, and streams of them. */
import { type Commit, commit, type Expected, type Store, type StreamId } from '../../src/index.ts'

const deposited = { type: 'MoneyDeposited', data: { amount: 1 } }
const opened = { type: 'AccountOpened', data: { owner: 'ada' } }

export const accountAt = (index: number): StreamId => ({ aggregate: 'account', id: `account-${index}` })

let commits = 0

/** A commit of so many deposits, with an id of its own. */
export function depositsOf(stream: StreamId, expected: Expected, count = 1): Commit {
  return commit({
    stream,
    expected,
    id: `${process.pid}-${(commits++).toString(36)}`,
    recordedAt: Date.now(),
    events: count === 1 ? [deposited] : Array.from({ length: count }, () => deposited),
  })
}

const commitsAtOnce = 2000

/** Appends `perStream` events to each of so many streams, an opening first, one event a commit, the streams in turn. */
export async function fill(store: Store, streams: number, perStream: number): Promise<void> {
  let waiting: Commit[] = []
  const flush = async () => {
    await store.append(waiting)
    waiting = []
  }
  for (let sequence = 0; sequence < perStream; sequence++) {
    for (let index = 0; index < streams; index++) {
      const id = `fill-${sequence}-${index}`
      const events = [sequence === 0 ? opened : deposited]
      waiting.push(commit({ stream: accountAt(index), expected: sequence, id, recordedAt: Date.now(), events }))
      if (waiting.length === commitsAtOnce) await flush()
    }
  }
  await flush()
}
