/**
 * Reading tables of users: portable statements and their values, one moment, nothing written, and what ends a read.
 */
import assert from 'node:assert/strict'
import { sql } from '../../domain/sql-statement.ts'
import type { SqlReading, SqlValue, Store } from '../../store/store.ts'
import { type ConformanceCase, type ConformanceGroup, rejectsWith, upTo } from './kit.ts'
import { done, withTable } from './transaction-tables.ts'

const readOn = (store: Store): NonNullable<Store['readSql']> => {
  assert.ok(store.readSql, 'the store has readSql')
  return store.readSql.bind(store)
}

const timeoutMs = 600_000

type Tables = Parameters<Parameters<typeof withTable>[0]>[0]

/** What a case gets besides the tables: reads, and how to fill the table. */
interface Reads extends Tables {
  readonly read: <Result>(work: (reading: SqlReading) => Promise<Result>) => Promise<Result>
  /** Writes rows with ids from 1 on. */
  readonly fill: (...notes: readonly (string | null)[]) => Promise<void>
}

const withRows = (run: (reads: Reads) => Promise<void>): ConformanceCase =>
  withTable(async (tables) => {
    const { store, table, transact } = tables
    const fill: Reads['fill'] = (...notes) =>
      transact(0, async ({ query }) => {
        for (const [i, note] of notes.entries()) {
          await query(sql`INSERT INTO ${sql.identifier(table)} VALUES (${i + 1}, ${note})`)
        }
        return done
      })
    const read: Reads['read'] = (work) => readOn(store)(work, { timeoutMs })
    await run(Object.assign(Object.create(tables), { read, fill }) as Reads)
  })

/** Texts that would do harm if they became a part of a statement. */
const hostile = [
  `'; DROP TABLE x; --`,
  `" OR 1=1 --`,
  `\\'; DELETE FROM x; --`,
  `$1 ? ?1 :a @a %s`,
  `/* */ UNION SELECT 1, 2 --`,
  `';\nCOMMIT; --`,
  '日本 😀',
]

