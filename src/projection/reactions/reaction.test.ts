/** Reactions: handlers run at least once, and their commands have effect exactly once, whatever fails in between. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { Account, Deposited, Opened } from '../../../examples/bank/account.ts'
import { TransferBank } from '../../../examples/transfer/bank.ts'
import { recorder, until, watched } from '../../../test/support/kernel/rig.ts'
import {
  aggregate,
  domain,
  event,
  type MnemeError,
  memory,
  type ProjectionError,
  type Reaction,
  reaction,
  type StartOptions,
  StoreError,
} from '../../index.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'

const aggregates = { account: Account }

/** A gift of 10 to each new account. */
const Welcome = reaction('welcome', aggregates).on(Opened, async ({ stream }, { dispatch }) => {
  await dispatch({ aggregate: 'account', id: stream.id, name: 'deposit', data: { amount: 10 } })
})

const startWith = (welcome: Reaction<string, typeof aggregates>, options: StartOptions = {}) =>
  domain({ aggregates, reactions: { welcome } }).start({ projections: 'manual', log: { warn: () => {} }, ...options })

type Welcoming = Awaited<ReturnType<typeof startWith>>

const balanceOf = async (bank: Welcoming, id: string) => (await bank.account(id).state()).balance
const depositsOf = async (bank: Welcoming, id: string) =>
  (await Array.fromAsync(bank.account(id).history())).filter((event) => Deposited.is(event)).length

describe('A reaction', () => {
  test('sends commands when events happen, and not again', async () => {
    const store = memory()
    const bank = await startWith(Welcome, { store })
    await bank.account('ada').open({ owner: 'Ada' })
    assert.deepEqual(await bank.reactions.runOnce('welcome'), { position: 1, events: 1 })
    assert.equal(await balanceOf(bank, 'ada'), 10)
    assert.deepEqual(await bank.reactions.runOnce('welcome'), { position: 2, events: 0 })
    await bank.stop()
    await using again = await startWith(Welcome, { store })
    assert.deepEqual(await again.reactions.runOnce('welcome'), { position: 2, events: 0 })
    assert.equal(await balanceOf(again, 'ada'), 10)
  })

  test('can be run once after it was stopped', async () => {
    await using bank = await startWith(Welcome, { projections: 'automatic' })
    await bank.reactions.stop('welcome')
    await bank.account('ada').open({ owner: 'Ada' })
    assert.equal((await bank.reactions.runOnce('welcome')).events, 1)
    assert.equal(await balanceOf(bank, 'ada'), 10)
  })

  test('follows the log when it is started', async () => {
    await using bank = await startWith(Welcome, { projections: 'automatic' })
    for (const id of ['ada', 'bob', 'cy']) await bank.account(id).open({ owner: id })
    await until('all have their gift', async () => (await balanceOf(bank, 'cy')) === 10)
    assert.equal(await balanceOf(bank, 'ada'), 10)
  })

  test('says where its commands come from', async () => {
    await using bank = await startWith(Welcome)
    await bank.account('ada').open({ owner: 'Ada' }, { commandId: 'c-1', metadata: { correlationId: 'order 7' } })
    await bank.account('bob').open({ owner: 'Bob' }, { commandId: 'c-2' })
    await bank.reactions.runOnce('welcome')
    const gifts = await Promise.all(
      ['ada', 'bob'].map(async (id) => (await Array.fromAsync(bank.account(id).history())).at(-1)),
    )
    assert.deepEqual(gifts[0]?.metadata, { correlationId: 'order 7', causationId: 'c-1' })
    assert.deepEqual(gifts[1]?.metadata, { correlationId: 'c-2', causationId: 'c-2' })
    assert.equal(gifts[0]?.commitId, '~welcome:1:deposit')
  })

  test('that dies before its checkpoint is saved does nothing twice', async () => {
    const watch = watched()
    await using bank = await startWith(Welcome, { store: watch.store })
    await bank.account('ada').open({ owner: 'Ada' })
    for (const fault of ['before', 'before', 'after'] as const) {
      watch.disturb(({ method }) => (method === 'saveStep' ? fault : undefined))
      await assert.rejects(bank.reactions.runOnce('welcome'), { code: 'STORE_UNAVAILABLE' })
    }
    watch.disturb(() => undefined)
    await bank.reactions.runOnce('welcome')
    assert.equal(await depositsOf(bank, 'ada'), 1)
  })

  test('gets the same rejection again, even if the command would be accepted by now', async () => {
    const watch = watched()
    const ways: string[] = []
    let dies = true
    const Fee = reaction('welcome', aggregates).on(Opened, async ({ stream: { id } }, { dispatch }) => {
      const paid = await dispatch({ aggregate: 'account', id, name: 'withdraw', data: { amount: 5 } })
      ways.push(paid.accepted ? 'paid' : `${paid.rejection.code} ${JSON.stringify(paid.rejection.details)}`)
      if (dies) throw new Error('died half-way')
    })
    const once = Fee.onFailure({ retries: 0 })
    const bank = await startWith(once, { store: watch.store })
    await bank.account('ada').open({ owner: 'Ada' })
    await assert.rejects(bank.reactions.runOnce('welcome'), { code: 'PROJECTION_FAILED' })
    await bank.account('ada').deposit({ amount: 100 })
    await bank.stop()
    dies = false
    await using again = await startWith(once, { store: watch.store })
    await again.reactions.runOnce('welcome')
    const refused = 'InsufficientFunds {"balance":0,"requested":5}'
    assert.deepEqual(ways, [refused, refused])
    assert.equal(await balanceOf(again, 'ada'), 100)
    const store = await watch.store.open({ now: () => 0, warn: () => {} })
    const { rows: answers } = await store.listRows('reaction welcome', { prefix: 'answer ', limit: 10 })
    assert.deepEqual(answers, [], 'what is handled is forgotten')
    await store.close()
  })

  test('may send one command several times for one event', async () => {
    const Thrice = reaction('welcome', aggregates).on(Opened, async ({ stream: { id } }, { dispatch }) => {
      const deposit = () => dispatch({ aggregate: 'account', id, name: 'deposit', data: { amount: 1 } })
      await Promise.all([deposit(), deposit(), deposit()])
    })
    await using bank = await startWith(Thrice)
    await bank.account('ada').open({ owner: 'Ada' })
    await bank.reactions.runOnce('welcome')
    assert.equal(await balanceOf(bank, 'ada'), 3)
  })

  test('refuses a definition that cannot work', () => {
    assert.throws(() => Welcome.on(Opened, () => {}), { code: 'DEFINITION_INVALID' })
    assert.throws(() => Welcome.on(Deposited, undefined as never), { code: 'DEFINITION_INVALID' })
    assert.throws(() => Welcome.onFailure({ retries: -1 }), { code: 'OPTION_INVALID' })
    assert.throws(() => Welcome.onFailure({ giveUp: 'cry' as never }), { code: 'OPTION_INVALID' })
    assert.throws(() => domain({ aggregates, reactions: { a: Welcome, b: Welcome } }), { code: 'DEFINITION_INVALID' })
  })
})

