/** An aggregate that cannot be loaded does not affect others. It is tried again with growing pauses, and recovers. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { codesOf, recorder, startVaults, watched } from '../../test/support/kernel/rig.ts'
import { aggregate, commit, domain, EventError, event, LoadError, memory, StoreError } from '../index.ts'
import type { StoreFactory } from '../store/store.ts'
import { manualEnvironment } from '../testing/manual-environment.ts'

/** Stores an event without a command. */
async function plant(factory: StoreFactory, type: string, data: unknown, revision = 1): Promise<void> {
  const store = await factory.open({ now: () => 0, warn: () => {} })
  const stream = { aggregate: 'vault', id: 'bad' }
  const events = [{ type, data, revision }]
  await store.append([commit({ stream, expected: 'any', id: `planted ${type}`, recordedAt: 0, events })])
  await store.close()
}

describe('An aggregate that cannot be loaded', () => {
  const poisons: Record<string, [type: string, data: unknown, cause: string, revision?: number]> = {
    'with an event that is not declared': ['Unheard', {}, 'EVENT_UNDECLARED'],
    'with an event whose fold throws': ['Spoiled', {}, 'RangeError'],
    'with an event whose data does not fit': ['Added', { amount: 'many' }, 'EVENT_INVALID'],
    'with an event of a newer revision': ['Added', { amount: 1 }, 'EVENT_NEWER', 2],
  }
  for (const [what, [type, data, expected, revision]] of Object.entries(poisons)) {
    test(`${what} gets AGGREGATE_LOAD_FAILED, with a warning, and does not affect others`, async () => {
      const store = memory()
      await plant(store, type, data, revision)
      const log = recorder()
      await using vaults = await startVaults({ store, log })
      const [bad, ...good] = await Promise.allSettled([
        vaults.vault('bad').add({ amount: 1 }),
        vaults.vault('good').add({ amount: 1 }),
        vaults.vault('fine').add({ amount: 1 }),
      ])
      assert.ok(bad.status === 'rejected' && bad.reason instanceof LoadError)
      const { cause } = bad.reason
      assert.equal(cause instanceof EventError ? cause.code : (cause as Error).name, expected)
      assert.ok(good.every(({ status }) => status === 'fulfilled'))
      assert.deepEqual(log.codes(), ['AGGREGATE_NOT_LOADED'])
      assert.equal((await vaults.vault('good').add({ amount: 1 })).sequence, 2)
    })
  }

  test('with an upcast that throws gets AGGREGATE_LOAD_FAILED', async () => {
    const store = memory()
    await plant(store, 'Added', { amount: 1 })
    const Upcast = event('Added', z.object({ amount: z.number() })).revise(z.object({ sum: z.number() }), () => {
      throw new Error('no upcast')
    })
    const Vault = aggregate('vault', () => ({}))
      .on(Upcast)
      .command('add', z.object({}), () => Upcast({ sum: 1 }))
    await using vaults = await domain({ aggregates: { vault: Vault } }).start({ store, log: recorder() })
    const [code] = await codesOf([vaults.vault('bad').add()])
    assert.equal(code, 'AGGREGATE_LOAD_FAILED')
    await vaults.vault('good').add()
  })

  test('is tried again with growing pauses, and its commands fail at once in between', async () => {
    const watch = watched()
    await plant(watch.store, 'Unheard', {})
    const environment = manualEnvironment()
    const log = recorder()
    await using vaults = await startVaults({ store: watch.store, environment, log })
    const delays: number[] = []
    for (let i = 0; i < 12; i++) {
      const error: LoadError = await vaults
        .vault('bad')
        .look()
        .then(
          () => assert.fail('it was loaded'),
          (error) => error,
        )
      assert.ok(!error.retryable, 'a load with an undeclared kind of event is not retryable')
      delays.push(error.facts.retryInMs)
      watch.forget()
      await environment.advance(error.facts.retryInMs / 2)
      assert.deepEqual(await codesOf([vaults.vault('bad').look()]), ['AGGREGATE_LOAD_FAILED'])
      assert.equal(watch.calls.length, 0)
      await environment.advance(error.facts.retryInMs)
    }
    assert.ok(delays[0]! >= 50 && delays[0]! <= 100)
    assert.ok(delays[4]! > delays[0]!)
    assert.ok(delays.at(-1)! >= 15_000 && delays.at(-1)! <= 30_000)
    await vaults.stop()
    assert.equal(log.count('AGGREGATE_NOT_LOADED'), 12)
  })

  test('works again when the cause is fixed, and its next failure starts with the shortest pause', async () => {
    const watch = watched()
    const environment = manualEnvironment()
    await using vaults = await startVaults({ store: watch.store, environment, passivateAfterMs: 10 ** 9 })
    const corrupt = new StoreError('STORE_CORRUPT', { store: 'memory', where: 'here', reason: 'bits' })
    watch.disturb(({ method }) => (method === 'readStream' ? corrupt : undefined))
    for (let i = 0; i < 5; i++) {
      assert.deepEqual(await codesOf([vaults.vault('a').add({ amount: 1 })]), ['AGGREGATE_LOAD_FAILED'])
      await environment.advance(30_000)
    }
    watch.disturb(() => undefined)
    assert.equal((await vaults.vault('a').add({ amount: 1 })).sequence, 1)
  })
})

test('an aggregate that was not loaded during a long outage of the store works within a second after it', async () => {
  const watch = watched()
  const environment = manualEnvironment()
  await using vaults = await startVaults({ store: watch.store, environment, log: recorder() })
  watch.disturb(({ method }) => (method === 'readStream' ? 'before' : undefined))
  for (let i = 0; i < 100; i++) {
    const answer = codesOf([vaults.vault('a').add({ amount: 1 })])
    await environment.advance(1000)
    assert.deepEqual(await answer, ['AGGREGATE_LOAD_FAILED'])
  }
  watch.disturb(() => undefined)
  await environment.advance(1000)
  assert.equal((await vaults.vault('a').add({ amount: 1 })).sequence, 1)
})

test('an aggregate that failed to load is soon tried again if the clock is set back', async () => {
  const watch = watched()
  const environment = manualEnvironment({ now: '2030-01-01T00:00:00Z' })
  await using vaults = await startVaults({ store: watch.store, environment })
  watch.disturb(({ method }) => (method === 'readStream' ? new RangeError('a bad moment') : undefined))
  assert.deepEqual(await codesOf([vaults.vault('a').look()]), ['AGGREGATE_LOAD_FAILED'])
  watch.disturb(() => undefined)
  environment.setClock('2029-01-01T00:00:00Z')
  await vaults.vault('a').look()
})

test('a load from a store that is briefly unavailable is repeated at once, without a warning', async () => {
  const watch = watched()
  const environment = manualEnvironment()
  const log = recorder()
  await using vaults = await startVaults({ store: watch.store, environment, log })
  watch.disturb(({ method, number }) => (method === 'readStream' && number <= 2 ? 'before' : undefined))
  const answer = vaults.vault('a').add({ amount: 1 })
  await environment.advance(1000)
  assert.equal((await answer).sequence, 1)
  assert.equal(watch.count('readStream'), 3)
  assert.deepEqual(log.codes(), [])
})

test('a logger that throws has no effect', async () => {
  const store = memory()
  await plant(store, 'Unheard', {})
  const log = {
    warn: () => {
      throw new Error('the disk of the log is full')
    },
  }
  await using vaults = await startVaults({ store, log })
  const codes = await codesOf([vaults.vault('bad').look(), vaults.vault('good').look()])
  assert.deepEqual(codes, ['AGGREGATE_LOAD_FAILED', 'ok'])
})