export const tableReads: ConformanceGroup = {
  title: 'Reading tables of users',
  needs: 'transactions',
  cases: {
    'finds what a transaction has written, as soon as it has ended': withRows(async ({ table, read, fill }) => {
      await fill('a', null)
      const rows = await read(({ query }) => query(sql`SELECT id, note FROM ${sql.identifier(table)} ORDER BY id`))
      assert.deepEqual(rows, [
        { id: 1, note: 'a' },
        { id: 2, note: null },
      ])
    }),
    'takes values that look like SQL as values': withRows(async ({ table, read, fill }) => {
      await fill(...hostile, 'last')
      const name = sql.identifier(table)
      await read(async ({ query }) => {
        for (const [i, text] of hostile.entries()) {
          const rows = await query(sql`SELECT id, note FROM ${name} WHERE note = ${text} AND id > ${0}`)
          assert.deepEqual(rows, [{ id: i + 1, note: text }])
        }
        const all = await query(sql`SELECT id FROM ${name} WHERE note IN ${sql.list([...hostile, 'none'])}`)
        assert.equal(all.length, hostile.length)
        const [count] = await query<{ n: number }>(sql`SELECT count(*) AS n FROM ${name}`)
        assert.equal(count!.n, hostile.length + 1)
      })
    }),
    'takes names that look like SQL as names': withRows(async ({ table, read, transact }) => {
      const odd = sql.identifier(`${table.slice(0, 20)}"; DROP TABLE x; --`)
      await transact(0, async ({ query }) => {
        await query(sql`CREATE TABLE ${odd} (${sql.identifier('a "b" ?')} INTEGER)`)
        await query(sql`INSERT INTO ${odd} VALUES (${7})`)
        return done
      })
      const rows = await read(({ query }) => query(sql`SELECT * FROM ${odd}`))
      assert.deepEqual(rows, [{ 'a "b" ?': 7 }])
      await transact(1, async ({ query }) => {
        await query(sql`DROP TABLE ${odd}`)
        return done
      })
    }),
    'refuses a value in quotes, which would be a text': withRows(async ({ table, read, fill }) => {
      await fill('a')
      const quoted = sql`SELECT id FROM ${sql.identifier(table)} WHERE note = '${'a'}'`
      await rejectsWith(
        read(({ query }) => query(quoted)),
        'SQL_FAILED',
      )
    }),
    'puts statements together': withRows(async ({ table, read, fill }) => {
      await fill('a', 'b', 'a', 'c')
      const wanted = sql`note = ${'a'} OR note = ${'c'}`
      const page = sql`SELECT id FROM ${sql.identifier(table)} WHERE (${wanted}) AND id > ${1} ORDER BY id LIMIT ${5}`
      assert.deepEqual(await read(({ query }) => query(page)), [{ id: 3 }, { id: 4 }])
    }),
    'gives values back as they were': withRows(async ({ name, read, transact }) => {
      const types = sql.identifier(name('types').replaceAll('-', '_'))
      // Each database takes these names for its types.
      const columns = 'small INTEGER, big BIGINT, real DOUBLE PRECISION, said TEXT'
      const values: readonly SqlValue[] = [-5, 2n ** 62n, 0.25, 'é\n"']
      await transact(0, async ({ query }) => {
        await query(`CREATE TABLE ${types.parts[0]} (${columns})`)
        await query(sql`INSERT INTO ${types} VALUES ${sql.list(values)}`)
        await query(sql`INSERT INTO ${types} VALUES ${sql.list([null, null, null, null])}`)
        return done
      })
      const rows = await read(({ query }) => query(sql`SELECT * FROM ${types} ORDER BY small IS NULL`))
      assert.deepEqual(rows, [
        { small: -5, big: 2n ** 62n, real: 0.25, said: 'é\n"' },
        { small: null, big: null, real: null, said: null },
      ])
      const [found] = await read(({ query }) => query(sql`SELECT small FROM ${types} WHERE big = ${2n ** 62n}`))
      assert.deepEqual(found, { small: -5 })
      await transact(1, async ({ query }) => {
        await query(sql`DROP TABLE ${types}`)
        return done
      })
    }),
    'sees one moment in all its statements': withRows(async ({ store, table, read, fill, transact }) => {
      await fill('a')
      const count = sql<{ n: number }>`SELECT count(*) AS n FROM ${sql.identifier(table)}`
      await read(async ({ query }) => {
        assert.deepEqual(await query(count), [{ n: 1 }])
        await transact(1, async (transaction) => {
          await transaction.query(sql`INSERT INTO ${sql.identifier(table)} VALUES (${2}, ${'b'})`)
          return done
        })
        assert.deepEqual(await query(count), [{ n: 1 }])
        assert.deepEqual(await readOn(store)((other) => other.query(count), { timeoutMs }), [{ n: 2 }])
      })
      assert.deepEqual(await read(({ query }) => query(count)), [{ n: 2 }])
    }),
    'refuses statements that write, and changes nothing': withRows(async ({ table, read, fill, notes }) => {
      await fill('a')
      const name = sql.identifier(table)
      for (const statement of [
        sql`INSERT INTO ${name} VALUES (2, 'b')`,
        sql`UPDATE ${name} SET note = 'b'`,
        sql`DELETE FROM ${name}`,
        sql`DROP TABLE ${name}`,
        sql`CREATE TABLE more (id INTEGER)`,
        sql`WITH x AS (SELECT 1) INSERT INTO ${name} SELECT 2, 'b' FROM x`,
        sql`SELECT 1; DELETE FROM ${name}`,
        sql`COMMIT`,
        sql``,
      ]) {
        await rejectsWith(
          read(({ query }) => query(statement)),
          'SQL_FAILED',
        )
      }
      assert.deepEqual(await notes(), ['1 a'])
    }),
    'fails with what the database says, and goes on with the next read': withRows(async ({ read }) => {
      await assert.rejects(
        read(({ query }) => query(sql`SELECT nonsense FROM nowhere WHERE a = ${'secret'}`)),
        ({ code, message }: any) => code === 'SQL_FAILED' && /nowhere/.test(message) && !/secret/.test(message),
      )
      await assert.rejects(
        read(async () => {
          throw new RangeError('mine')
        }),
        RangeError,
      )
      assert.deepEqual(await read(({ query }) => query(sql`SELECT 1 AS one`)), [{ one: 1 }])
    }),
    'refuses queries after its end': withRows(async ({ read }) => {
      const kept = await read(async (reading) => reading)
      await rejectsWith(kept.query(sql`SELECT 1 AS one`), 'SQL_FAILED')
    }),
    'refuses a result that is too large, and goes on': withRows(async ({ read }) => {
      const many = (count: number) =>
        sql`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) SELECT i FROM n`
      await rejectsWith(
        read(({ query }) => query(many(200_000))),
        'RESULT_TOO_LARGE',
      )
      const rows = await read(({ query }) => query(many(30_000)))
      assert.deepEqual(rows.length, 30_000)
      assert.deepEqual(rows.at(-1), { i: 30_000 })
    }),
    'ends when its time is up or its signal is aborted': withRows(async ({ store, read }) => {
      const never = () => new Promise<never>(() => {})
      await rejectsWith(readOn(store)(never, { timeoutMs: 50 }), 'READ_TOO_LONG')
      const controller = new AbortController()
      const waiting = readOn(store)(never, { timeoutMs, signal: controller.signal })
      controller.abort(new RangeError('enough'))
      await assert.rejects(waiting, RangeError)
      await assert.rejects(readOn(store)(never, { timeoutMs, signal: controller.signal }), RangeError)
      assert.deepEqual(await read(({ query }) => query(sql`SELECT 1 AS one`)), [{ one: 1 }])
    }),
    'gives many reads their turns': withRows(async ({ table, read, fill }) => {
      await fill('a', 'b')
      const one = (id: number) => sql`SELECT note FROM ${sql.identifier(table)} WHERE id = ${id}`
      const answers = await Promise.all(upTo(60).map((n) => read(({ query }) => query(one(1 + (n % 2))))))
      assert.deepEqual(
        answers,
        upTo(60).map((n) => [{ note: n % 2 === 0 ? 'a' : 'b' }]),
      )
    }),
  },
}
