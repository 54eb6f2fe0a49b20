/**
 * The bank over HTTP: deposits, 64 at a time, to 1,000 accounts. The floor is what one would write without a library: a
 * route of bare Hono that locks the account's row, inserts an event and updates the row, in one transaction of `pg`.
 * Both are called as functions of requests, so no socket and no client is measured.
 */
import { Hono } from 'hono'
import pg from 'pg'
import { Bank } from '../../examples/bank/bank.ts'
import { http } from '../../src/http/index.ts'
import { type Figure, median, spreadOf } from '../figure.ts'
import { makePlace, type Setting } from '../setting.ts'

const clients = 64
const accounts = 1_000
/** As many connections as the PostgreSQL store's pool may have by default. */
const connections = 10

type Handle = (request: Request) => Response | Promise<Response>

export async function measureServing(setting: Setting): Promise<readonly Figure[]> {
  const { store, rounds } = setting
  const place = makePlace(setting)
  const bank = await Bank.start({ store: place.factory, projections: 'manual' })
  for (let i = 0; i < accounts; i++) await bank.account(`a${i}`).open({ owner: `a${i}` })
  const ours = http(bank)
  const bare = await bareBank(setting, place.path)
  const [rates, floors]: [number[], number[]] = [[], []]
  const [latencies, bareLatencies]: [number[], number[]] = [[], []]
  for (let round = 0; round <= rounds; round++) {
    const rate = await load(ours, setting.roundMs, round === 0 ? [] : latencies)
    const floor = await load(bare.handle, setting.roundMs, round === 0 ? [] : bareLatencies)
    if (round === 0) continue
    rates.push(rate)
    floors.push(floor)
  }
  const memoryPeakBytes = process.memoryUsage.rss()
  await bank.stop()
  await bare.close()
  await place.remove()
  const ratio = median(rates.map((rate, i) => rate / floors[i]!))
  const bareP99 = spreadOf(bareLatencies)!.p99
  const latencyMs = spreadOf(latencies)!
  const shared = { store, memoryPeakBytes }
  const floor = { value: median(floors), what: 'bare Hono with pg', ratio }
  const what = `HTTP: deposits, ${clients} at a time`
  return [
    { ...shared, id: 'W18', what, unit: 'commands/s', value: median(rates), floor, latencyMs },
    {
      ...shared,
      id: 'W18-p99',
      what: `${what}: 99 of 100 are answered within`,
      unit: 'ms',
      value: latencyMs.p99,
      floor: { value: bareP99, what: 'bare Hono with pg', ratio: latencyMs.p99 / bareP99 },
    },
  ]
}

/** Sends deposits for some time. @returns how many were answered in a second */
async function load(handle: Handle, roundMs: number, latencies: number[]): Promise<number> {
  const startedAt = performance.now()
  let answered = 0
  const send = async (client: number) => {
    for (let i = client; performance.now() - startedAt < roundMs; i += clients) {
      const sentAt = performance.now()
      const url = `http://bank.example/aggregates/account/a${i % accounts}/deposit`
      const headers = { 'Content-Type': 'application/json' }
      const response = await handle(new Request(url, { method: 'POST', headers, body: '{"amount":1}' }))
      if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`)
      await response.json()
      latencies.push(performance.now() - sentAt)
      answered++
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, client) => send(client)))
  return (answered * 1000) / (performance.now() - startedAt)
}

/** The same routes without Mneme. */
async function bareBank({ url }: Setting, path: string): Promise<{ handle: Handle; close: () => Promise<void> }> {
  const pool = new pg.Pool({ connectionString: url, max: connections })
  const schema = pg.escapeIdentifier(`${path}-bare`)
  await pool.query(`CREATE SCHEMA ${schema};
    CREATE TABLE ${schema}.accounts (id text PRIMARY KEY, balance bigint NOT NULL, sequence bigint NOT NULL);
    CREATE TABLE ${schema}.events (account text, sequence bigint, data jsonb, at timestamptz DEFAULT now(),
      PRIMARY KEY (account, sequence));
    INSERT INTO ${schema}.accounts SELECT 'a' || i, 0, 0 FROM generate_series(0, ${accounts - 1}) AS i`)
  const app = new Hono()
  app.post('/aggregates/account/:id/deposit', async (context) => {
    const { amount } = await context.req.json<{ amount: number }>()
    const id = context.req.param('id')
    const client = await pool.connect()
    try {
      await client.query('BEGIN')
      const locked = `SELECT balance, sequence FROM ${schema}.accounts WHERE id = $1 FOR UPDATE`
      const { rows } = await client.query({ name: 'locked', text: locked, values: [id] })
      const [balance, sequence] = [Number(rows[0].balance) + amount, Number(rows[0].sequence) + 1]
      const event = `INSERT INTO ${schema}.events (account, sequence, data) VALUES ($1, $2, $3)`
      await client.query({ name: 'event', text: event, values: [id, sequence, { amount }] })
      const update = `UPDATE ${schema}.accounts SET balance = $2, sequence = $3 WHERE id = $1`
      await client.query({ name: 'update', text: update, values: [id, balance, sequence] })
      await client.query('COMMIT')
      return context.json({ balance, sequence })
    } catch (error) {
      await client.query('ROLLBACK')
      throw error
    } finally {
      client.release()
    }
  })
  const close = async () => {
    await pool.query(`DROP SCHEMA ${schema} CASCADE`)
    await pool.end()
  }
  return { handle: (request) => app.fetch(request), close }
}
