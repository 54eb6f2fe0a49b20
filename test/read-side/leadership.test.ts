/**
 * Several domains on one store: one of them runs a projection or a reaction, and another takes over without losing or
 * doubling anything.
 */
import assert from 'node:assert/strict'

import { manualEnvironment } from '../../src/testing/manual-environment.ts'
import { codesOf, until, watched } from '../support/kernel/rig.ts'
import { deliveryDomain, type RunningDelivery } from '../support/read-side/boxes.ts'
import { checkRows, type RunningRows, rowsOf, type StartRows, startRows } from '../support/read-side/pots.ts'
import { onEveryStore, testWhere } from '../support/stores/every-store.ts'

const stateOf = async (pots: RunningRows) => (await pots.projections.status('rows')).state
const follow = (options: StartRows) => startRows({ projections: 'automatic', pollIntervalMs: 5, ...options })
const isRunning = (pots: RunningRows) => until('it runs', async () => (await stateOf(pots)) === 'running')

await onEveryStore('Of several domains', ({ name, place, severalWriters, injectedClock }) => {
  const testHere = testWhere(severalWriters)
  const testWithClock = testWhere(severalWriters && injectedClock)

  testHere('one runs a projection, the others stand by and read its rows', async (t) => {
    const store = await place(t)
    await using first = await follow({ store })
    await isRunning(first)
    await using second = await follow({ store })
    for (let i = 0; i < 10; i++) {
      const { position } = await (i % 2 === 0 ? first : second).pot('a').put({ amount: i })
      for (const pots of [first, second])
        assert.equal((await pots.rows.get('a', { atLeast: position }))?.amounts.at(-1), i)
    }
    assert.deepEqual([await stateOf(first), await stateOf(second)], ['running', 'standby'])
    for (const pots of [first, second]) await checkRows(pots)
  })

  testHere('none lets its readers wait for a poll, or for an event that nobody handles', async (t) => {
    const store = await place(t)
    const rarely = { pollIntervalMs: 600_000, leaseMs: 3_600_000 }
    await using first = await follow({ store, ...rarely })
    await isRunning(first)
    await using second = await follow({ store, ...rarely })
    const isThere = async (position: number) => {
      for (const pots of [first, second]) await pots.rows.get('a', { atLeast: position, timeoutMs: 60_000 })
    }
    for (let i = 0; i < 3; i++) {
      // A server without change streams wakes nobody, so there the process that leads writes.
      const writer = name === 'mongodb' ? first : second
      await isThere((await writer.pot('a').put({ amount: i })).position)
      await isThere((await writer.pot('a').put({ amount: i, keys: [] })).position)
      await isThere((await writer.pot('a').rustle({ times: 2 })).position)
    }
    const never = { atLeast: Number.MAX_SAFE_INTEGER, timeoutMs: 1 }
    assert.deepEqual(await codesOf([second.rows.get('a', never)]), ['PROJECTION_BEHIND'])
  })

  testHere('another takes over at once from one that stops in the middle of the work', async (t) => {
    const store = await place(t)
    await using writer = await startRows({ store })
    let last = await follow({ store, leaseMs: 3_600_000 })
    await isRunning(last)
    for (let change = 0; change < 3; change++) {
      const next = await follow({ store, leaseMs: 3_600_000 })
      let position = 0
      for (let i = 0; i < 8; i++) {
        ;({ position } = await writer.pot(`p${i % 3}`).put({ amount: 100 * change + i }))
        if (i === 4) void last.stop()
      }
      await rowsOf(next, position)
      await checkRows(next)
      last = next
    }
    await last.stop()
  })

  testWithClock(
    'another follows the one that hangs when its lease has run out, and that one does no harm',
    async (t) => {
      const [store, environment] = [await place(t), manualEnvironment()]
      for (const method of ['readAll', 'loadRows', 'saveStep'] as const) {
        const watch = watched(store)
        const name = `rows ${method}`
        const options = { name, environment, projections: 'automatic' } as const
        const gate = Promise.withResolvers<void>()
        await using writer = await startRows({ name, environment, store })
        await using hanging = await startRows({ ...options, store: watch.store })
        await writer.pot('a').fill({ amounts: [1, 2] })
        await until('the first runs', async () => {
          await environment.advance(100)
          return (await hanging.rows.get('a')) !== undefined
        })
        let isHanging = false
        watch.disturb((call) => {
          if (call.method !== method) return undefined
          isHanging = true
          return gate.promise
        })
        // A new row, which has to be looked for first.
        await writer.pot(`for ${method}`).fill({ amounts: [3, 4] })
        await until('it hangs', async () => {
          await environment.advance(100)
          return isHanging
        })
        await using second = await startRows({ ...options, store })
        const { position } = await writer.pot('a').put({ amount: 5 })
        const reading = second.rows.get('a', { atLeast: position, timeoutMs: 1e9 })
        let isRead = false
        reading.then(() => {
          isRead = true
        })
        await until('the second has taken over', async () => {
          await environment.advance(500)
          return isRead
        })
        gate.resolve()
        watch.disturb(() => undefined)
        const { position: end } = await writer.pot('a').put({ amount: 6 })
        let isOver = false
        second.rows.get('a', { atLeast: end, timeoutMs: 1e9 }).then(() => {
          isOver = true
        })
        await until('all is handled', async () => {
          await environment.advance(500)
          return isOver
        })
        await checkRows(second)
        await checkRows(hanging)
      }
    },
  )

  testHere('only the one that runs it may retry or skip parked events', async (t) => {
    const [store, sick] = [await place(t), new Set([2])]
    const options = { store, sick, policy: { giveUp: 'park' } } as const
    await using leading = await follow(options)
    await isRunning(leading)
    await using standby = await follow(options)
    await using manual = await startRows(options)
    const { position } = await leading.pot('a').fill({ amounts: [1, 2, 3] })
    await rowsOf(leading, position)
    await until('the other stands by', async () => (await stateOf(standby)) === 'standby')
    sick.clear()
    for (const pots of [standby, manual]) {
      assert.equal((await pots.projections.parked('rows')).length, 2)
      const refused = [pots.projections.retryParked('rows'), pots.projections.skipParked('rows', 2)]
      assert.deepEqual(await codesOf(refused), ['PROJECTION_ELSEWHERE', 'PROJECTION_ELSEWHERE'])
    }
    assert.deepEqual(await leading.projections.retryParked('rows'), { handled: 2, parked: 0 })
    await rowsOf(leading, (await manual.pot('a').put({ amount: 4 })).position)
    await checkRows(leading)
  })

  testHere('each command of a reaction is sent once, although its leader changes', async (t) => {
    const store = await place(t)
    const start = () => deliveryDomain().start({ store, pollIntervalMs: 5, log: { warn: () => {} } })
    const isDone = async (bank: RunningDelivery) => (await bank.reactions.status('delivery')).lag.events === 0
    let last = await start()
    const amounts: number[] = []
    for (let change = 0; change < 3; change++) {
      const next = await start()
      for (let i = 0; i < 4; i++) {
        amounts.push(10 * change + i + 1)
        await next.pot('a').put({ amount: amounts.at(-1)! })
        if (i === 2) void last.stop()
      }
      await until('all is handled', () => isDone(next))
      last = next
    }
    const sums = amounts.map((_, i) => amounts.slice(0, i + 1).reduce((sum, amount) => sum + amount))
    assert.deepEqual(await last.box('a').state(), { amounts, sums })
    await last.stop()
  })
})
