/** Reads that need several queries while the log grows: their results have no hole. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Collection, type Db, type FindCursor, MongoClient } from 'mongodb'
import { openStore, simpleCommit } from '../../../../test/support/servers/mongodb-place.ts'
import { findFerretdb, findMongodb } from '../../../../test/support/servers/mongodb-server.ts'
import { onServer } from '../../../../test/support/servers/server.ts'
import type { Store, StoredEvent } from '../../store.ts'
import { mongodb } from '../index.ts'

const stream = { aggregate: 'account', id: 'ada' }
const large = simpleCommit('large', { stream, events: Array.from({ length: 3 }, () => ({ type: 'Noted', data: {} })) })
const small = simpleCommit('small', { stream })
/** From the middle of a commit that does not exist yet. */
const range = { from: 2, to: Number.POSITIVE_INFINITY }

type Read = (store: Store) => Promise<readonly StoredEvent[]>

const reads: Readonly<Record<string, Read>> = {
  'of the log': async (store) => (await store.readAll(range)).events,
  'of a stream': (store) => store.readStream(stream, range),
  'of a stream, backward': (store) => store.readStream(stream, range, { direction: 'backward' }),
}

/** A client whose queries to the log are held until `hold` lets them go. */
function holdingFinds(url: string, hold: (ask: () => Promise<unknown>) => Promise<unknown>): MongoClient {
  const heldCursor = (cursor: FindCursor): FindCursor => {
    const toArray = cursor.toArray.bind(cursor)
    const next = cursor.next.bind(cursor)
    const whole = () => {
      // It continues with `next`, which is not another query.
      cursor.next = next
      return toArray()
    }
    return Object.assign(cursor, { toArray: () => hold(whole), next: () => hold(next) })
  }
  const heldCollection = (log: Collection): Collection => {
    const find = log.find.bind(log)
    return Object.assign(log, { find: (...given: Parameters<typeof find>) => heldCursor(find(...given)) })
  }
  const heldDb = (db: Db): Db => {
    const collection = db.collection.bind(db)
    const held = (name: string) => (name === 'mneme_commits' ? heldCollection(collection(name)) : collection(name))
    return Object.assign(db, { collection: held })
  }
  const client = new MongoClient(url)
  const db = client.db.bind(client)
  return Object.assign(client, { db: (...given: Parameters<typeof db>) => heldDb(db(...given)) })
}

for (const [name, find] of [
  ['MongoDB', findMongodb],
  ['FerretDB', findFerretdb],
] as const) {
  await onServer(`Reading on ${name}`, find, (server) => {
    for (const [what, read] of Object.entries(reads)) {
      test(`a read ${what} from beyond the end has no hole if the log grows between its queries`, async (context) => {
        const writer = await openStore(context, server)
        let isReading = false
        let finds = 0
        const first = Promise.withResolvers<void>()
        const client = holdingFinds(server.url, async (ask) => {
          if (!isReading) return ask()
          const place = ++finds
          if (place === 2) {
            await first.promise
            await writer.append([large, small])
          }
          const answer = await ask()
          if (place === 1) first.resolve()
          return answer
        })
        const store = await mongodb(client, { database: writer.database }).open({ warn: () => {}, now: () => 0 })
        context.after(async () => {
          await store.close()
          await client.close()
        })
        isReading = true
        const positions = (await read(store)).map(({ position }) => position).sort((a, b) => a - b)
        assert.ok(finds >= 2, `${finds} questions`)
        assert.deepEqual(positions, positions.length === 0 ? [] : [2, 3, 4])
      })
    }
  })
}