describe('A handler that throws', () => {
  /** A reaction that fails `times` times for each event. */
  const failing = (times: number) => {
    const tries = new Map<number, number>()
    const definition = reaction('welcome', aggregates).on(
      Opened,
      async ({ position, stream: { id } }, { dispatch }) => {
        await dispatch({ aggregate: 'account', id, name: 'deposit', data: { amount: 10 } })
        tries.set(position, (tries.get(position) ?? 0) + 1)
        if (tries.get(position)! <= times) throw new Error('not yet')
      },
    )
    return { definition, tries }
  }

  test('is tried again, and its commands have one effect', async () => {
    const { definition, tries } = failing(3)
    await using bank = await startWith(definition.onFailure({ retries: 3, pauseFirstMs: 1 }))
    await bank.account('ada').open({ owner: 'Ada' })
    await bank.reactions.runOnce('welcome')
    assert.equal(tries.get(1), 4)
    assert.equal(await depositsOf(bank, 'ada'), 1)
  })

  test('stops the reaction before the event after its last try; the reaction can be started again', async () => {
    const { definition } = failing(2)
    await using bank = await startWith(definition.onFailure({ retries: 0 }), { projections: 'automatic' })
    await bank.account('ada').open({ owner: 'Ada' })
    const failed = async () => (await bank.reactions.status('welcome')).state === 'failed'
    await until('it has failed', failed)
    await bank.account('bob').open({ owner: 'Bob' })
    assert.equal((await bank.reactions.status('welcome')).position, 0)
    await bank.reactions.start('welcome')
    await until('it has failed again', failed)
    await bank.reactions.start('welcome')
    await until('it fails on the second account', async () => (await failed()) && (await depositsOf(bank, 'bob')) === 1)
    assert.equal(await depositsOf(bank, 'ada'), 1)
  })

  test('is skipped with a warning if the policy says so', async () => {
    const { definition } = failing(9)
    const log = recorder()
    await using bank = await startWith(definition.onFailure({ retries: 1, pauseFirstMs: 1, giveUp: 'skip' }), { log })
    await bank.account('ada').open({ owner: 'Ada' })
    await bank.reactions.runOnce('welcome')
    assert.deepEqual(log.codes(), ['REACTION_RETRIED', 'REACTION_SKIPPED'])
    assert.equal((await bank.reactions.status('welcome')).lag.events, 1)
  })
})

