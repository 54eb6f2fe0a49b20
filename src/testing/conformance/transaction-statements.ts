/** Statements in a transaction: their results, their order, and what happens if one fails. */
import assert from 'node:assert/strict'
import { sql } from '../../domain/sql-statement.ts'
import type { SqlTransaction } from '../../store/store.ts'
import { at } from '../checkpoint-at.ts'
import { type ConformanceGroup, rejectsWith, upTo } from './kit.ts'
import { done, insert, read, withTable } from './transaction-tables.ts'

export const transactionStatements: ConformanceGroup = {
  title: 'Statements of a transaction',
  needs: 'transactions',
  cases: {
    'read what they have written': withTable(async ({ table, transact }) => {
      await transact(0, async (sql) => {
        assert.deepEqual(await sql.query(insert(table, 1, 'a')), [])
        assert.deepEqual(await read(sql, table), ['1 a'])
        await sql.query(`UPDATE ${table} SET note = 'b'`)
        assert.deepEqual(await read(sql, table), ['1 b'])
        await sql.query(`DELETE FROM ${table}`)
        assert.deepEqual(await read(sql, table), [])
        return done
      })
    }),
    'give rows as objects, by the names of the columns': withTable(async ({ table, transact }) => {
      await transact(0, async (sql) => {
        await sql.query(insert(table, 1, 'a'))
        await sql.query(`INSERT INTO ${table} VALUES (2, NULL)`)
        const rows = await sql.query(`SELECT id, note AS told FROM ${table} ORDER BY id`)
        assert.deepEqual(
          rows.map((row) => Object.entries(row)),
          [
            [
              ['id', 1],
              ['told', 'a'],
            ],
            [
              ['id', 2],
              ['told', null],
            ],
          ],
        )
        return done
      })
    }),
    'are done in the order in which they were asked for, awaited or not': withTable(
      async ({ table, transact, notes }) => {
        await transact(0, async (sql) => {
          const asked = upTo(20).map((id) => sql.query(insert(table, id, `n${id}`)))
          asked.push(sql.query(`UPDATE ${table} SET note = 'last' WHERE id = 20`))
          await Promise.all(asked)
          return done
        })
        assert.deepEqual(
          await notes(),
          upTo(20).map((id) => `${id} ${id === 20 ? 'last' : `n${id}`}`),
        )
      },
    ),
    'that nobody has awaited are done before the end': withTable(async ({ table, transact, notes }) => {
      await transact(0, async (sql) => {
        for (const id of upTo(5)) sql.query(insert(table, id, 'a'))
        return done
      })
      assert.equal((await notes()).length, 5)
    }),
    'are refused after the end': withTable(async ({ table, transact, notes }) => {
      const kept: SqlTransaction[] = []
      await transact(0, async (transaction) => {
        kept.push(transaction)
        return done
      })
      await assert.rejects(
        transact(1, async (transaction) => {
          kept.push(transaction)
          throw new RangeError('mine')
        }),
        RangeError,
      )
      assert.equal(kept.length, 2)
      for (const sql of kept) await rejectsWith(sql.query(insert(table, 1, 'late')), 'SQL_FAILED')
      assert.deepEqual(await notes(), [])
    }),
    'that fail reject, and nothing is saved if the work does not catch that': withTable(
      async ({ store, of, table, transact, notes }) => {
        const statements = ['SELECT nonsense FROM nowhere', 'This is no SQL', insert(table, 1, 'again')]
        for (const statement of statements) {
          const refused = transact(0, async (sql) => {
            await sql.query(insert(table, 1, 'a'))
            await sql.query(statement)
            return { to: at(1), rows: [{ key: 'k', value: 1 }] }
          })
          await rejectsWith(refused, 'SQL_FAILED')
        }
        assert.deepEqual(await notes(), [])
        assert.equal((await store.loadCheckpoint(of)).position, 0)
        assert.deepEqual(await store.loadRows(of, ['k']), [undefined])
      },
    ),
    'that fail without being awaited prevent saving': withTable(async ({ store, of, table, transact, notes }) => {
      const refused = transact(0, async (sql) => {
        sql.query(insert(table, 1, 'a'))
        sql.query('SELECT nonsense FROM nowhere')
        return done
      })
      await rejectsWith(refused, 'SQL_FAILED')
      assert.deepEqual(await notes(), [])
      assert.equal((await store.loadCheckpoint(of)).position, 0)
    }),
    // Some databases continue after a failed statement, and some give up the whole transaction.
    'that fail and are caught by the work leave all other changes, or nothing': withTable(
      async ({ store, of, table, transact, notes }) => {
        const outcome = await transact(0, async (sql) => {
          await sql.query(insert(table, 1, 'a'))
          await sql.query(insert(table, 1, 'again')).catch(() => {})
          await sql.query(insert(table, 2, 'b')).catch(() => {})
          return { to: at(9), rows: [{ key: 'k', value: 1 }] }
        }).then(
          () => 'saved',
          () => 'refused',
        )
        const saved = outcome === 'saved'
        assert.deepEqual(await notes(), saved ? ['1 a', '2 b'] : [])
        assert.equal((await store.loadCheckpoint(of)).position, saved ? 9 : 0)
        assert.deepEqual(await store.loadRows(of, ['k']), [saved ? 1 : undefined])
      },
    ),
    'with a value in quotes, which would be a text, are refused': withTable(async ({ table, transact, notes }) => {
      for (const statement of [
        sql`SELECT '${1}' AS one`,
        sql`INSERT INTO ${sql.identifier(table)} VALUES (1, '${'a'}')`,
      ]) {
        await rejectsWith(
          transact(0, async ({ query }) => {
            await query(statement)
            return done
          }),
          'SQL_FAILED',
        )
      }
      assert.deepEqual(await notes(), [])
    }),
    'that follow a failed one do not affect the next transaction': withTable(async ({ table, transact, notes }) => {
      const bad = transact(0, async (sql) => {
        await sql.query('SELECT nonsense FROM nowhere')
        return done
      })
      const good = bad
        .catch(() => {})
        .then(() =>
          transact(0, async (sql) => {
            await sql.query(insert(table, 1, 'a'))
            return done
          }),
        )
      await rejectsWith(bad, 'SQL_FAILED')
      await good
      assert.deepEqual(await notes(), ['1 a'])
    }),
  },
}
