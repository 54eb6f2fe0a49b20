/**
 * The NATS store's floor: its own messages, published again as bare atomic batches to a stream beside it with the same
 * settings. One batch at a time, one round trip each; nothing is looked up, expected or checked.
 */

import type { Outgoing } from '../../src/store/nats/database/connection.ts'
import { openDatabase } from '../../src/store/nats/database/setup.ts'
import { settingsOf } from '../../src/store/nats/options.ts'
import { dropStreams } from '../location.ts'
import type { Place } from '../setting.ts'
import { type Replayed, timed } from './timed.ts'

const batchMessagesMax = 1000
const opening = { warn: () => {} }

/** Publishes the measured part of a closed store again. */
export async function replayBatches(place: Place): Promise<Replayed> {
  const floor = `${place.path}-floor`
  const source = await openDatabase(settingsOf(place.url, { prefix: place.path }), opening)
  const events = place.batches.reduce((sum, batch) => sum + batch.events, 0)
  const { last } = await source.log.state()
  const messages: Outgoing[] = []
  const decoder = new TextDecoder()
  for (let from = last - events + 1; from <= last; ) {
    const page = await source.log.read(from, { count: batchMessagesMax, bytesMax: 4_000_000 })
    for (const { subject, data } of page.messages) {
      messages.push({ subject: floor + subject.slice(place.path.length), data: decoder.decode(data) })
    }
    from = last - events + messages.length + 1
  }
  await source.connection.close()
  const target = await openDatabase(settingsOf(place.url, { prefix: floor }), opening)
  let next = 0
  const replayed = await timed('the same messages: bare atomic batches, one connection', place, async (index) => {
    for (let left = place.batches[index]!.events; left > 0; ) {
      const some = messages.slice(next, next + Math.min(left, batchMessagesMax))
      await target.log.publish(some)
      next += some.length
      left -= some.length
    }
  })
  await target.connection.close()
  await dropStreams(place.url, floor)
  return replayed
}
