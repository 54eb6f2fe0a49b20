/**
 * An old program runs beside a new one that stores kinds of events which the old one does not know. Whatever the
 * failure policy says, the old program leaves such events to the new one, wherever it meets them.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { codesOf, recorder, until } from '../../../test/support/kernel/rig.ts'
import {
  aggregate,
  domain,
  event,
  type FailurePolicy,
  memory,
  projection,
  type Reaction,
  reaction,
  type StartOptions,
  type StoreFactory,
} from '../../index.ts'

const Opened = event('Opened', z.object({}))
const Paid = event('Paid', z.object({}))
const Frozen = event('Frozen', z.object({}))

const OldAccount = aggregate('account', () => ({ paid: 0 }))
  .on(Opened)
  .on(Paid, ({ paid }) => ({ paid: paid + 1 }))
  .command('open', z.object({}), () => Opened({}))
  .command('pay', z.object({}), () => Paid({}))
  .command('err', z.object({}), () => Frozen({}) as never)
const NewAccount = OldAccount.on(Frozen).command('freeze', z.object({}), () => Frozen({}))

type Accounts = { account: typeof OldAccount }
type Gift = Reaction<'gift', Accounts>
const Gifts = reaction('gift', { account: OldAccount } as Accounts)
const toBank = { aggregate: 'account', id: 'bank', name: 'pay' } as const
const Plain: Gift = Gifts.on(Opened, async (_, { dispatch }) => void (await dispatch(toBank)))
const skipping: FailurePolicy = { retries: 0, giveUp: 'skip' }

type Options = Pick<StartOptions, 'store' | 'log' | 'projections'>
const options = { pollIntervalMs: 5, leaseMs: 1000 } as const
const startOld = (gift: Gift, given: Options, policy: FailurePolicy = skipping) =>
  domain({ aggregates: { account: OldAccount }, reactions: { gift: gift.onFailure(policy) } }).start({
    ...options,
    log: recorder(),
    ...given,
  })
const startNew = (gift: Gift, given: Options, policy: FailurePolicy = skipping) =>
  domain({ aggregates: { account: NewAccount }, reactions: { gift: gift.onFailure(policy) } }).start({
    ...options,
    log: recorder(),
    ...given,
  })
type Old = Awaited<ReturnType<typeof startOld>>

const stateOf = async (program: Pick<Old, 'reactions'>) => (await program.reactions.status('gift')).state
const isOutdated = (program: Pick<Old, 'reactions'>) => async () => (await stateOf(program)) === 'outdated'
/** Warnings that are expected here: the functions differ, and the aggregate cannot be loaded. */
const expected = new Set(['PROJECTION_DIFFERS', 'AGGREGATE_NOT_LOADED'])
const codesBut = (log: ReturnType<typeof recorder>) => log.codes().filter((code) => !expected.has(code))

/** Freezes the bank's account, which only the new program knows, and opens another account. */
async function frozen(store: StoreFactory): Promise<void> {
  await using writer = await startNew(Plain, { store, projections: 'manual' })
  await writer.account('bank').freeze()
  await writer.account('ada').open()
}

