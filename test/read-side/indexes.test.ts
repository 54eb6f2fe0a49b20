/** Which rows an index reads, when it is built and maintained, and that it answers from one moment. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, memory, projection } from '../../src/index.ts'
import type { ProjectionStore, StoreFactory } from '../../src/store/store.ts'
import { recorder } from '../support/kernel/rig.ts'

const Moved = event('Moved', z.object({ from: z.string(), to: z.string(), amount: z.int() }))
const Ledger = aggregate('ledger', () => ({}))
  .on(Moved)
  .command('move', z.object({ from: z.string(), to: z.string(), amount: z.int() }), (_, move) => Moved(move))

interface Owner {
  readonly city: string
  readonly balance: number
  readonly moves: number
}

/** The balance of each owner; together they are always 0. Owners live in the city with their first letter. */
const owners = () =>
  projection('owners', (): Owner => ({ city: '', balance: 0, moves: 0 }))
    .on(Moved, (row, { to, amount }, { tags }) => ({
      city: tags[0] ?? to.slice(0, 1),
      balance: row.balance + amount,
      moves: row.moves + 1,
    }))
    .by(({ data }) => data.to)
const Unindexed = owners()
const Indexed = owners().indexed('city', ['balance', 'descending'])

/** A store that counts the rows that are read, and lets a test do something after rows were listed. */
function counted(factory: StoreFactory = memory()) {
  const seen = { rows: 0, onListed: async (): Promise<void> => {} }
  const store: StoreFactory = {
    name: factory.name,
    open: async (options) =>
      new Proxy(await factory.open(options), {
        get(target, name) {
          const value = Reflect.get(target, name)
          if (typeof value !== 'function') return value
          if (name === 'loadRows') {
            return async (...args: Parameters<ProjectionStore['loadRows']>) => {
              seen.rows += args[1].length
              return target.loadRows(...args)
            }
          }
          if (name !== 'listRows') return value.bind(target)
          return async (...args: Parameters<ProjectionStore['listRows']>) => {
            const page = await target.listRows(...args)
            seen.rows += page.rows.length
            await seen.onListed()
            return page
          }
        },
      }),
  }
  return { store, seen }
}

const start = (definition: typeof Indexed, store: StoreFactory, log = recorder()) =>
  domain({ aggregates: { ledger: Ledger }, projections: { owners: definition } }).start({
    ...{ store, projections: 'manual', log },
  })
type Books = Awaited<ReturnType<typeof start>>

/** Owners a0, b0, a1, b1 and so on, with balances 0, 1, 2 and so on. */
async function fill(books: Books, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    await books.ledger('main').move({ from: 'bank', to: `${'ab'[i % 2]}${i >> 1}`, amount: i })
  }
  await books.projections.runOnce('owners')
}

const richest = { where: { city: 'a' }, orderBy: [['balance', 'descending']], limit: 3 } as const

/** The keys that are found, and the number of rows that were read for it. */
async function asked(books: Books, seen: { rows: number }, query: object = richest) {
  seen.rows = 0
  const { rows } = await books.owners.find(query)
  return { keys: rows.map(({ key }) => key), read: seen.rows }
}

