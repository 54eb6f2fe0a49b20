/** Whatever is thrown: every caller gets an answer, nothing stays counted, and other commands are not affected. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import { codesOf, recorder, settled, stands, startVaults, until, watched } from '../../test/support/kernel/rig.ts'
import { aggregate, domain, event, memory } from '../index.ts'
import type { Store, StoreFactory } from '../store/store.ts'
import { manualEnvironment } from '../testing/manual-environment.ts'

/** A store whose next answer to an append is replaced. */
function answering(answers: (() => unknown)[]): StoreFactory {
  const inner = memory()
  return {
    name: 'memory',
    open: async (options) => {
      const store = await inner.open(options)
      const append: Store['append'] = async (...args) => {
        const answer = answers.shift()
        return answer === undefined ? store.append(...args) : (answer() as Awaited<ReturnType<Store['append']>>)
      }
      return new Proxy(store, {
        get: (target, key) => {
          const value = key === 'append' ? append : target[key as keyof Store]
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
    },
  }
}

describe('The kernel', () => {
  test('does not count a command whose check throws', async () => {
    await using vaults = await startVaults({ limits: { commandsInFlightMax: 5 } })
    const command = { aggregate: 'vault', id: 'a', name: 'add', data: { amount: 1 } } as const
    for (const signal of [null, 5, 'now', {}, { aborted: false }]) {
      for (let i = 0; i < 10; i++) {
        await assert.rejects(vaults.dispatch({ ...command, signal } as never), { code: 'COMMAND_MALFORMED' })
        await assert.rejects(vaults.vault('a').add({ amount: 1 }, { signal: signal as never }), {
          code: 'OPTION_INVALID',
        })
      }
    }
    assert.deepEqual(vaults.load(), { liveAggregates: 0, commandsInFlight: 0 })
    await vaults.dispatch(command)
  })

  test('answers every caller and loads the instance again if settling a round throws', async () => {
    const log = recorder()
    const store = answering([() => [], () => [null]])
    await using vaults = await startVaults({ store, log })
    const vault = vaults.vault('a')
    for (let round = 0; round < 2; round++) {
      const sent = [vault.look(), vault.add({ amount: 1 }), vault.take({ amount: 100 })]
      const codes = await codesOf(sent)
      assert.equal(codes[1], 'OUTCOME_UNKNOWN')
    }
    assert.deepEqual(new Set(log.codes()), new Set(['AGGREGATE_RESET']))
    assert.equal((await vault.add({ amount: 2 })).state.balance, 2)
    assert.equal(vaults.load().commandsInFlight, 0)
  })

  test('never changes an event that an evolve has kept', async () => {
    const Noted = event('Noted', z.object({ text: z.string() }))
    const Diary = aggregate('diary', () => ({ last: undefined as unknown }))
      .on(Noted, (_, __, noted) => ({ last: noted }))
      .command('note', z.object({ text: z.string() }), (_, { text }) => Noted({ text }))
    await using diaries = await domain({ aggregates: { diary: Diary } }).start({ log: recorder() })
    const first = await diaries.diary('a').note({ text: 'one' })
    const kept = first.state.last as { readonly position: number; readonly sequence: number }
    assert.deepEqual([kept.position, kept.sequence, first.events[0]!.position], [0, 1, 1])
    const second = await diaries.diary('a').note({ text: 'two' })
    assert.equal(kept.position, 0)
    assert.equal(second.events[0]!.position, 2)
  })
})

describe('An instance', () => {
  test('that leaves memory while its turn is due does not keep others from leaving', async () => {
    const environment = manualEnvironment()
    const watch = watched()
    const gate = Promise.withResolvers<never>()
    watch.disturb(({ method, args }) =>
      method === 'readStream' && (args[0] as { id: string }).id === 'bad' ? gate.promise : undefined,
    )
    await using vaults = await startVaults({
      store: watch.store,
      environment,
      passivateAfterMs: 1000,
      limits: { liveAggregatesMax: 10 },
    })
    const first = vaults.vault('bad').add({ amount: 1 })
    await until('it is being loaded', () => watch.count('readStream') === 1)
    for (let i = 0; i < 9; i++) await vaults.vault(`good ${i}`).add({ amount: 1 })
    // From here on, turns wait for the event loop.
    environment.setClock(new Date(environment.now() + 20))
    const second = vaults.vault('bad').add({ amount: 1 })
    gate.reject(new RangeError('unreadable'))
    assert.deepEqual(await codesOf([first, second]), ['AGGREGATE_LOAD_FAILED', 'AGGREGATE_LOAD_FAILED'])
    // It makes room for the next one while its own turn is still due.
    await vaults.vault('good 9').add({ amount: 1 })
    await settled()
    assert.equal(vaults.load().liveAggregates, 10)
    await environment.advance(2000)
    assert.equal(vaults.load().liveAggregates, 0)
  })
})

describe('The event loop', () => {
  /** Counts how often it runs during some work. */
  async function turnsDuring(work: Promise<unknown>): Promise<number> {
    let turns = 0
    while ((await Promise.race([work.then(() => 'done'), setImmediate('turned')])) === 'turned') turns++
    return turns
  }

  test('runs while a long stream is loaded, so that a deadline can end the wait', async () => {
    const store = memory()
    const Counted = event('Counted', z.object({}))
    const Counter = aggregate('counter', () => 0)
      .on(Counted, (count) => count + 1)
      .command('count', z.object({ times: z.int() }), (_, { times }) => Array.from({ length: times }, () => Counted()))
    const counters = domain({ aggregates: { counter: Counter } })
    const before = await counters.start({ store, log: recorder() })
    for (let i = 0; i < 10; i++) await before.counter('a').count({ times: 9_000 })
    await before.stop()
    await using after = await counters.start({ store, log: recorder() })
    assert.ok((await turnsDuring(after.counter('a').state())) > 3)
    const abort = new AbortController()
    const adding = after.counter('a').count({ times: 1 }, { signal: abort.signal })
    await setImmediate()
    await setImmediate()
    assert.equal(await Promise.race([adding.catch(() => 'answered'), setImmediate('pending')]), 'pending')
    abort.abort()
    await assert.rejects(adding, { code: 'ABORTED' })
  })

  test('runs while many commands of one aggregate are decided', async () => {
    const Slow = aggregate('slow', () => ({})).command('think', z.object({}), (): undefined => {
      for (const end = performance.now() + 1; performance.now() < end; );
    })
    await using domains = await domain({ aggregates: { slow: Slow } }).start({ log: recorder() })
    const all = Promise.all(Array.from({ length: 200 }, () => domains.slow('a').think()))
    assert.ok((await turnsDuring(all)) >= 10)
  })

  test('runs while many aggregates decide commands', async () => {
    const Slow = aggregate('slow', () => ({})).command('think', z.object({}), (): undefined => {
      for (const end = performance.now() + 1; performance.now() < end; );
    })
    await using domains = await domain({ aggregates: { slow: Slow } }).start({ log: recorder() })
    const all = Promise.all(Array.from({ length: 200 }, (_, i) => domains.slow(`${i}`).think()))
    assert.ok((await turnsDuring(all)) >= 10)
    assert.equal(await stands(all), 'fulfilled')
  })
})
