/** Damage: rows that were changed or are missing are found by every read that meets them. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { dropSchema, freshSchema, openStore, withClient } from '../../../test/support/servers/postgres-place.ts'
import { findPostgres } from '../../../test/support/servers/postgres-server.ts'
import { onServer } from '../../../test/support/servers/server.ts'
import { commit } from '../commit.ts'
import { everything } from '../range.ts'
import type { ReadAllOptions, Store } from '../store.ts'
import { quoted } from './database/tables.ts'

const corrupt = { code: 'STORE_CORRUPT' }
const stream = { aggregate: 'account', id: 'ada' }
const whole = { limit: Number.POSITIVE_INFINITY }

/** Ten commits of one event each, the third with everything that an event may have, then a commit of two events. */
async function fill(store: Store): Promise<void> {
  for (let i = 1; i <= 10; i++) {
    const event = {
      type: i % 2 === 0 ? 'Even' : 'Odd',
      data: { i, text: 'abc' },
      ...(i === 3 && { tags: ['first', 'second'], metadata: { user: 'eve' } }),
    }
    const command = { name: 'count', digest: i }
    await store.append([commit({ stream, expected: 'any', id: `c${i}`, recordedAt: i, events: [event], command })])
  }
  const other = { aggregate: 'account', id: 'bob' }
  const events = [
    { type: 'Odd', data: {} },
    { type: 'Odd', data: {} },
  ]
  await store.append([commit({ stream: other, expected: 'any', id: 'd', recordedAt: 1, events })])
}

