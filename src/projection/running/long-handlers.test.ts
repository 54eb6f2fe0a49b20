/**
 * Handlers and pauses that take longer than a lease: the waiting process keeps leading, and its counts of failures go
 * on.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recorder, until, watched } from '../../../test/support/kernel/rig.ts'
import { Pot, Put } from '../../../test/support/read-side/pots.ts'
import {
  domain,
  type FailurePolicy,
  memory,
  type ProjectionStatus,
  projection,
  reaction,
  type StartOptions,
} from '../../index.ts'
import { sleep } from '../../runtime/environment.ts'
import type { StoreFactory } from '../../store/store.ts'
import { type ManualEnvironment, manualEnvironment } from '../../testing/manual-environment.ts'

const leaseMs = 10_000
const kinds = ['rows', 'code', 'reaction'] as const
type Kind = (typeof kinds)[number]

/** Starts pots with a handler that gets each amount that is put. */
async function start(kind: Kind, handle: (amount: number) => unknown, policy: FailurePolicy, options: StartOptions) {
  const rows = projection('rows', () => 0).on(Put, (count, { amount }) => {
    handle(amount)
    return count + 1
  })
  const code = projection('code').handle([Put], async (events) => {
    for (const { data } of events) await handle(data.amount)
  })
  const reacting = reaction('reacting', { pot: Pot }).on(Put, async ({ data }) => {
    await handle(data.amount)
  })
  const pots = await domain({
    aggregates: { pot: Pot },
    projections:
      kind === 'rows' ? { rows: rows.onFailure(policy) } : kind === 'code' ? { code: code.onFailure(policy) } : {},
    reactions: kind === 'reaction' ? { reacting: reacting.onFailure(policy) } : {},
  }).start({ log: recorder(), leaseMs, ...options })
  const name = kind === 'reaction' ? 'reacting' : kind
  const managed = kind === 'reaction' ? pots.reactions : pots.projections
  return { ...pots, statusOf: (): Promise<ProjectionStatus> => managed.status(name as never) }
}

type Started = Awaited<ReturnType<typeof start>>

/** Two processes on one store. The first one leads. */
async function two(
  begin: (store: StoreFactory, environment: ManualEnvironment) => Promise<Started>,
): Promise<readonly [ManualEnvironment, Started, Started]> {
  const [store, environment] = [memory(), manualEnvironment()]
  const first = await begin(store, environment)
  await until('the first leads', async () => (await first.statusOf()).state === 'running')
  const second = await begin(store, environment)
  await until('the other stands by', async () => (await second.statusOf()).state === 'standby')
  return [environment, first, second]
}

const handledBy = (pots: Started) => async () => (await pots.statusOf()).lag.events === 0

describe('A handler that takes longer than a lease is run once, although another process stands by', () => {
  for (const kind of ['code', 'reaction'] as const) {
    for (const lease of [leaseMs, 1000]) {
      test(`by a ${kind} whose lease is ${lease} ms`, async () => {
        const gate = Promise.withResolvers<void>()
        const begun: number[] = []
        const handle = (amount: number) => {
          begun.push(amount)
          return gate.promise
        }
        const [environment, first, second] = await two((store, environment) =>
          start(kind, handle, {}, { store, environment, leaseMs: lease }),
        )
        await first.pot('a').put({ amount: 1 })
        await until('it is handled', () => begun.length > 0)
        await environment.advance(10 * lease)
        assert.deepEqual(
          [begun, (await first.statusOf()).state, (await second.statusOf()).state],
          [[1], 'running', 'standby'],
        )
        gate.resolve()
        await until('it is done', handledBy(first))
        await environment.advance(10 * lease)
        assert.deepEqual(begun, [1])
        await second.stop()
        await first.stop()
      })
    }
  }
})

