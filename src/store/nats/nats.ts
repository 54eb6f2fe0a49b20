/**
 * The store on NATS JetStream, on one server or on a cluster of three or five: one message for each event, on the
 * subject of its aggregate's stream. The sequence that the server gives to a message is the event's position. A batch
 * of commits is one atomic batch of messages, in which the first message to each subject says where the subject must
 * end (`appender.ts`). Any number of processes may use a store at once.
 *
 * A commit is acknowledged when the server has it, or a majority of the servers if it is replicated. Rows, checkpoints,
 * snapshots and leases are the last messages of subjects in a second JetStream stream. A step of a projection is an
 * atomic batch there (`projections.ts`).
 *
 * Left out: commits of more than 1,000 events, and events larger than a message may be.
 */
import { checkedFactory } from '../checked-store.ts'
import type { StoreFactory } from '../store.ts'
import type { NatsConnection } from './database/driver.ts'
import { NatsStore } from './nats-store.ts'
import { type NatsOptions, settingsOf } from './options.ts'

/**
 * A store on NATS servers, at a URL or on a connection of the caller's, which is not closed with the store. It needs
 * the package `@nats-io/transport-node` 3 (`npm install @nats-io/transport-node`), which is loaded when the store is
 * opened, and NATS 2.15.1 or newer with JetStream.
 *
 *     await using bank = await Bank.start({ store: nats('nats://localhost', { replicas: 3 }) })
 *
 * @throws DefinitionError `OPTION_INVALID`
 */
export function nats(place: string | NatsConnection, options: NatsOptions = {}): StoreFactory {
  const settings = settingsOf(place, options)
  return checkedFactory({ name: 'nats', open: (openOptions) => NatsStore.open(settings, openOptions) })
}
