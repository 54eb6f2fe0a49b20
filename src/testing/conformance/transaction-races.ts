/** Transactions at the same time as others, and as appends: one wins a checkpoint, and no other waits for ever. */
import assert from 'node:assert/strict'
import { at } from '../checkpoint-at.ts'
import { type ConformanceGroup, grow, positions, readAfter, rejectsWith, upTo } from './kit.ts'
import { create, done, insert, tableName, transactOn, withTable } from './transaction-tables.ts'

export const transactionRaces: ConformanceGroup = {
  title: 'Transactions at the same time as others',
  needs: 'transactions',
  cases: {
    'conflict before the work is called, and name the stored checkpoint': withTable(async ({ store, of, transact }) => {
      await store.saveStep(of, { from: at(0), to: at(5), rows: [] })
      for (const from of [0, 4, 6]) {
        let called = false
        const refused = transact(from, async () => {
          called = true
          return { to: at(from + 1), rows: [] }
        })
        await rejectsWith(refused, 'CHECKPOINT_CONFLICT')
        await assert.rejects(refused, (error: { facts?: unknown }) => {
          assert.deepEqual(error.facts, {
            projection: of,
            expected: { position: from, term: 0 },
            actual: { position: 5, term: 0 },
          })
          return true
        })
        assert.equal(called, false)
      }
      assert.equal((await store.loadCheckpoint(of)).position, 5)
    }),
    'of an earlier term conflict before the work is called': withTable(async ({ store, of }) => {
      await store.saveStep(of, { from: at(0), to: at(5, 2), rows: [] })
      let called = false
      const refused = transactOn(store)(of, at(5, 1), async () => {
        called = true
        return { to: at(6, 1), rows: [] }
      })
      await rejectsWith(refused, 'CHECKPOINT_CONFLICT')
      assert.equal(called, false)
      await transactOn(store)(of, at(5, 2), async () => ({ to: at(5, 2, { kept: 'so' }), rows: [] }))
      assert.deepEqual(await store.loadCheckpoint(of), at(5, 2, { kept: 'so' }))
    }),
    'of one projection at the same time have exactly one winner': withTable(
      async ({ store, of, table, transact, notes }) => {
        const settled = await Promise.allSettled(
          upTo(6).map((id) =>
            transact(0, async (sql) => {
              await sql.query(insert(table, id, 'a'))
              await sql.query(`UPDATE ${table} SET note = 'mine' WHERE id = ${id}`)
              return { to: at(id), rows: [{ key: 'winner', value: id }] }
            }),
          ),
        )
        const winners = settled.flatMap(({ status }, i) => (status === 'fulfilled' ? [i + 1] : []))
        assert.equal(winners.length, 1)
        for (const result of settled) {
          if (result.status === 'rejected') await rejectsWith(Promise.reject(result.reason), 'CHECKPOINT_CONFLICT')
        }
        assert.deepEqual(await notes(), [`${winners[0]} mine`])
        assert.equal((await store.loadCheckpoint(of)).position, winners[0])
        assert.deepEqual(await store.loadRows(of, ['winner']), winners)
      },
    ),
    'and plain steps of one projection have exactly one winner': withTable(
      async ({ store, of, table, transact, notes }) => {
        const settled = await Promise.allSettled([
          store.saveStep(of, { from: at(0), to: at(1), rows: [{ key: 'k', value: 1 }] }),
          transact(0, async (sql) => {
            await sql.query(insert(table, 2, 'a'))
            return { to: at(2), rows: [{ key: 'k', value: 2 }] }
          }),
          store.saveStep(of, { from: at(0), to: at(3), rows: [{ key: 'k', value: 3 }] }),
        ])
        const winners = settled.flatMap(({ status }, i) => (status === 'fulfilled' ? [i + 1] : []))
        assert.equal(winners.length, 1)
        assert.equal((await store.loadCheckpoint(of)).position, winners[0])
        assert.deepEqual(await store.loadRows(of, ['k']), winners)
        assert.deepEqual(await notes(), winners[0] === 2 ? ['2 a'] : [])
      },
    ),
    'of several projections at the same time are all saved': withTable(async ({ store, name, table, notes }) => {
      const names = upTo(5).map(() => name())
      await Promise.all(
        names.map((of, i) =>
          transactOn(store)(of, at(0), async (sql) => {
            await sql.query(insert(table, i, 'a'))
            return done
          }),
        ),
      )
      assert.equal((await notes()).length, 5)
      for (const of of names) assert.equal((await store.loadCheckpoint(of)).position, 1)
    }),
    'one after the other count every step once': withTable(async ({ store, of, table, transact, notes }) => {
      await transact(0, async (sql) => {
        await sql.query(insert(table, 0, '1'))
        return done
      })
      for (const from of upTo(20)) {
        await transact(from, async (sql) => {
          await sql.query(`UPDATE ${table} SET id = id + 1`)
          return { to: at(from + 1), rows: [] }
        })
      }
      assert.deepEqual(await notes(), ['20 1'])
      assert.equal((await store.loadCheckpoint(of)).position, 21)
    }),
    'block no append for ever, and no reader sees a gap meanwhile': withTable(
      async ({ store, stream, of, table, transact, notes }) => {
        const base = await store.head()
        const appended: Promise<unknown>[] = upTo(5).map(() => grow(store, stream(), 2))
        const transacted = transact(0, async (sql) => {
          for (const id of upTo(10)) {
            appended.push(grow(store, stream(), 2))
            await sql.query(insert(table, id, 'a'))
            const read = await readAfter(store, base)
            assert.deepEqual(positions(read), upTo(base + read.length, base + 1))
          }
          return done
        })
        appended.push(...upTo(5).map(() => grow(store, stream(), 2)))
        await transacted
        await Promise.all(appended)
        assert.deepEqual(positions(await readAfter(store, base)), upTo(base + 40, base + 1))
        assert.equal((await notes()).length, 10)
        assert.equal((await store.loadCheckpoint(of)).position, 1)
      },
    ),
    'are deleted by a reset as other steps are, except for their tables': withTable(
      async ({ store, of, table, transact, notes }) => {
        await transact(0, async (sql) => {
          await sql.query(insert(table, 1, 'a'))
          return { to: at(5), rows: [{ key: 'k', value: 1 }] }
        })
        await store.resetProjection(of)
        assert.deepEqual(await store.loadRows(of, ['k']), [undefined])
        await transact(0, async () => done)
        assert.equal((await store.loadCheckpoint(of)).position, 1)
        assert.deepEqual(await notes(), ['1 a'])
      },
    ),
    'are waited for when the store is closed, and refused from then on': async ({ place, name }) => {
      await using own = await place()
      const store = await own.open()
      const table = tableName(name)
      const begun = Promise.withResolvers<void>()
      const transacted = transactOn(store)('p', at(0), async (sql) => {
        begun.resolve()
        await sql.query(create(table))
        await sql.query(insert(table, 1, 'a'))
        return done
      })
      await begun.promise
      await Promise.all([store.close(), transacted])
      await rejectsWith(
        transactOn(store)('p', at(1), async () => ({ to: at(2), rows: [] })),
        'STORE_CLOSED',
      )
    },
  },
}
