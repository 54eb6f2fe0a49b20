/** What events have besides their data, and how they are read later: clock, metadata, tags, time travel, history. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { codesOf, logOf, startVaults, watched } from '../../test/support/kernel/rig.ts'
import { aggregate, domain, event, memory } from '../index.ts'
import { manualEnvironment } from '../testing/manual-environment.ts'
import { systemEnvironment } from './system-environment.ts'

describe('An event', () => {
  test('has the time of the injected clock', async () => {
    const store = memory()
    const environment = manualEnvironment({ now: '2030-01-01T00:00:00Z' })
    await using vaults = await startVaults({ store, environment })
    const { events } = await vaults.vault('a').burst({ count: 2 })
    for (const { recordedAt } of events) assert.deepEqual(recordedAt, new Date('2030-01-01T00:00:00Z'))
    await environment.advance(1500)
    await vaults.vault('a').add({ amount: 1 })
    assert.deepEqual(
      (await logOf(store)).map(({ recordedAt }) => new Date(recordedAt).toISOString()),
      ['2030-01-01T00:00:00.000Z', '2030-01-01T00:00:00.000Z', '2030-01-01T00:00:01.500Z'],
    )
  })

  test('has the metadata and tags of its command, and the tags of its kind', async () => {
    const store = memory()
    await using vaults = await startVaults({ store })
    const metadata = { correlationId: 'c-1', causationId: 'e-7', user: { id: 'ada' } }
    const { events } = await vaults
      .vault('a')
      .add({ amount: 1, note: 'rent' }, { metadata, tags: ['location', 'note:rent', 'location'], commandId: 'pay' })
    const [stored] = await logOf(store)
    for (const event of [events[0]!, stored!]) {
      assert.deepEqual(event.metadata, metadata)
      assert.deepEqual(event.tags, ['location', 'note:rent'])
      assert.equal(event.commitId, 'pay')
    }
    const opened = await store.open({ now: () => 0, warn: () => {} })
    const { events: found } = await opened.readAll({ from: 1, to: 9 }, { tags: ['note:rent', 'location'] })
    assert.equal(found.length, 1)
  })

  test('keeps its metadata even if the caller changes it afterwards', async () => {
    const store = memory()
    await using vaults = await startVaults({ store })
    const metadata = { user: 'ada' }
    const tags = ['red']
    const answer = vaults.vault('a').add({ amount: 1 }, { metadata, tags })
    metadata.user = 'eve'
    tags.push('blue')
    await answer
    const [stored] = await logOf(store)
    assert.deepEqual([stored!.metadata, stored!.tags], [{ user: 'ada' }, ['red']])
  })

  test('is the same when it was just made and when it is read, also for its fold', async () => {
    const seen: unknown[] = []
    const Noted = event('Noted', z.object({ at: z.coerce.date(), n: z.number().default(7) }))
    const Notes = aggregate('notes', () => ({ n: 0 }))
      .on(Noted, ({ n }, data, event) => {
        seen.push({ ...event, data })
        return { n: n + data.n }
      })
      .command('note', z.object({}), (_, __, { now, newId }) => [
        Noted({ at: now }),
        Noted({ at: now, n: newId().length }),
      ])
    const store = memory()
    const live = await domain({ aggregates: { notes: Notes } }).start({ store })
    const { events } = await live.notes('a').note({}, { metadata: { by: 'ada' }, tags: ['x'] })
    await live.stop()
    const made = seen.splice(0)
    await using again = await domain({ aggregates: { notes: Notes } }).start({ store })
    await again.notes('a').state()
    assert.deepEqual(seen, made)
    const history = []
    for await (const event of again.notes('a').history()) history.push(event)
    assert.deepEqual(history, events)
    assert.ok(history[0]!.data.at instanceof Date)
  })
})

describe('Time travel', () => {
  test('gives the state after any event, before the first, and after the last', async () => {
    await using vaults = await startVaults()
    const vault = vaults.vault('a')
    for (let i = 1; i <= 5; i++) await vault.add({ amount: i })
    for (let sequence = 0; sequence <= 5; sequence++) {
      assert.equal((await vault.state({ sequence })).amounts.length, sequence)
    }
    assert.equal((await vault.state({ sequence: 99 })).amounts.length, 5)
    assert.equal((await vault.state()).amounts.length, 5)
  })

  test('gives the state as it was at a time', async () => {
    const environment = manualEnvironment({ now: '2030-01-01T00:00:00Z' })
    await using vaults = await startVaults({ environment, snapshotEvery: 1 })
    const vault = vaults.vault('a')
    for (let i = 0; i < 3; i++) {
      await vault.add({ amount: 1 })
      await environment.advance(1000)
    }
    const at = async (seconds: number) =>
      (await vault.state({ time: new Date(Date.UTC(2030, 0, 1) + seconds * 1000) })).balance
    assert.deepEqual(
      [await at(-1), await at(0), await at(0.999), await at(1), await at(2), await at(50)],
      [0, 1, 1, 2, 3, 3],
    )
  })

  test('at a time ends at the last event that was recorded at that time or before', async () => {
    const environment = manualEnvironment({ now: '2030-01-01T00:00:10Z' })
    await using vaults = await startVaults({ environment })
    const vault = vaults.vault('a')
    // The clock jumps an hour ahead and back.
    for (const time of [
      '2030-01-01T00:00:10Z',
      '2030-01-01T01:00:10Z',
      '2030-01-01T00:00:20Z',
      '2030-01-01T00:00:30Z',
    ]) {
      environment.setClock(time)
      await vault.add({ amount: 1 })
    }
    const at = async (time: string) => (await vault.state({ time: new Date(`2030-01-01T${time}Z`) })).balance
    assert.deepEqual(
      [await at('00:00:09'), await at('00:00:10'), await at('00:00:19'), await at('00:00:20'), await at('00:00:29')],
      [0, 1, 1, 3, 3],
    )
    assert.deepEqual([await at('00:00:30'), await at('00:30:00'), await at('01:00:10')], [4, 4, 4])
  })

  test('of an aggregate that does not exist gives the initial state, and keeps nothing in memory', async () => {
    await using vaults = await startVaults()
    assert.deepEqual(await vaults.vault('nobody').state(), { balance: 0, amounts: [] })
    assert.equal(vaults.load().liveAggregates, 0)
  })

  test('sees at once the events of another process', async () => {
    const store = memory()
    await using left = await startVaults({ store })
    await using right = await startVaults({ store })
    await left.vault('a').add({ amount: 1 })
    await right.vault('a').add({ amount: 2 })
    assert.deepEqual((await left.vault('a').state()).amounts, [1, 2])
  })
})

describe('A history', () => {
  test('is read page by page from any sequence, and ends', async () => {
    const watch = watched()
    await using vaults = await startVaults({ store: watch.store })
    await vaults.vault('a').burst({ count: 2500 })
    watch.forget()
    const sequences: number[] = []
    for await (const { sequence } of vaults.vault('a').history({ from: 3 })) sequences.push(sequence)
    assert.deepEqual(
      sequences,
      Array.from({ length: 2498 }, (_, i) => i + 3),
    )
    assert.ok(watch.count('readStream') <= 4)
  })

  test('ends when its signal is aborted', async () => {
    await using vaults = await startVaults()
    await vaults.vault('a').burst({ count: 2500 })
    const controller = new AbortController()
    let read = 0
    const reading = (async () => {
      for await (const _ of vaults.vault('a').history({ signal: controller.signal })) {
        if (++read === 10) controller.abort(new Error('enough'))
      }
    })()
    await assert.rejects(reading, { message: 'enough' })
    assert.equal(read, 10)
  })

  test('of a stopped domain is refused', async () => {
    const vaults = await startVaults()
    await vaults.vault('a').add({ amount: 1 })
    await vaults.stop()
    assert.deepEqual(
      await codesOf([vaults.vault('a').state(), vaults.vault('a').history()[Symbol.asyncIterator]().next()]),
      ['STORE_CLOSED', 'STORE_CLOSED'],
    )
  })

  test('of a stopped domain is refused with a message that says so, unlike with a store that was closed directly', async () => {
    const snapshots = memory()
    const vaults = await startVaults({ snapshots })
    await vaults.vault('a').add({ amount: 1 })
    await vaults.stop()
    const says = async (refused: Promise<unknown>, expected: RegExp) =>
      assert.rejects(refused, { code: 'STORE_CLOSED', message: expected })
    await says(vaults.vault('a').state(), /is closed, because its domain was stopped\. /)
    await says(vaults.vault('a').history()[Symbol.asyncIterator]().next(), /its domain was stopped/)
    await says(vaults.totals.get('a'), /its domain was stopped/)
    const store = await memory().open({ warn: () => {}, now: () => 0 })
    await store.close()
    await says(store.head(), /is closed\. /)
  })
})

test('a timer of the system with an infinite time does not fire at once', async () => {
  let early = false
  const cancel = systemEnvironment.after(Number.POSITIVE_INFINITY, () => {
    early = true
  })
  await new Promise<void>((resolve) => void systemEnvironment.after(1, resolve))
  cancel()
  assert.ok(!early)
})

test('the state of an instance that is being loaded is the stored one', async () => {
  const watch = watched()
  const first = await startVaults({ store: watch.store })
  await first.vault('a').add({ amount: 3 })
  await first.stop()
  const gate = Promise.withResolvers<void>()
  const loading = Promise.withResolvers<void>()
  let isHeld = true
  watch.disturb(({ method }) => {
    if (method !== 'readStream' || !isHeld) return undefined
    isHeld = false
    loading.resolve()
    return gate.promise
  })
  const second = await startVaults({ store: watch.store })
  const added = second.vault('a').add({ amount: 4 })
  await loading.promise
  assert.deepEqual((await second.vault('a').state()).amounts, [3])
  gate.resolve()
  assert.deepEqual((await added).state.amounts, [3, 4])
  await second.stop()
})