describe('Pauses between tries that are longer than a lease', () => {
  const policy = { retries: 4, pauseFirstMs: 60_000, pauseMaxMs: 60_000, giveUp: 'skip' } as const

  for (const kind of kinds) {
    test(`do not restart the count of tries, for ${kind}`, async () => {
      let calls = 0
      const fail = () => {
        calls++
        throw new RangeError('sick')
      }
      const log = recorder()
      const [environment, first, second] = await two((store, environment) =>
        start(kind, fail, policy, { store, environment, log }),
      )
      await first.pot('a').put({ amount: 1 })
      await until('it is handled', () => calls > 0)
      await environment.advance(10 * policy.pauseMaxMs)
      const side = kind === 'reaction' ? 'REACTION' : 'PROJECTION'
      assert.deepEqual([calls, log.codes()], [1 + policy.retries, [`${side}_RETRIED`, `${side}_SKIPPED`]])
      assert.ok(await handledBy(first)())
      await second.stop()
      await first.stop()
    })
  }

  test('keep the count of tries if the process has lost its lease meanwhile', async () => {
    for (const kind of kinds) {
      const [watch, environment, log] = [watched(), manualEnvironment(), recorder()]
      let calls = 0
      const fail = () => {
        calls++
        throw new RangeError('sick')
      }
      const pots = await start(kind, fail, policy, { store: watch.store, environment, log })
      await pots.pot('a').put({ amount: 1 })
      await until('it has failed', () => calls > 0)
      // Its store repeatedly gives no answer for longer than the lease.
      for (let i = 0; i < 20; i++) {
        watch.disturb(({ method }) => (method === 'acquireLease' ? 'before' : undefined))
        await environment.advance(2 * leaseMs)
        watch.disturb(() => undefined)
        await environment.advance(policy.pauseMaxMs)
      }
      assert.deepEqual(
        [calls, log.codes().filter((code) => code.endsWith('SKIPPED')).length],
        [1 + policy.retries, 1],
        kind,
      )
      await pots.stop()
    }
  })
})

describe('A lease that is over whenever the store has answered', () => {
  for (const kind of kinds) {
    test(`lets a process go on that nobody has overtaken, for ${kind}`, async () => {
      const [watch, environment, log] = [watched(), manualEnvironment(), recorder()]
      const handled: number[] = []
      const pots = await start(kind, (amount) => handled.push(amount), {}, { store: watch.store, environment, log })
      watch.disturb(({ method }) => (method === 'acquireLease' ? sleep(environment, 1.5 * leaseMs) : undefined))
      for (const amount of [1, 2, 3]) {
        await pots.pot('a').put({ amount })
        await environment.advance(20 * leaseMs)
      }
      assert.deepEqual([handled, await handledBy(pots)()], [[1, 2, 3], true])
      const stopping = pots.stop()
      // An answer may still be on its way.
      await environment.advance(2 * leaseMs)
      await stopping
    })
  }
})

test('a step ends in time although its timer fires early, and sends commands that are due while a handler waits', async () => {
  const manual = manualEnvironment()
  // Timers do so if their clock is not the one of `elapsed`.
  const early = (ms: number) => (ms > 100 ? ms - 0.5 : ms)
  const environment = { ...manual, after: (ms: number, callback: () => void) => manual.after(early(ms), callback) }
  const gate = Promise.withResolvers<void>()
  const reacting = reaction('reacting', { pot: Pot }).on(Put, async ({ stream, data: { amount } }, { schedule }) => {
    if (stream.id !== 'a') return
    if (amount === 1) schedule({ aggregate: 'pot', id: 'due', name: 'put', data: { amount: 3 } }, { afterMs: 5000 })
    else await gate.promise
  })
  await using pots = await domain({ aggregates: { pot: Pot }, reactions: { reacting } }).start({
    store: memory(),
    environment,
    log: recorder(),
  })
  await pots.pot('a').fill({ amounts: [1, 2] })
  await manual.advance(8000)
  const { count } = await pots.pot('due').state()
  gate.resolve()
  assert.equal(count, 1)
})
