/** Steps with statements in the store's SQL: tables, rows and checkpoint change together or not at all. */
import assert from 'node:assert/strict'
import type { SqlTransaction } from '../../store/store.ts'
import { at } from '../checkpoint-at.ts'
import type { ConformanceGroup } from './kit.ts'
import { create, done, insert, read, tableName, withTable } from './transaction-tables.ts'

export const transactions: ConformanceGroup = {
  title: 'Transactions',
  needs: 'transactions',
  cases: {
    'are saved with rows and checkpoint': withTable(async ({ store, of, table, transact, notes }) => {
      await transact(0, async (sql) => {
        await sql.query(insert(table, 1, 'a'))
        await sql.query(insert(table, 2, 'b'))
        return { to: at(7), rows: [{ key: 'k', value: { n: 1 } }] }
      })
      assert.deepEqual(await notes(), ['1 a', '2 b'])
      assert.deepEqual(await store.loadRows(of, ['k']), [{ n: 1 }])
      assert.equal((await store.loadCheckpoint(of)).position, 7)
    }),
    'are saved without rows, and rows without them': withTable(async ({ store, of, table, transact, notes }) => {
      await transact(0, async (sql) => {
        await sql.query(insert(table, 1, 'a'))
        return { to: at(1), rows: [] }
      })
      await transact(1, async () => ({ to: at(2), rows: [{ key: 'k', value: null }] }))
      assert.deepEqual(await notes(), ['1 a'])
      assert.deepEqual(await store.loadRows(of, ['k']), [null])
      assert.equal((await store.loadCheckpoint(of)).position, 2)
    }),
    'are saved if the checkpoint stays the same': withTable(async ({ store, of, table, transact, notes }) => {
      await transact(0, async () => ({ to: at(5), rows: [] }))
      await transact(5, async (sql) => {
        await sql.query(insert(table, 1, 'a'))
        return { to: at(5), rows: [{ key: 'k', value: 1 }] }
      })
      assert.deepEqual(await notes(), ['1 a'])
      assert.deepEqual(await store.loadRows(of, ['k']), [1])
      assert.equal((await store.loadCheckpoint(of)).position, 5)
    }),
    'replace and delete rows as other steps do': withTable(async ({ store, of, transact }) => {
      const value = { n: 1 }
      await store.saveStep(of, { from: at(0), to: at(1), rows: ['a', 'b'].map((key) => ({ key, value })) })
      const changes = [
        { key: 'a', value: undefined },
        { key: 'b', value: 2 },
        { key: 'b', value: 3 },
      ]
      await transact(1, async () => ({ to: at(2), rows: changes }))
      assert.deepEqual(await store.loadRows(of, ['a', 'b']), [undefined, 3])
    }),
    'are invisible to others before the end': withTable(async ({ store, of, table, transact, notes }) => {
      await transact(0, async (sql) => {
        await sql.query(insert(table, 1, 'a'))
        assert.equal((await store.loadCheckpoint(of)).position, 0)
        assert.deepEqual(await store.loadRows(of, ['k']), [undefined])
        return { to: at(3), rows: [{ key: 'k', value: 1 }] }
      })
      assert.equal((await store.loadCheckpoint(of)).position, 3)
      assert.deepEqual(await notes(), ['1 a'])
    }),
    'leave nothing if the work throws, and reject with its error': withTable(
      async ({ store, of, table, transact, notes }) => {
        await transact(0, async () => ({ to: at(4), rows: [{ key: 'k', value: 'old' }] }))
        const mine = new RangeError('mine')
        const refused = transact(4, async (sql) => {
          await sql.query(insert(table, 1, 'a'))
          throw mine
        })
        await assert.rejects(refused, (error) => error === mine)
        assert.deepEqual(await notes(), [])
        assert.equal((await store.loadCheckpoint(of)).position, 4)
        assert.deepEqual(await store.loadRows(of, ['k']), ['old'])
      },
    ),
    'leave nothing if the work throws before it returns a promise': withTable(async ({ store, of, transact }) => {
      const refused = transact(0, () => {
        throw new RangeError('mine')
      })
      await assert.rejects(refused, RangeError)
      await transact(0, async () => done)
      assert.equal((await store.loadCheckpoint(of)).position, 1)
    }),
    'can be repeated after the work has thrown': withTable(async ({ table, transact, notes }) => {
      const work = async (sql: SqlTransaction) => {
        await sql.query(insert(table, 1, 'a'))
        return done
      }
      await assert.rejects(
        transact(0, async (transaction) => {
          await work(transaction)
          throw new RangeError('mine')
        }),
        RangeError,
      )
      await transact(0, work)
      assert.deepEqual(await notes(), ['1 a'])
    }),
    'may create tables, which are gone if the work throws': withTable(async ({ name, transact }) => {
      const table = tableName(name)
      const make = async (sql: SqlTransaction) => {
        await sql.query(create(table))
        await sql.query(insert(table, 1, 'a'))
        return done
      }
      await assert.rejects(
        transact(0, async (transaction) => {
          await make(transaction)
          throw new RangeError('mine')
        }),
        RangeError,
      )
      await transact(0, make)
      await transact(1, async (transaction) => {
        assert.deepEqual(await read(transaction, table), ['1 a'])
        return { to: at(2), rows: [] }
      })
    }),
  },
}

/** Only for stores without SQL. */
export const noTransactions: ConformanceGroup = {
  title: 'Transactions',
  cases: {
    'are not offered': async ({ store }) => {
      assert.equal(store.transact, undefined)
    },
  },
}
