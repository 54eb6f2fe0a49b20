/** Looking at a log through the domain: reading, states, changes, causes and forks, on every store. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { TransferBank } from '../../../examples/transfer/bank.ts'
import { memory, type StoreFactory } from '../../../src/index.ts'
import { onEveryStore } from '../../../test/support/stores/every-store.ts'
import {
  changesBetween,
  fork,
  openInspection,
  pathText,
  readEvents,
  readEventsPage,
  shown,
  stateAt,
  stateSteps,
  traceCauses,
} from './index.ts'

const ada = { aggregate: 'account', id: 'ada' }

/** A bank in which ada has given 30 of her 100 to bob, by a transfer that a reaction moved on. */
async function fill(store: StoreFactory): Promise<void> {
  const bank = await TransferBank.start({ store, projections: 'manual', log: { warn: () => {} } })
  for (const id of ['ada', 'bob']) await bank.account(id).open({ owner: id })
  await bank.account('ada').deposit({ amount: 100 })
  await bank.transfer('t1').request({ from: 'ada', to: 'bob', amount: 30 }, { commandId: 'the request' })
  for (let handled = -1, position = 0; handled !== position; ) {
    handled = position
    position = (await bank.reactions.runOnce('moveMoney')).position
  }
  await bank.stop()
}

await onEveryStore('An inspection', (store) => {
  test('shows events, states, causes and what a command would do, and changes nothing', async (t) => {
    const factory = await store.place(t)
    // A store in memory is gone when it is closed, so there the domain uses the one that is inspected.
    const kept = await factory.open({ warn: () => {}, now: Date.now })
    t.after(() => kept.close())
    const borrowed = { name: kept.name, open: async () => unclosed(kept) }
    await fill(borrowed)
    await using inspection = await openInspection({ store: borrowed, domain: TransferBank })
    const head = await kept.head()

    // Events, both ways, filtered, page by page.
    const types = ['MoneyDeposited']
    const read = await Array.fromAsync(readEvents(inspection.store, { types, direction: 'backward' }))
    assert.deepEqual(
      read.map(({ stream, data }) => [stream.id, data]),
      [
        ['bob', { amount: 30 }],
        ['ada', { amount: 100 }],
      ],
    )
    const pages = []
    for (let next: { from: number; to: number } | undefined = { from: 1, to: Infinity }; next !== undefined; ) {
      const page = await readEventsPage(inspection.store, next, 3)
      assert.ok(page.events.length <= 3)
      pages.push(...page.events.map(({ position }) => position))
      next = page.next
    }
    assert.deepEqual(
      pages,
      Array.from({ length: head }, (_, i) => i + 1),
    )

    // States.
    assert.deepEqual((await stateAt(inspection, ada)).state, { status: 'open', balance: 70 })
    const before = await stateAt(inspection, ada, { sequence: 2 })
    assert.deepEqual([before.state, before.sequence], [{ status: 'open', balance: 100 }, 2])
    const steps = await Array.fromAsync(stateSteps(inspection, ada, { from: 2 }))
    assert.deepEqual(
      steps.map(({ event, changes }) => [event.type, changes]),
      [
        ['MoneyDeposited', [{ path: ['balance'], before: 0, after: 100 }]],
        ['MoneyWithdrawn', [{ path: ['balance'], before: 100, after: 70 }]],
      ],
    )

    // Causes: the whole tree, from any command in it.
    const tree = (await traceCauses(inspection.store, 'the request'))!
    assert.deepEqual([tree.correlationId, tree.roots.length, tree.commands, tree.isCut], ['the request', 1, 5, false])
    const effects = tree.roots[0]!.effects.flatMap((effect) => effect.events.map(({ type }) => type))
    assert.deepEqual(effects, ['MoneyWithdrawn', 'TransferDebited'])
    const leaf = tree.roots[0]!.effects[1]!.effects[0]!.commandId
    assert.deepEqual(await traceCauses(inspection.store, leaf), tree)
    assert.equal(await traceCauses(inspection.store, 'nobody'), undefined)
    assert.deepEqual(await traceCauses(inspection.store, 'the request', { stream: tree.roots[0]!.stream }), tree)
    const last = tree.roots[0]!.events[0]!.position
    const part = (await traceCauses(inspection.store, 'the request', { to: last + 1 }))!
    assert.deepEqual([part.commands, part.roots[0]!.effects], [1, []])
    assert.equal(await traceCauses(inspection.store, 'the request', { to: last }), undefined)

    // A fork decides as the real world would.
    const withdraw = { ...ada, name: 'withdraw', data: { amount: 80 } }
    await using now = await fork(inspection, ada)
    const rejected = await now.dispatch(withdraw)
    assert.equal(rejected.accepted, false)
    await using then = await fork(inspection, ada, 2)
    const accepted = await then.dispatch(withdraw)
    assert.ok(accepted.accepted)
    assert.deepEqual([accepted.state, accepted.sequence], [{ status: 'open', balance: 20 }, 3])
    assert.equal(await kept.head(), head)
  })
})

/** An open store that others may open and close as they like. */
function unclosed(store: Awaited<ReturnType<StoreFactory['open']>>) {
  return new Proxy(store, {
    get(target, name) {
      if (name === 'close') return async () => {}
      const found: unknown = Reflect.get(target, name)
      return typeof found === 'function' ? found.bind(target) : found
    },
  })
}

describe('Changes between two values', () => {
  test('are the places that differ, in lists and records', () => {
    const before = { a: 1, b: [1, { c: 'x' }, 3], gone: null }
    const after = { a: 1, b: [1, { c: 'y' }], new: [] }
    const { changes } = changesBetween(before, after)
    assert.deepEqual(
      changes.map(({ path, ...sides }) => [pathText(path), sides]),
      [
        ['b[1].c', { before: 'x', after: 'y' }],
        ['b[2]', { before: 3 }],
        ['new', { after: [] }],
        ['gone', { before: null }],
      ],
    )
    assert.deepEqual(changesBetween(before, structuredClone(before)), { changes: [], more: 0 })
    assert.equal(pathText([]), '.')
    assert.equal(pathText(['a b', 'c']), '["a b"].c')
  })

  test('are counted if there are too many', () => {
    const list = (value: number) => Array.from({ length: 10 }, () => value)
    const { changes, more } = changesBetween(list(1), list(2), 4)
    assert.deepEqual([changes.length, more], [4, 6])
  })
})

test('values that JSON lacks are shown', () => {
  const cyclic: Record<string, unknown> = {}
  cyclic['self'] = cyclic
  const map = new Map<unknown, unknown>([[1, new Set(['a'])]])
  assert.deepEqual(shown({ at: new Date(0), big: 7n, none: undefined, nan: NaN, map, text: new Map([['k', 1]]) }), {
    at: '1970-01-01T00:00:00.000Z',
    big: '7n',
    nan: 'NaN',
    map: [[1, ['a']]],
    text: { k: 1 },
  })
  assert.match(JSON.stringify(shown(cyclic)), /"\.\.\."/)
})

test('without a domain, states are refused with advice, and events are shown as they are', async () => {
  await using inspection = await openInspection({ store: memory() })
  assert.deepEqual((await readEventsPage(inspection.store, {})).events, [])
  await assert.rejects(stateAt(inspection, ada), { code: 'DOMAIN_NEEDED', message: /--domain/ })
  await using known = await openInspection({ store: memory(), domain: TransferBank })
  assert.throws(() => known.stream('acount', 'ada'), { code: 'AGGREGATE_UNKNOWN', message: /It has account, transfer/ })
})
