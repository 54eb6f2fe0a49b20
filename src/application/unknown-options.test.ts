/** Unknown options and unknown parts of commands are refused everywhere, and nothing happens. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { codesOf, logOf, recorder, settled, startVaults, watched } from '../../test/support/kernel/rig.ts'
import { Added, Vault } from '../../test/support/kernel/vault.ts'
import {
  aggregate,
  domain,
  event,
  fold,
  foldAll,
  hasCode,
  InputError,
  memory,
  projection,
  type ReactionTools,
  reaction,
  type StartOptions,
} from '../index.ts'
import { file } from '../store/file/index.ts'
import { mongodb } from '../store/mongodb/index.ts'
import { nats } from '../store/nats/index.ts'
import { migrationSql, postgres } from '../store/postgres/index.ts'
import { sqlite } from '../store/sqlite/index.ts'
import { manualEnvironment, spec, storeConformance } from '../testing/index.ts'

/** Asserts that a call is refused because of an option, and which one the message suggests instead. */
async function refuses(call: () => unknown, option: string, nearest?: string): Promise<void> {
  const error = await (async () => call())().then(
    () => assert.fail(`${option} was passed over`),
    (thrown: unknown) => thrown,
  )
  assert.ok(hasCode(error, 'OPTION_INVALID'), String(error))
  assert.equal(error.facts.option, option)
  assert.equal(error.facts.nearest, nearest)
  assert.equal(error.message.startsWith(`There is no option ${option}`), !('found' in error.facts), error.message)
  if (nearest !== undefined) assert.match(error.message, new RegExp(`did you mean ${nearest}\\?`))
}

/** Options with a name that the types do not know. */
const misspelt = (option: string, value: unknown = 1): never => ({ [option]: value }) as never