await onServer('Damage', findPostgres, (server) => {
  const open = async (context: TestContext) => {
    const schema = freshSchema()
    context.after(() => dropSchema(server, schema))
    const store = await openStore(context, server, { schema, listen: false })
    /** Changes the tables in a way that no program may. */
    const harm = (text: string) =>
      withClient(server, (client) =>
        client.query(`SET session_replication_role = replica; ${text.replaceAll('@', quoted(schema))}`),
      )
    return { schema, store, harm }
  }
  const position3 = { from: 3, to: 4 }

  for (const change of [
    `data = '{"i":3,"text":"abd"}'`,
    `data = '{"i": 3,"text":"abc"}'`,
    `data = '[]'`,
    `data = E'{"i":3,\\n"text":"abc"}'`,
    `data = E'{"i":3,\\n\\n"text":"abc",\\n"x":1}'`,
    `metadata = '{"user":"ada"}'`,
    'metadata = NULL',
    `tags = '{first,third}'`,
    `tags = '{second,first}'`,
    'tags = NULL',
    `tags = '{first,NULL}'`,
    'recorded_at = recorded_at + 1',
    'recorded_at = recorded_at + 4294967296',
    'revision = 2',
    'checksum = checksum # 1',
    `commit_id = 'c33'`,
    `kind = (SELECT number FROM @.kinds WHERE type = 'Even')`,
    'kind = 99',
    `stream = (SELECT number FROM @.streams WHERE id = 'bob'), sequence = 9`,
    'stream = 99',
    'sequence = 30',
    'sequence = sequence + 4294967296',
  ]) {
    test(`an event with ${change} is never returned`, async (context) => {
      const { store, harm } = await open(context)
      await fill(store)
      const reads = [
        () => store.readAll(everything),
        // An event without a kind matches no filter.
        ...(change === 'kind = 99' ? [] : [() => store.readAll(position3, { types: ['Odd', 'Even'] })]),
        () => store.readAll(everything, { direction: 'backward' }),
        () => store.readStream(stream, everything),
      ]
      for (const read of reads) await read()
      await harm(`UPDATE @.events SET ${change} WHERE position = 3`)
      for (const read of reads) await assert.rejects(read(), corrupt, `${read}`)
      await assert.rejects(store.readAll({ from: 1, to: 4 }), { code: 'STORE_CORRUPT', message: /position/ })
      assert.equal((await store.readAll({ from: 4, to: 9 })).events.length, 5, 'what is whole is still read')
    })
  }

  test('two events that have changed places are found, even within one stream', async (context) => {
    const { store, harm } = await open(context)
    await fill(store)
    const swap = (column: string) =>
      harm(`UPDATE @.events SET ${column} = -${column} WHERE position IN (5, 6, -5, -6);
        UPDATE @.events SET ${column} = 11 + ${column} WHERE ${column} IN (-5, -6)`)
    await swap('position')
    await assert.rejects(store.readAll({ from: 5, to: 7 }), corrupt)
    await assert.rejects(store.readAll({ from: 5, to: 7 }, { types: ['Odd', 'Even'] }), corrupt)
    await swap('sequence')
    await assert.rejects(store.readStream(stream, { from: 5, to: 7 }), corrupt)
  })

  test('an event that an index names by mistake is not returned', async (context) => {
    const { store, harm } = await open(context)
    await fill(store)
    for (let i = 0; i < 400; i++) {
      const events = [{ type: 'Odd', data: {} }]
      await store.append([commit({ stream, expected: 'any', id: `e${i}`, recordedAt: 1, events })])
    }
    const found = async () =>
      (await store.readAll(everything, { tags: ['first'] })).events.map(({ position }) => position)
    assert.deepEqual(await found(), [3])
    await harm(`INSERT INTO @.event_tags VALUES ('first', 401)`)
    await assert.rejects(store.readAll(everything, { tags: ['first'], limit: 2 }), corrupt)
  })

  test('changed data of a commit is found', async (context) => {
    const { store, harm } = await open(context)
    await fill(store)
    for (const change of [
      `command = 'pay'`,
      'command = NULL, command_digest = NULL',
      'command_digest = 99',
      'commit_size = 2',
      'commit_checksum = commit_checksum # 4',
    ]) {
      await harm(
        `CREATE TABLE @.kept AS SELECT * FROM @.events WHERE position = 3; UPDATE @.events SET ${change} WHERE position = 3`,
      )
      await assert.rejects(store.findCommit(stream, 'c3'), corrupt, change)
      const again = commit({ stream, expected: 'any', id: 'c3', recordedAt: 1, events: [{ type: 'Odd', data: {} }] })
      await assert.rejects(store.append([again]), corrupt, change)
      await harm(
        'DELETE FROM @.events WHERE position = 3; INSERT INTO @.events SELECT * FROM @.kept; DROP TABLE @.kept',
      )
      assert.equal((await store.findCommit(stream, 'c3'))?.command?.name, 'count')
    }
  })

  test('a missing row is found by every read that passes it, forward and backward', async (context) => {
    const { store, harm } = await open(context)
    await fill(store)
    await harm('DELETE FROM @.events WHERE position = 6')
    const filters: readonly ReadAllOptions[] = [
      {},
      { types: ['Odd'] },
      { types: ['None'] },
      { tags: ['first'] },
      { aggregates: ['account'] },
    ]
    for (const direction of ['forward', 'backward'] as const) {
      for (const filter of filters) {
        for (const limit of [10, 1000]) {
          const read = store.readAll(everything, { ...filter, direction, limit })
          await assert.rejects(read, corrupt, JSON.stringify({ filter, direction, limit }))
        }
      }
      await assert.rejects(store.readStream(stream, everything, { direction }), corrupt)
      await assert.rejects(store.readStream(stream, { from: 6, to: 7 }, { direction }), corrupt)
      await assert.rejects(store.readStream(stream, { from: 1, to: 7 }, { direction }), corrupt)
      await assert.rejects(store.readAll({ from: 6, to: 7 }, { direction }), corrupt)
    }
    assert.equal((await store.readAll({ from: 1, to: 6 })).events.length, 5)
    assert.equal((await store.readStream(stream, { from: 7, to: 9 })).length, 2)
  })

  test('no reader moves past a missing row in the middle of a long log', async (context) => {
    const { store, harm } = await open(context)
    const events = Array.from({ length: 1000 }, (_, i) => ({ type: i === 0 ? 'First' : 'Other', data: i }))
    for (let i = 0; i < 5; i++)
      await store.append([commit({ stream, expected: 'any', id: `c${i}`, recordedAt: 1, events })])
    await harm('DELETE FROM @.events WHERE position = 1500')
    for (const filter of [
      {},
      { types: ['First'] },
      { types: ['None'] },
      { tags: ['none'] },
      { types: ['None'], limit: 1 },
    ]) {
      await assert.rejects(store.readAll(everything, { ...whole, ...filter }), corrupt, JSON.stringify(filter))
    }
    const reached: number[] = []
    for (let from = 1; from < 5000; ) {
      const page = await store.readAll({ from, to: 5001 }, { types: ['Other'], limit: 100 }).catch(() => undefined)
      if (page === undefined) break
      reached.push(page.examined)
      from = page.examined + 1
    }
    assert.ok(reached.at(-1)! < 1500, `${reached.at(-1)}`)
  })

  test('a missing event among many is noticed by each read by types, aggregates or tags that passes it, and by no other', async (context) => {
    const { store, harm } = await open(context)
    const total = 18_000
    for (let first = 1; first <= total; first += 3000) {
      const events = Array.from({ length: 3000 }, (_, i) => {
        const isSeldom = (first + i) % 6000 === 2000
        return { type: isSeldom ? 'Seldom' : 'Other', data: 0, tags: isSeldom ? ['seldom', 'too'] : [] }
      })
      await store.append([commit({ stream, expected: 'any', id: `c${first}`, recordedAt: 1, events })])
    }
    await harm('DELETE FROM @.events WHERE position = 8000; DELETE FROM @.event_tags WHERE position = 8000')
    const filters = [{ types: ['Seldom'] }, { tags: ['seldom'] }, { tags: ['seldom', 'too'], types: ['Seldom'] }]
    for (const filter of filters) {
      for (const direction of ['forward', 'backward'] as const) {
        const options = { ...filter, direction, limit: 2 }
        await assert.rejects(store.readAll(everything, options), corrupt, JSON.stringify(options))
        await assert.rejects(store.readAll({ from: 7999, to: total }, options), corrupt, JSON.stringify(options))
        const above = await store.readAll({ from: 8001, to: total + 1 }, options)
        assert.deepEqual(
          above.events.map(({ position }) => position),
          [14_000],
        )
        const below = await store.readAll({ from: 1, to: 8000 }, options)
        assert.deepEqual(
          below.events.map(({ position }) => position),
          [2000],
        )
      }
    }
  })

  test('a page is not returned if the event at its end is missing', async (context) => {
    const { store, harm } = await open(context)
    await fill(store)
    await harm('DELETE FROM @.events WHERE position = 9')
    await assert.rejects(store.readAll({ from: 9, to: 10 }, { types: ['None'] }), corrupt)
    await assert.rejects(store.readAll({ from: 10, to: 11 }, { behind: { position: 9, checksum: 5 } }), {
      code: 'LOG_REPLACED',
    })
  })
})
