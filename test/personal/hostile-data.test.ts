/**
 * JSON from outside that looks like a stored personal value. It is stored and read as what it is. If it were taken for
 * a personal value, nobody could read its event, or it would show the value of somebody else.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, Personal, personal, projection, reaction } from '../../src/index.ts'
import { impatient } from '../support/personal/shop.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

const hook = z.object({ payload: z.unknown() })
const fields = hook.extend({ id: z.string(), email: z.string() })
const whose = { subject: ({ id }: { readonly id: string }) => id, fields: ['email'] } as const
const Came = event('Came', hook)
const Made = event('Made', fields).personal(whose)

const Things = aggregate('thing', () => ({ payload: undefined as unknown }), { snapshotEvery: 1 })
  .on(Came, (_, { payload }) => ({ payload }))
  .on(Made, (_, { payload }) => ({ payload }))
  .command('come', hook, (_, data) => Came(data))
  .command('make', personal(fields, whose), (_, data) => Made(data))

const Later = reaction('later', { thing: Things })
  .onFailure({ retries: 0, giveUp: 'park' })
  .on(Came, async ({ data: { payload }, stream: { id } }, { schedule, step }) => {
    const data = { id, email: 'ada@example.org', payload: await step('look', () => payload) }
    schedule({ aggregate: 'thing', id: `made of ${id}`, name: 'make', data }, { afterMs: 1000 })
  })

const Rows = projection('rows', () => ({ payload: undefined as unknown })).on(Came, (_, { payload }) => ({ payload }))
const World = domain({
  aggregates: { thing: Things },
  projections: { rows: Rows },
  reactions: { later: Later },
  carry: ['from'],
})

/** @param box that of a real value */
const looksPersonal = (box: unknown): readonly unknown[] => [
  { $personal: '1.AAAAAAAAAAAAAAAAAAAAAA.0.xxxx' },
  { $personal: '2.a box of another version' },
  { list: [{ $personal: ['bob', '"clear"'] }] },
  { $personal: 1, $output: { $date: null } },
  box,
]

await onEveryStore('data that looks like a personal value', (store) => {
  test('is stored and read as it came, in events, states, rows, timers and metadata', async (t) => {
    const place = await store.place(t)
    let nowMs = Date.now()
    const environment = { ...impatient(), now: () => nowMs }
    const start = () => World.start({ store: place, environment, projections: 'manual' })
    let world = await start()
    t.after(() => world.stop())
    await world.thing('ada').make({ id: 'ada', email: 'secret', payload: null })
    // A file has one writer.
    if (store.name === 'file') await world.stop()
    const opened = await place.open({ warn: () => {}, now: Date.now })
    const { events } = await opened.readAll({ from: 1, to: 2 })
    await opened.close()
    if (store.name === 'file') world = await start()
    const { email: box } = events[0]!.data as { readonly email: unknown }
    assert.match(JSON.stringify(box), /^\{"\$personal":"1\./)
    const hostile = looksPersonal(JSON.parse(JSON.stringify(box)))
    for (const [i, payload] of hostile.entries()) {
      await world.thing(`${i}`).come({ payload }, { metadata: { from: payload as never } })
    }
    await world.projections.runOnce('rows')
    await world.reactions.runOnce('later')
    assert.deepEqual(await world.reactions.parked('later'), [])
    const { timers } = await world.reactions.timers('later')
    for (const [i, { command }] of timers.entries()) {
      const { email, payload } = command.data as { readonly email: unknown; readonly payload: unknown }
      assert.deepEqual([payload, command.metadata!['from']], [hostile[i], hostile[i]])
      assert.ok(email instanceof Personal && email.value === 'ada@example.org')
    }
    for (const how of ['live', 'loaded again']) {
      for (const [i, payload] of hostile.entries()) {
        assert.deepEqual((await world.thing(`${i}`).state()).payload, payload, how)
        assert.deepEqual((await world.rows.get(`${i}`))!.payload, payload, how)
        const [event] = await Array.fromAsync(world.thing(`${i}`).history())
        assert.deepEqual(event!.data.payload, payload, how)
      }
      if (how === 'loaded again' || store.name === 'memory') break
      await world.stop()
      world = await start()
    }
    nowMs += 1001
    await world.reactions.runOnce('later')
    for (const [i, payload] of hostile.entries()) {
      assert.deepEqual((await world.thing(`made of ${i}`).state()).payload, payload)
    }
  })
})