describe('A store that fails under a handler', () => {
  test('is waited for: the event is not skipped, and the failure does not count against the handler', async () => {
    let isDown = true
    let calls = 0
    const Patient = reaction('welcome', aggregates)
      .on(Opened, async ({ stream: { id } }, { dispatch }) => {
        calls++
        if (isDown) throw new StoreError('STORE_UNAVAILABLE', { store: 'remote', doing: 'appending' })
        await dispatch({ aggregate: 'account', id, name: 'deposit', data: { amount: 10 } })
      })
      .onFailure({ retries: 0, giveUp: 'skip' })
    const log = recorder()
    await using bank = await startWith(Patient, { projections: 'automatic', log })
    await bank.account('ada').open({ owner: 'Ada' })
    await until('it was tried again', async () => calls > 2)
    isDown = false
    await until('the gift is there', async () => (await balanceOf(bank, 'ada')) === 10)
    assert.deepEqual(log.codes(), ['PROJECTION_DELAYED'])
  })
})

describe('A reaction whose store fails now and then', () => {
  test('keeps its progress, so that in the end everything is handled', async () => {
    const store = memory()
    const handled: string[] = []
    let calls = 0
    const Flaky = reaction('welcome', aggregates).on(Opened, ({ stream: { id } }) => {
      if (++calls % 4 === 0) throw new StoreError('STORE_UNAVAILABLE', { store: 'remote', doing: 'appending' })
      handled.push(id)
    })
    await using bank = await startWith(Flaky, { store })
    const ids = Array.from({ length: 10 }, (_, i) => `account ${i}`)
    for (const id of ids) await bank.account(id).open({ owner: id })
    for (let isOver = false; !isOver; ) {
      isOver = await bank.reactions.runOnce('welcome').then(
        () => true,
        () => false,
      )
    }
    assert.deepEqual(handled, ids, 'each once: what was handled before a failure is not handled again')
  })
})

