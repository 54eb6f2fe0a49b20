/** The tables of projections as code are read by the domain, with the same statements on every store with SQL. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { domain, projection, type StartOptions, sql } from '../../src/index.ts'
import { codesOf, recorder } from '../support/kernel/rig.ts'
import { ada, Shop } from '../support/personal/shop.ts'
import { Pot, Put } from '../support/read-side/pots.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

/** A table with all amounts; the handler and the reader are the same on every store. */
const amounts = sql.identifier(`amounts_${crypto.randomUUID().replaceAll('-', '_')}`)
const Amounts = projection('amounts')
  .handle([Put], async (events, { transaction }) => {
    for (const { position, stream, data } of events) {
      await transaction.query(sql`INSERT INTO ${amounts} VALUES (${position}, ${stream.id}, ${data.amount})`)
    }
  })
  .prepare(({ transaction }) =>
    transaction.query(
      sql`CREATE TABLE IF NOT EXISTS ${amounts} (position INTEGER PRIMARY KEY, pot TEXT, amount INTEGER)`,
    ),
  )
/** For stores without SQL. */
const Elsewhere = projection('amounts').handle([Put], async () => {})

const start = (options: StartOptions) =>
  domain({ aggregates: { pot: Pot }, projections: { amounts: Amounts } }).start({ log: recorder(), ...options })

/** Empties the table: on a server it outlives a test. */
const Emptied = projection('emptied')
  .handle([Put], async () => {})
  .prepare(async ({ transaction }) => {
    await transaction.query(sql`DROP TABLE IF EXISTS ${amounts}`)
  })

await onEveryStore({ title: 'The tables of a projection', quickOn: ['memory', 'sqlite', 'postgres'] }, (store) => {
  if (!store.transactions) {
    test('cannot be read with SQL, and the error says what to use', async (t) => {
      const Pots = domain({ aggregates: { pot: Pot }, projections: { amounts: Elsewhere } })
      await using pots = await Pots.start({ store: await store.place(t), log: recorder() })
      await assert.rejects(
        pots.amounts.read(sql`SELECT 1 AS one`),
        ({ code, message }: any) => code === 'SQL_MISSING' && /sqlite, postgres/.test(message) && /find/.test(message),
      )
      const { position } = await pots.pot('a').put({ amount: 1 })
      await pots.amounts.reached({ atLeast: position })
    })
    return
  }

  const place = async (t: Parameters<typeof store.place>[0]) => {
    const factory = await store.place(t)
    const Pots = domain({ aggregates: { pot: Pot }, projections: { emptied: Emptied } })
    await using pots = await Pots.start({ store: factory, projections: 'manual', log: recorder() })
    await pots.projections.runOnce('emptied')
    return factory
  }

  test('are read with your own writes in them, by a statement or by several on one moment', async (t) => {
    await using pots = await start({ store: await place(t) })
    for (let amount = 1; amount <= 20; amount++) {
      const { position } = await pots.pot('a').put({ amount })
      const found = sql<{ amount: number }>`SELECT amount FROM ${amounts} WHERE pot = ${'a'} AND position = ${position}`
      assert.deepEqual(await pots.amounts.read(found, { atLeast: position }), [{ amount }])
    }
    const head = await pots.head()
    const { rows, total } = await pots.amounts.read(
      async ({ query }) => {
        const page = await query<{ amount: number }>(
          sql`SELECT amount FROM ${amounts} WHERE amount > ${5} ORDER BY amount LIMIT ${2}`,
        )
        const [sum] = await query<{ total: number }>(sql`SELECT sum(amount) AS total FROM ${amounts}`)
        return { rows: page, total: sum!.total }
      },
      { atLeast: head },
    )
    assert.deepEqual([rows, Number(total)], [[{ amount: 6 }, { amount: 7 }], 210])
  })

  test('are read where other events have personal fields', async (t) => {
    const Pots = domain({
      aggregates: { pot: Pot, ...Shop.aggregates },
      projections: { amounts: Amounts },
    })
    await using pots = await Pots.start({ store: await place(t), log: recorder() })
    await pots.customer('1').register(ada('1'))
    const { position } = await pots.pot('a').put({ amount: 3 })
    const rows = await pots.amounts.read(sql`SELECT amount FROM ${amounts}`, { atLeast: position })
    assert.deepEqual(rows, [{ amount: 3 }])
  })

  test('wait for a position no longer than they are told', async (t) => {
    await using pots = await start({ store: await place(t), projections: 'manual' })
    const { position } = await pots.pot('a').put({ amount: 1 })
    const one = sql`SELECT 1 AS one`
    await assert.rejects(pots.amounts.read(one, { atLeast: position, timeoutMs: 20 }), { code: 'PROJECTION_BEHIND' })
    assert.deepEqual(await pots.amounts.read(one), [{ one: 1 }])
    const never = () => new Promise<never>(() => {})
    await assert.rejects(pots.amounts.read(never, { readTimeoutMs: 30 }), { code: 'READ_TOO_LONG' })
    const signal = AbortSignal.abort(new RangeError('enough'))
    await assert.rejects(pots.amounts.read(one, { signal }), RangeError)
  })

  test('cannot be changed by a read', async (t) => {
    await using pots = await start({ store: await place(t) })
    const { position } = await pots.pot('a').put({ amount: 1 })
    const all = sql`SELECT amount FROM ${amounts}`
    assert.deepEqual(await pots.amounts.read(all, { atLeast: position }), [{ amount: 1 }])
    await assert.rejects(pots.amounts.read(sql`DELETE FROM ${amounts}`), { code: 'SQL_FAILED' })
    assert.deepEqual(await pots.amounts.read(all), [{ amount: 1 }])
  })

  test('are read by a process that does not lead', async (t) => {
    const factory = await place(t)
    await using leading = await start({ store: factory })
    await using other = await start({ store: factory })
    const { position } = await other.pot('a').put({ amount: 3 })
    const all = sql`SELECT amount FROM ${amounts}`
    assert.deepEqual(await other.amounts.read(all, { atLeast: position }), [{ amount: 3 }])
    assert.deepEqual(await leading.amounts.read(all, { atLeast: position }), [{ amount: 3 }])
  })

  test('end with the domain', async (t) => {
    const pots = await start({ store: await place(t) })
    await pots.amounts.read(sql`SELECT 1 AS one`)
    await pots.stop()
    assert.deepEqual(await codesOf([pots.amounts.read(sql`SELECT 1 AS one`)]), ['STORE_CLOSED'])
  })

  test('are not read by what is no statement', async (t) => {
    await using pots = await start({ store: await place(t) })
    const read = pots.amounts.read as (...args: unknown[]) => Promise<unknown>
    for (const wrong of [undefined, 'SELECT 1', { parts: ['SELECT 1'], values: [] }]) {
      await assert.rejects(read(wrong), { code: 'OPTION_INVALID' })
    }
    for (const options of [{ readTimeoutMs: 0 }, { readTimeoutMs: Number.NaN }, { atLeats: 1 }, { timeoutMs: -1 }]) {
      await assert.rejects(read(sql`SELECT 1 AS one`, options), { code: 'OPTION_INVALID' })
    }
  })
})