describe('A command given as data', () => {
  const good = { aggregate: 'vault', id: 'a', name: 'add', data: { amount: 1 } }
  const strange: Record<string, [part: object, reason: RegExp]> = {
    'a command id in other letters': [{ commandID: 'c-1' }, /no part "commandID" \(did you mean commandId\?\)/],
    'an unknown part': [{ priority: 1 }, /no part "priority" \(it has one of aggregate, id/],
    'a prototype': [JSON.parse('{"__proto__": {"commandId": "x"}}'), /no part "__proto__"/],
    'a signal that is null': [{ signal: null }, /signal is not an AbortSignal/],
    'a signal that is a record': [{ signal: { aborted: false } }, /signal is not an AbortSignal/],
    'a signal that is a string': [{ signal: 'now' }, /signal is not an AbortSignal/],
  }
  for (const [what, [part, reason]] of Object.entries(strange)) {
    test(`with ${what} is refused, does not count as in flight, and stores nothing`, async () => {
      const watch = watched()
      await using vaults = await startVaults({ store: watch.store, limits: { commandsInFlightMax: 2, mailboxMax: 2 } })
      watch.forget()
      const command = Object.defineProperties({ ...good }, Object.getOwnPropertyDescriptors(part)) as never
      for (let i = 0; i < 5; i++) {
        for (const dispatch of [vaults.dispatch, vaults.try.dispatch]) {
          await assert.rejects(dispatch(command), (error) => {
            assert.ok(error instanceof InputError && error.code === 'COMMAND_MALFORMED')
            assert.match(error.message, reason)
            return true
          })
        }
      }
      await settled()
      assert.equal(watch.calls.length, 0)
      assert.deepEqual(vaults.load(), { liveAggregates: 0, commandsInFlight: 0 })
      await vaults.dispatch(good as never)
    })
  }

  test('accepts a real signal, also of another realm', async () => {
    await using vaults = await startVaults()
    const { signal } = new AbortController()
    await vaults.dispatch({ ...good, signal } as never)
    const foreign = new Proxy(signal, {
      getPrototypeOf: () => null,
      get: (target, key) => {
        const value = Reflect.get(target, key) as unknown
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    await vaults.dispatch({ ...good, signal: foreign } as never)
  })
})

describe('Unknown options are refused', () => {
  test('with a command', async () => {
    await using vaults = await startVaults()
    const vault = vaults.vault('a')
    const data = { amount: 1 }
    await refuses(() => vault.add(data, misspelt('commandID', 'c-1')), 'commandID', 'commandId')
    await refuses(() => vault.try.add(data, misspelt('metaData', {})), 'metaData', 'metadata')
    await refuses(() => vault.add(data, misspelt('expectedVersion')), 'expectedVersion')
    for (const signal of [null, {}, 'now']) await refuses(() => vault.add(data, { signal } as never), 'signal')
    for (const options of [null, 'c-1', ['c-1'], 7]) {
      await refuses(() => vault.add(data, options as never), 'the options of add')
    }
    assert.deepEqual(await codesOf([vault.add(data, { tags: null } as never)]), ['ID_INVALID'])
    assert.equal((await vault.state()).amounts.length, 0)
    assert.deepEqual(vaults.load().commandsInFlight, 0)
  })

  test('for a point in history', async () => {
    await using vaults = await startVaults()
    const vault = vaults.vault('a')
    await refuses(() => vault.state(misspelt('version')), 'version')
    await refuses(() => vault.state(misspelt('sequnce')), 'sequnce', 'sequence')
    await refuses(() => vault.state({ time: '2026-01-01' } as never), 'time')
    await refuses(() => vault.history(misspelt('form'))[Symbol.asyncIterator]().next(), 'form', 'from')
    await refuses(
      () =>
        vault
          .history({ signal: null } as never)
          [Symbol.asyncIterator]()
          .next(),
      'signal',
    )
  })

  test('with a subscription', async () => {
    await using vaults = await startVaults()
    await refuses(() => vaults.events(misspelt('stream')), 'stream')
    await refuses(() => vaults.events(misspelt('type', ['Added'])), 'type', 'types')
    await refuses(() => vaults.events({ types: 'Added' } as never), 'types')
    await refuses(() => vaults.events({ tags: [7] } as never), 'tags')
    await refuses(() => vaults.events({ signal: null } as never), 'signal')
    for (const from of [-1, 0.5, '3']) await refuses(() => vaults.events({ from } as never), 'from')
  })

  test('with a read of rows', async () => {
    await using vaults = await startVaults()
    const { totals } = vaults
    await refuses(() => totals.get('a', misspelt('atleast')), 'atleast', 'atLeast')
    await refuses(() => totals.get('a', misspelt('timeout')), 'timeout', 'timeoutMs')
    await refuses(() => totals.find(misspelt('offset')), 'offset')
    await refuses(() => totals.find(misspelt('orderby', 'balance')), 'orderby', 'orderBy')
    await refuses(() => totals.find({}, misspelt('atleast')), 'atleast', 'atLeast')
    await refuses(() => totals.find({ where: 'balance > 1' } as never), 'where')
    await refuses(() => totals.find({ or: { balance: 1 } } as never), 'or')
    await refuses(() => totals.find({ orderBy: 'balance' } as never), 'orderBy')
    await refuses(() => totals.find({ after: 5 } as never), 'after')
    await refuses(() => totals.count(misspelt('limit')), 'limit')
    await refuses(() => totals.count({}, misspelt('atleast')), 'atleast', 'atLeast')
    await refuses(() => totals.find({ where: { balance: { gte: 1, lessThan: 5 } } } as never), 'lessThan')
    await refuses(() => totals.find({ where: { balance: { in: 5 } } } as never), 'where.balance.in')
    for (const atLeast of [-1, Number.NaN, '3', 0.5])
      await refuses(() => totals.get('a', { atLeast } as never), 'atLeast')
    for (const timeoutMs of [-1, Number.NaN, '3'])
      await refuses(() => totals.get('a', { timeoutMs } as never), 'timeoutMs')
    await refuses(() => totals.get('a', { signal: {} } as never), 'signal')
    await refuses(() => totals.get('a', 3 as never), 'wait')
  })

  test('in methods that manage projections and reactions', async () => {
    await using vaults = await startVaults()
    const { projections } = vaults
    await refuses(() => projections.start('totals', misspelt('atPosition')), 'atPosition')
    await refuses(() => projections.start('totals', { from: 0 }), 'from')
    await refuses(() => projections.progress('totals', misspelt('everyMS')), 'everyMS', 'everyMs')
    await refuses(() => projections.rebuild('totals', misspelt('force', true)), 'force')
    await refuses(() => projections.rebuild('totals', { signal: null } as never), 'signal')
    await refuses(() => projections.compare('totals', misspelt('limits')), 'limits', 'limit')
  })

  test('at start, also in the environment and the limits', async () => {
    const start = (options: object) => startVaults(options as StartOptions)
    await refuses(() => start({ projection: 'manual' }), 'projection', 'projections')
    await refuses(() => start({ limits: { mailBoxMax: 1 } }), 'mailBoxMax', 'mailboxMax')
    await refuses(() => start({ limits: 7 }), 'limits')
    await refuses(() => start({ environment: { now: 5 } }), 'environment.now')
    await refuses(() => start({ environment: 5 }), 'environment')
    await refuses(() => start({ log: {} }), 'log')
  })

  test('in definitions', async () => {
    const Rows = projection('rows', () => ({ n: 0 }))
    await refuses(() => aggregate('x', () => 0, misspelt('snapshotsEvery')), 'snapshotsEvery', 'snapshotEvery')
    await refuses(() => aggregate('x', () => 0, misspelt('limits')), 'limits')
    await refuses(() => Rows.onFailure(misspelt('retry')), 'retry', 'retries')
    await refuses(
      () =>
        projection('code')
          .handle([Added], () => {})
          .onFailure(misspelt('giveup')),
      'giveup',
      'giveUp',
    )
    await refuses(() => reaction('r').onFailure(misspelt('backoff')), 'backoff')
    await refuses(
      () => domain({ aggregates: {}, ...(misspelt('projection', {}) as object) }),
      'projection',
      'projections',
    )
    await refuses(() => domain({ aggregates: { vault: Vault }, reactions: 5 } as never), 'reactions')
  })

  test('of stores', async () => {
    await refuses(() => sqlite('x.db', misspelt('synchronous', 'off')), 'synchronous')
    await refuses(() => sqlite('x.db', misspelt('lockWait')), 'lockWait', 'lockWaitMs')
    await refuses(() => file('x', misspelt('segmentBytes')), 'segmentBytes', 'segmentBytesMax')
    await refuses(() => postgres('postgres://x', misspelt('poolsize')), 'poolsize', 'poolSize')
    await refuses(() => migrationSql(misspelt('scheme')), 'scheme', 'schema')
    await refuses(() => mongodb('mongodb://x', misspelt('db')), 'db')
    await refuses(() => nats('nats://x', misspelt('replica', 3)), 'replica', 'replicas')
  })

  test('of tools for tests and for stores', async () => {
    await refuses(() => manualEnvironment(misspelt('seeds')), 'seeds', 'seed')
    await refuses(() => spec(Vault).when.add({ amount: 1 }, misspelt('tag', [])), 'tag', 'tags')
    await refuses(
      () => storeConformance('x', async () => ({ factory: memory() }), misspelt('transaction')),
      'transaction',
      'transactions',
    )
    const store = await memory().open({ now: () => 0, warn: () => {} })
    await refuses(() => fold(store, { aggregate: 'a', id: 'b' }, 0, () => 0, misspelt('from')), 'from')
    await refuses(() => foldAll(store, 0, () => 0, misspelt('type')), 'type', 'types')
  })
})

test('a domain with a part that is not a definition names the part', () => {
  const broken = { code: 'DEFINITION_INVALID' }
  assert.throws(() => domain({ aggregates: { vault: undefined } } as never), {
    ...broken,
    message: /its aggregate vault is undefined \(do two modules import each other\?\)/,
  })
  assert.throws(() => domain({ aggregates: {}, projections: { a: Vault } } as never), broken)
  assert.throws(() => domain({ aggregates: {}, reactions: { a: projection('x', () => 0) } } as never), broken)
})

describe('A reaction', () => {
  const Asked = event('Asked', z.object({}))
  const Desk = aggregate('desk', () => 0)
    .on(Asked)
    .command('ask', z.object({}), () => Asked())
    .command('answer', z.object({}), () => undefined)
  const answer = { aggregate: 'desk', id: 'b', name: 'answer' } as const

  for (const [what, act] of [
    [
      'sends a command with an unknown part',
      ({ dispatch }) => dispatch({ ...answer, ...(misspelt('commandID', 'x') as object) }),
    ],
    [
      'schedules a command with an unknown part',
      ({ schedule }) => schedule({ ...answer, ...(misspelt('tag', []) as object) }, { afterMs: 0 }),
    ],
    [
      'schedules a command with an unknown option of the time',
      ({ schedule }) => schedule(answer, { afterMs: 0, ...(misspelt('after') as object) }),
    ],
  ] as const satisfies readonly [string, (tools: ReactionToolsOf<typeof Desk>) => unknown][]) {
    test(`that ${what} fails at once`, async () => {
      const React = reaction('react', { desk: Desk })
        .onFailure({ retries: 0 })
        .on(Asked, async (_, tools) => {
          await act(tools)
        })
      const running = await domain({ aggregates: { desk: Desk }, reactions: { react: React } }).start({
        projections: 'manual',
        log: recorder(),
      })
      await running.desk('a').ask()
      await assert.rejects(running.reactions.runOnce('react'), (error) => {
        assert.ok(hasCode(error, 'PROJECTION_FAILED'))
        assert.match(
          String((error.cause as Error).message),
          /no part "(commandID|tag)"|There is no option after|option after must be/,
        )
        return true
      })
      await running.stop()
    })
  }
})

type ReactionToolsOf<A> = ReactionTools<{ desk: A }>

test('a reader whose signal is already aborted does not wait', async () => {
  await using vaults = await startVaults()
  const signal = AbortSignal.abort(new Error('gone'))
  await assert.rejects(vaults.totals.get('a', { atLeast: 5, signal, timeoutMs: 60_000 }), { message: 'gone' })
})

test('a refused call stores nothing', async () => {
  const store = memory()
  await using vaults = await startVaults({ store })
  await codesOf([vaults.vault('a').add({ amount: 1 }, misspelt('commandID'))])
  assert.equal((await logOf(store)).length, 0)
})