describe('A kind of event that a program does not declare', () => {
  for (const giveUp of ['stop', 'skip', 'park'] as const) {
    test(`in the stream of a command is left to a newer program, although the policy is to ${giveUp}`, async () => {
      const [store, log] = [memory(), recorder()]
      await frozen(store)
      await using old = await startOld(Plain, { store, log }, { retries: 0, giveUp })
      await until('the old one stands back', isOutdated(old))
      const { failure, parked, position, retrying } = await old.reactions.status('gift')
      const error = retrying?.error as { code?: string; retryable?: boolean; cause?: { code?: string; facts?: object } }
      assert.deepEqual([failure, parked, position], [undefined, 0, 0])
      assert.deepEqual(
        [error.code, error.retryable, error.cause?.code],
        ['AGGREGATE_LOAD_FAILED', false, 'EVENT_UNDECLARED'],
      )
      const known = ['Opened', 'Paid']
      const stream = { aggregate: 'account', id: 'bank' }
      assert.deepEqual(error.cause?.facts, { aggregate: 'account', event: 'Frozen', known, stream, sequence: 1 })
      assert.deepEqual(codesBut(log), ['PROJECTION_STOOD_BACK'])
      await using recent = await startNew(Plain, { store }, { retries: 0, giveUp })
      await until('the new one has paid', async () => (await recent.account('bank').state()).paid === 1)
      assert.deepEqual(codesBut(log), ['PROJECTION_STOOD_BACK'])
    })
  }

  test('is waited for if there is no newer program, with one warning, and is handled when it is declared again', async () => {
    const [store, log] = [memory(), recorder()]
    await frozen(store)
    const old = await startOld(Plain, { store, log })
    const attemptsOf = async () => (await old.reactions.status('gift')).retrying?.attempts ?? 0
    await until('it has looked again', async () => (await attemptsOf()) > 1)
    assert.deepEqual([await stateOf(old), codesBut(log)], ['outdated', ['PROJECTION_STOOD_BACK']])
    await old.stop()
    await using declared = await startNew(Plain, { store })
    await until('it has paid', async () => (await declared.account('bank').state()).paid === 1)
  })

  test('is left to a newer program, whatever a handler does with the failure of its command', async () => {
    const careless = Gifts.on(Opened, async (_, { dispatch }) => void (await dispatch(toBank).catch(() => {})))
    const wrapping = Gifts.on(Opened, async (_, { dispatch }) => {
      await dispatch(toBank).catch((cause: unknown) => {
        throw new Error('it did not work', { cause })
      })
    })
    const other = Gifts.on(Opened, async ({ stream: { id } }, { dispatch }) => {
      await dispatch(toBank).catch(() => dispatch({ aggregate: 'account', id, name: 'pay' }))
    })
    for (const gift of [careless, wrapping, other]) {
      const [store, log] = [memory(), recorder()]
      await frozen(store)
      await using old = await startOld(gift, { store, log })
      await until('the old one stands back', isOutdated(old))
      await using recent = await startNew(gift, { store })
      await until('the new one has paid', async () => (await recent.account('bank').state()).paid === 1)
      assert.equal((await recent.account('ada').state()).paid, 0, 'nothing was sent in its place')
      assert.deepEqual(codesBut(log), ['PROJECTION_STOOD_BACK'])
    }
  })

  test('in a state that a handler reads is left to a newer program, even if the handler throws another error', async () => {
    for (const isWrapped of [false, true]) {
      const [store, log] = [memory(), recorder()]
      await frozen(store)
      const running: { program?: Old } = {}
      const reading = Gifts.on(Opened, async () => {
        await running
          .program!.account('bank')
          .state()
          .catch((cause: unknown) => {
            throw isWrapped ? new Error('it did not work', { cause }) : cause
          })
      })
      await using old = await startOld(reading, { store, log, projections: 'manual' })
      running.program = old
      await assert.rejects(old.reactions.runOnce('gift'))
      await old.reactions.start('gift')
      await until('the old one stands back', isOutdated(old))
      assert.deepEqual(codesBut(log), ['PROJECTION_STOOD_BACK'])
    }
  })

  for (const giveUp of ['stop', 'skip', 'park'] as const) {
    test(`in a state that a projection as code reads is left to a newer program, although the policy is to ${giveUp}`, async () => {
      const [store, log] = [memory(), recorder()]
      const seen: string[] = []
      const running: { program?: Pick<Old, 'account'> } = {}
      const Reading = projection('reading')
        .handle([Opened], async (events) => {
          for (const { stream } of events) {
            if (stream.id === 'ada') await running.program!.account('bank').state()
            seen.push(stream.id)
          }
        })
        .onFailure({ retries: 0, giveUp })
      await using writer = await startNew(Plain, { store, projections: 'manual' })
      await writer.account('zoe').open()
      await frozen(store)
      await writer.account('bob').open()
      await using old = await domain({
        aggregates: { account: OldAccount },
        projections: { reading: Reading },
      }).start({ ...options, store, log, projections: 'manual' })
      running.program = old as never
      await old.projections.start('reading')
      const statusOf = () => old.projections.status('reading')
      await until('the old one stands back', async () => (await statusOf()).state === 'outdated')
      const { position, parked, failure } = await statusOf()
      assert.deepEqual([position, parked, failure], [1, 0, undefined], 'what comes before it is handled')
      assert.ok(!seen.includes('ada'))
      assert.deepEqual(codesBut(log), ['PROJECTION_STOOD_BACK'])
    })
  }

  test('is a failure of the program if the program itself decides it', async () => {
    const [store, log] = [memory(), recorder()]
    const erring = Gifts.on(Opened, async (_, { dispatch }) => void (await dispatch({ ...toBank, name: 'err' })))
    await using old = await startOld(erring, { store, log, projections: 'manual' })
    const { position } = await old.account('ada').open()
    assert.equal((await old.reactions.runOnce('gift')).position, position)
    assert.deepEqual(log.codes(), ['REACTION_SKIPPED'])
  })

  test('keeps a parked event parked if it is met in a retry', async () => {
    const [store, policy] = [memory(), { retries: 0, giveUp: 'park' } as const]
    const sick = Gifts.on(Opened, () => {
      throw new RangeError('sick')
    })
    await frozen(store)
    {
      await using first = await startOld(sick, { store, projections: 'manual' }, policy)
      await first.reactions.runOnce('gift')
    }
    await using old = await startOld(Plain, { store, projections: 'manual' }, policy)
    assert.deepEqual(await codesOf([old.reactions.retryParked('gift')]), ['AGGREGATE_LOAD_FAILED'])
    assert.equal((await old.reactions.parked('gift')).length, 1)
    await using recent = await startNew(Plain, { store, projections: 'manual' }, policy)
    assert.deepEqual(await recent.reactions.retryParked('gift'), { handled: 1, parked: 0 })
  })
})
