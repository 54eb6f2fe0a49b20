/**
 * Failures that are tried again: the warning at the first failure, the status, the error that readers get, and whose
 * failure it is.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recorder, until, watched } from '../../../test/support/kernel/rig.ts'
import { Pot, Put, type RunningRows, startRows } from '../../../test/support/read-side/pots.ts'
import { domain, memory, projection, reaction, StoreError } from '../../index.ts'
import { faultyStore } from '../../testing/faulty-store.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'

const policy = { retries: 3, pauseFirstMs: 1000, pauseMaxMs: 1000 } as const

/** A handler that fails until `cure` is called. */
function failing() {
  let isSick = true
  return {
    handle: () => {
      if (isSick) throw new RangeError('sick')
    },
    cure: () => {
      isSick = false
    },
  }
}

describe('An event that fails causes a warning at once, and appears in the status and in the errors of waiting readers', () => {
  for (const kind of ['rows', 'code', 'reaction'] as const) {
    test(`of ${kind}`, async () => {
      const [environment, log, { handle, cure }] = [manualEnvironment(), recorder(), failing()]
      const rows = projection('rows', () => 0)
        .on(Put, (count) => {
          handle()
          return count + 1
        })
        .onFailure(policy)
      const code = projection('code').handle([Put], handle).onFailure(policy)
      const reacting = reaction('reacting', { pot: Pot }).on(Put, handle).onFailure(policy)
      const options = { environment, log, store: memory() }
      await using pots = await domain({
        aggregates: { pot: Pot },
        projections: kind === 'rows' ? { rows } : kind === 'code' ? { code } : {},
        reactions: kind === 'reaction' ? { reacting } : {},
      }).start(options)
      const { position } = await pots.pot('a').put({ amount: 1 })
      const managed = kind === 'reaction' ? pots.reactions : pots.projections
      const name = (kind === 'reaction' ? 'reacting' : kind) as never
      const statusOf = () => managed.status(name)
      await until('it has failed once', async () => (await statusOf()).retrying !== undefined)
      const { state, retrying } = await statusOf()
      const event = { position: 1, type: 'Put' }
      assert.deepEqual([state, retrying?.event, retrying?.attempts], ['running', event, 1])
      assert.ok(retrying!.error instanceof RangeError)
      assert.ok(retrying!.nextAt.getTime() > environment.now())
      assert.deepEqual(log.codes(), [kind === 'reaction' ? 'REACTION_RETRIED' : 'PROJECTION_RETRIED'])
      if (kind !== 'reaction') {
        const wait = { atLeast: position, timeoutMs: 1 }
        const model = pots as unknown as { code: { reached(wait: object): Promise<void> } } & RunningRows
        const reading = kind === 'code' ? model.code.reached(wait) : model.rows.get('a', wait)
        const behind = assert.rejects(reading, (error: any) => {
          assert.deepEqual([error.code, error.cause], ['PROJECTION_BEHIND', retrying!.error])
          assert.deepEqual([error.facts.retrying.event, error.facts.retrying.attempts], [event, 1])
          return true
        })
        await environment.advance(1)
        await behind
      }
      cure()
      await environment.advance(1000)
      await until('it is handled', async () => (await statusOf()).lag.events === 0)
      assert.equal((await statusOf()).retrying, undefined)
    })
  }
})

test('a store that fails appears in the status and in the errors of waiting readers too', async () => {
  const [environment, watch, log] = [manualEnvironment(), watched(), recorder()]
  await using pots = await startRows({ store: watch.store, environment, log, projections: 'automatic' })
  await pots.pot('a').put({ amount: 1 })
  await pots.rows.get('a', { atLeast: 1 })
  watch.disturb(({ method }) => (method === 'saveStep' ? 'before' : undefined))
  const { position } = await pots.pot('a').put({ amount: 2 })
  const reading = pots.rows.get('a', { atLeast: position, timeoutMs: 5 })
  const behind = assert.rejects(reading, (error: any) => error.cause?.code === 'STORE_UNAVAILABLE')
  await until('it is shown', async () => (await pots.projections.status('rows')).retrying !== undefined)
  const { retrying } = await pots.projections.status('rows')
  assert.deepEqual([retrying!.event, (retrying!.error as StoreError).code], [undefined, 'STORE_UNAVAILABLE'])
  await environment.advance(5)
  await behind
  watch.disturb(() => undefined)
  await environment.advance(10_000)
  await pots.rows.get('a', { atLeast: position })
  assert.equal((await pots.projections.status('rows')).retrying, undefined)
  assert.deepEqual(log.codes(), ['PROJECTION_DELAYED'])
})

describe('A failure counts as the event’s unless it is known to come from the store', () => {
  const facts = { store: 's', statement: 'INSERT', reason: 'it is not allowed' }
  const failures = [
    new StoreError('SQL_FAILED', facts),
    new StoreError('TRANSACTION_TOO_LONG', { store: 's', transactionMsMax: 1 }),
    new TypeError('whatever'),
  ]

  for (const failure of failures) {
    test(`as ${failure.message.slice(0, 40)}, thrown by a handler or where its work is saved`, async () => {
      for (const place of ['handler', 'store'] as const) {
        const log = recorder()
        const handle = () => {
          if (place === 'handler') throw failure
        }
        const Coded = projection('coded').handle([Put], handle).onFailure({ retries: 0, giveUp: 'skip' })
        let isMet = false
        const store = faultyStore(memory(), ({ method, args }) => {
          const moves = method === 'saveStep' && (args[1] as { to: { position: number } }).to.position === 1
          if (place === 'handler' || !moves || isMet) return undefined
          isMet = true
          return failure
        })
        await using pots = await domain({ aggregates: { pot: Pot }, projections: { coded: Coded } }).start({
          store,
          log,
          projections: 'manual',
        })
        await pots.pot('a').put({ amount: 1 })
        assert.deepEqual(await pots.projections.runOnce('coded'), { position: 1, events: 1 })
        assert.deepEqual(log.codes(), ['PROJECTION_SKIPPED'], place)
      }
    })
  }

  test('an event does not fail if its command cannot load the aggregate because the store is unavailable', async () => {
    const [watch, log] = [watched(), recorder()]
    const Sending = reaction('sending', { pot: Pot })
      .on(Put, async ({ data: { amount } }, { dispatch }) => {
        if (amount < 10) await dispatch({ aggregate: 'pot', id: 'b', name: 'put', data: { amount: 10 } })
      })
      .onFailure({ retries: 0, giveUp: 'skip' })
    await using pots = await domain({ aggregates: { pot: Pot }, reactions: { sending: Sending } }).start({
      store: watch.store,
      log,
      projections: 'manual',
      limits: { loadTriesMax: 1 },
    })
    await pots.pot('a').put({ amount: 1 })
    watch.disturb(({ method }) => (method === 'readStream' ? 'before' : undefined))
    await assert.rejects(pots.reactions.runOnce('sending'), { code: 'AGGREGATE_LOAD_FAILED' })
    assert.deepEqual(log.codes(), ['AGGREGATE_NOT_LOADED'])
  })
})