describe('A scheduled command', () => {
  const Interest = reaction('welcome', aggregates).on(Opened, ({ stream: { id } }, { schedule }) => {
    schedule({ aggregate: 'account', id, name: 'deposit', data: { amount: 1 } }, { afterMs: 60_000 })
    schedule({ aggregate: 'account', id, name: 'deposit', data: { amount: 2 } }, new Date('2026-01-01T00:03:00Z'))
  })

  test('is sent when it is due, once', async () => {
    const environment = manualEnvironment({ now: '2026-01-01T00:00:00Z' })
    await using bank = await startWith(Interest, { environment, projections: 'automatic' })
    await bank.account('ada').open({ owner: 'Ada' })
    await environment.advance(59_000)
    assert.equal(await balanceOf(bank, 'ada'), 0)
    await environment.advance(2_000)
    assert.equal(await balanceOf(bank, 'ada'), 1)
    await environment.advance(3_600_000)
    assert.equal(await balanceOf(bank, 'ada'), 3)
    assert.equal(await depositsOf(bank, 'ada'), 2)
  })

  test('survives a restart, and is sent late rather than never', async () => {
    const store = memory()
    const environment = manualEnvironment({ now: '2026-01-01T00:00:00Z' })
    const bank = await startWith(Interest, { store, environment })
    await bank.account('ada').open({ owner: 'Ada' })
    await bank.reactions.runOnce('welcome')
    await bank.stop()
    await environment.advance(3_600_000)
    await using again = await startWith(Interest, { store, environment })
    assert.equal(await balanceOf(again, 'ada'), 0)
    await again.reactions.runOnce('welcome')
    assert.equal(await balanceOf(again, 'ada'), 3)
    await again.reactions.runOnce('welcome')
    assert.equal(await depositsOf(again, 'ada'), 2)
  })

  test('that was sent when its row could not be removed is not sent twice', async () => {
    const watch = watched()
    const environment = manualEnvironment({ now: '2026-01-01T00:00:00Z' })
    await using bank = await startWith(Interest, { store: watch.store, environment })
    await bank.account('ada').open({ owner: 'Ada' })
    await bank.reactions.runOnce('welcome')
    await environment.advance(100_000)
    watch.disturb(({ method }) => (method === 'saveStep' ? 'before' : undefined))
    await assert.rejects(bank.reactions.runOnce('welcome'), { code: 'STORE_UNAVAILABLE' })
    watch.disturb(() => undefined)
    await bank.reactions.runOnce('welcome')
    assert.equal(await depositsOf(bank, 'ada'), 1)
  })

  test('that can never be sent fails the event that schedules it', async () => {
    const Dated = aggregate('dated', () => ({}))
      .on(event('Dated', z.object({})))
      .command('date', z.object({ on: z.date() }), () => undefined)
    const scheduling = (command: object) =>
      reaction('welcome', { account: Account, dated: Dated })
        .on(Opened, ({ stream: { id } }, { schedule }) =>
          schedule({ aggregate: 'account', id, name: 'deposit', ...command } as never, { afterMs: 60_000 }),
        )
        .onFailure({ retries: 0 })
    const refused = async (command: object) => {
      const definition = domain({
        aggregates: { account: Account, dated: Dated },
        reactions: { welcome: scheduling(command) },
      })
      await using bank = await definition.start({ projections: 'manual', log: recorder() })
      await bank.account('ada').open({ owner: 'Ada' })
      return await bank.reactions.runOnce('welcome').then(
        () => undefined,
        (error: ProjectionError) => error.cause as MnemeError,
      )
    }
    assert.equal((await refused({ data: { amount: -1 } }))?.code, 'COMMAND_INVALID')
    assert.equal((await refused({ name: 'depsit', data: { amount: 1 } }))?.code, 'COMMAND_UNKNOWN')
    assert.equal((await refused({ aggregate: 'acount', data: { amount: 1 } }))?.code, 'AGGREGATE_UNKNOWN')
    assert.equal((await refused({ id: '', data: { amount: 1 } }))?.code, 'ID_INVALID')
    assert.equal((await refused({ data: { amount: 1 }, tags: [''] }))?.code, 'ID_INVALID')
    // It is stored as JSON, so a date becomes a text.
    const dated = await refused({ aggregate: 'dated', name: 'date', data: { on: new Date(0) } })
    assert.equal(dated?.code, 'DATA_NOT_JSON')
    assert.match(dated?.message ?? '', /The scheduled command date holds .*use z\.coerce\.date\(\)\) at on,/)
    assert.equal((await refused({ aggregate: 'dated', name: 'date', data: { on: 'soon' } }))?.code, 'COMMAND_INVALID')
    assert.equal(await refused({ data: { amount: 1 } }), undefined)
  })
})

describe('A transfer between accounts', () => {
  const start = async () => {
    const bank = await TransferBank.start({ projections: 'manual', log: { warn: () => {} } })
    for (const id of ['ada', 'bob']) await bank.account(id).open({ owner: id })
    await bank.account('ada').deposit({ amount: 100 })
    const settle = async () => {
      for (let events = 1; events > 0; ) events = (await bank.reactions.runOnce('moveMoney')).events
    }
    const balances = async () => [
      (await bank.account('ada').state()).balance,
      (await bank.account('bob').state()).balance,
    ]
    return { bank, settle, balances }
  }

  test('moves the money', async () => {
    const { bank, settle, balances } = await start()
    await bank.transfer('t1').request({ from: 'ada', to: 'bob', amount: 30 })
    await settle()
    assert.deepEqual(await balances(), [70, 30])
    assert.equal((await bank.transfer('t1').state()).phase, 'completed')
    await bank.stop()
  })

  test('fails if there is not enough money, and moves nothing', async () => {
    const { bank, settle, balances } = await start()
    await bank.transfer('t1').request({ from: 'bob', to: 'ada', amount: 30 })
    await settle()
    assert.deepEqual(await balances(), [100, 0])
    assert.equal((await bank.transfer('t1').state()).phase, 'failed')
    await bank.stop()
  })

  test('gives the money back if it cannot arrive', async () => {
    const { bank, settle, balances } = await start()
    await bank.transfer('t1').request({ from: 'ada', to: 'nobody', amount: 30 })
    await settle()
    assert.deepEqual(await balances(), [100, 0])
    assert.equal((await bank.transfer('t1').state()).phase, 'failed')
    await bank.stop()
  })
})