describe('An index', () => {
  test('reads the rows that are wanted, and no more than a page of others', async () => {
    const { store, seen } = counted()
    await using books = await start(Indexed, store)
    await fill(books, 0, 600)
    const { keys, read } = await asked(books, seen)
    assert.deepEqual(keys, ['a299', 'a298', 'a297'])
    assert.ok(read <= 25, `${read} rows were read`)
    const rest = await asked(books, seen, { where: { city: 'b', balance: { lt: 8 } }, orderBy: ['balance'] })
    assert.deepEqual(rest.keys, ['b0', 'b1', 'b2', 'b3'])
    assert.ok(rest.read <= 110, `${rest.read} rows were read`)
    seen.rows = 0
    assert.equal(await books.owners.count({ where: { city: 'b', balance: { gt: 590 } } }), 5)
    assert.ok(seen.rows <= 110, `${seen.rows} rows were read`)
    assert.ok((await asked(books, seen, { orderBy: ['balance'], limit: 1 })).read >= 600)
  })

  test('is not there for rows that were made without it, until the revision is raised', async () => {
    const { store, seen } = counted()
    {
      await using books = await start(Unindexed, store)
      await fill(books, 0, 100)
    }
    {
      const log = recorder()
      await using books = await start(Indexed, store, log)
      await fill(books, 100, 110)
      assert.deepEqual(log.codes(), ['PROJECTION_DIFFERS'])
      const { keys, read } = await asked(books, seen)
      assert.deepEqual(keys, ['a54', 'a53', 'a52'])
      assert.ok(read >= 55)
    }
    await using books = await start(Indexed.revision(2), store)
    await fill(books, 110, 112)
    const { keys, read } = await asked(books, seen)
    assert.deepEqual(keys, ['a55', 'a54', 'a53'])
    assert.ok(read <= 25, `${read} rows were read`)
    await using opened = await closing(store)
    assert.deepEqual((await opened.store.listRows('owners', { limit: 10 })).rows, [])
  })

  test('goes with the revision that had it', async () => {
    const { store } = counted()
    {
      await using books = await start(Indexed, store)
      await fill(books, 0, 10)
    }
    {
      await using books = await start(Unindexed.revision(2), store)
      await fill(books, 10, 12)
      assert.deepEqual(
        (await books.owners.find(richest)).rows.map(({ key }) => key),
        ['a5', 'a4', 'a3'],
      )
    }
    await using opened = await closing(store)
    assert.deepEqual((await opened.store.listRows('owners', { limit: 10 })).rows, [])
  })

  test('is maintained by a program that does not know it', async () => {
    const { store, seen } = counted()
    {
      await using books = await start(Indexed, store)
      await fill(books, 0, 50)
    }
    {
      await using books = await start(Unindexed, store)
      await fill(books, 50, 100)
    }
    await using books = await start(Indexed, store)
    const { keys, read } = await asked(books, seen)
    assert.deepEqual(keys, ['a49', 'a48', 'a47'])
    assert.ok(read <= 25, `${read} rows were read`)
  })

  test('is built with the rows that a reset makes again', async () => {
    const { store, seen } = counted()
    {
      await using books = await start(Unindexed, store)
      await fill(books, 0, 100)
    }
    await using books = await start(Indexed, store)
    await books.projections.reset('owners', { from: 1 })
    await books.projections.runOnce('owners')
    const { keys, read } = await asked(books, seen)
    assert.deepEqual(keys, ['a49', 'a48', 'a47'])
    assert.ok(read <= 25, `${read} rows were read`)
    assert.equal(await books.owners.count({ where: { city: 'a' } }), 50)
  })

  test('answers from one moment while rows change', async () => {
    const { store, seen } = counted()
    await using books = await start(Indexed, store)
    for (const to of ['a0', 'a1', 'a2']) await books.ledger('main').move({ from: 'bank', to, amount: 10 })
    await books.projections.runOnce('owners')
    let changes = 0
    seen.onListed = async () => {
      if (changes >= 5) return
      changes++
      seen.onListed = async () => {}
      // One goes down and another one up, in one step.
      await books.ledger('main').move({ from: 'bank', to: 'a0', amount: -100 })
      await books.ledger('main').move({ from: 'bank', to: 'a2', amount: 100 })
      await books.projections.runOnce('owners')
    }
    const { rows } = await books.owners.find(richest)
    assert.equal(changes, 1)
    assert.deepEqual(
      rows.map(({ key, row }) => [key, row.balance]),
      [
        ['a2', 110],
        ['a1', 10],
        ['a0', -90],
      ],
    )
  })
})

test('an index answers from one moment, also for fields that are not in it', async () => {
  const { store, seen } = counted()
  await using books = await start(Indexed, store)
  for (const to of ['a0', 'a1']) await books.ledger('main').move({ from: 'bank', to, amount: 10 })
  await books.projections.runOnce('owners')
  seen.onListed = async () => {
    seen.onListed = async () => {}
    // Another row comes, and a field that is not in the index changes.
    await books.ledger('main').move({ from: 'bank', to: 'a9', amount: 100 })
    await books.ledger('main').move({ from: 'bank', to: 'a1', amount: 0 })
    await books.projections.runOnce('owners')
  }
  const { rows } = await books.owners.find(richest)
  assert.deepEqual(
    rows.map(({ key, row }) => [key, row.moves]),
    [
      ['a9', 1],
      ['a1', 2],
      ['a0', 1],
    ],
  )
})

test('an index is refused that has no fields, too many, unknown ones, or no rows', () => {
  const invalid = { code: 'DEFINITION_INVALID' }
  assert.throws(() => Unindexed.indexed(), invalid)
  assert.throws(() => Unindexed.indexed('city', 'balance', 'city', 'balance', 'city'), invalid)
  assert.throws(() => Unindexed.single().indexed('city'), invalid)
  assert.throws(
    () => Array.from({ length: 9 }).reduce<typeof Unindexed>((all) => all.indexed('city'), Unindexed),
    invalid,
  )
  assert.throws(() => Unindexed.indexed('ctiy' as never), { code: 'OPTION_INVALID', message: /city/ })
  assert.throws(() => Unindexed.indexed(['city', 'down' as never]), { code: 'OPTION_INVALID' })
})

async function closing(factory: StoreFactory) {
  const store = await factory.open({ now: Date.now, warn: () => {} })
  return { store, [Symbol.asyncDispose]: () => store.close() }
}
