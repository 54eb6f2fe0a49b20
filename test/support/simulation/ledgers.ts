/**
 * Ledgers: projections as code that write tables of their own in the transaction of their checkpoint, so that each
 * event is handled exactly once. Some events fail at first, and are parked.
 */
import assert from 'node:assert/strict'
import { z } from 'zod'
import { aggregate, domain, event, projection, reject, sql } from '../../../src/index.ts'
import type { EndOfRun } from '../../../src/testing/simulation/end-of-run.ts'
import { drawFaults } from '../../../src/testing/simulation/faults.ts'
import { type SimulationReport, simulate } from '../../../src/testing/simulation/simulate.ts'
import type { Together } from './together.ts'

/** Money was paid in or out. The handler of the payments fails so often. */
const Paid = event('Paid', z.object({ amount: z.number(), fails: z.number() }))

const Account = aggregate('account', () => ({ balance: 0 }))
  .on(Paid, ({ balance }, { amount }) => ({ balance: balance + amount }))
  .command('pay', z.object({ amount: z.number(), fails: z.number() }), ({ balance }, { amount, fails }) =>
    balance + amount < 0 ? reject('TooLittle', { balance }) : Paid({ amount, fails }),
  )

/** One row for each payment. A payment that is handled twice is refused by its key, and stays parked. */
function payments(tries: Map<number, number>) {
  return projection('payments')
    .handle([Paid], async (events, { transaction }) => {
      for (const { stream, position, data } of events) {
        await transaction.query(sql`INSERT INTO payments VALUES (${position}, ${stream.id}, ${data.amount})`)
        const tried = (tries.get(position) ?? 0) + 1
        tries.set(position, tried)
        // What it has written so far must be undone.
        if (tried <= data.fails) throw new RangeError(`it fails ${data.fails} times`)
      }
    })
    .prepare(({ transaction }) =>
      transaction.query(
        'CREATE TABLE IF NOT EXISTS payments (position INTEGER PRIMARY KEY, account TEXT, amount INTEGER)',
      ),
    )
    .onFailure({ retries: 1, pauseFirstMs: 50, giveUp: 'park' })
}

/** Sums, in which a payment that is handled twice shows. */
const Sums = projection('sums')
  .handle([Paid], async (events, { transaction }) => {
    for (const { stream, data } of events) {
      const [before] = await transaction.query<{ readonly sum: number; readonly count: number }>(
        sql`SELECT sum, count FROM sums WHERE account = ${stream.id}`,
      )
      const { sum = 0, count = 0 } = before ?? {}
      await transaction.query(sql`DELETE FROM sums WHERE account = ${stream.id}`)
      await transaction.query(sql`INSERT INTO sums VALUES (${stream.id}, ${sum + data.amount}, ${count + 1})`)
    }
  })
  .prepare(({ transaction }) =>
    transaction.query('CREATE TABLE IF NOT EXISTS sums (account TEXT PRIMARY KEY, sum INTEGER, count INTEGER)'),
  )
  .onFailure({ retries: 1, pauseFirstMs: 50, giveUp: 'park' })

export function ledgers(
  seed: number,
  steps: number,
  minimise = true,
  together: Together = {},
): Promise<SimulationReport> {
  const tries = new Map<number, number>()
  const drawn = drawFaults(seed)
  // In every other run processes stand still or die while a transaction is open, and answers are lost.
  const hostile = { freeze: 0.1, crash: 0.05, slow: 0.2, loseAnswer: 0.1, actLater: 0.05, duplicate: 0.05, halt: 0.03 }
  return simulate({
    seed,
    steps,
    minimise,
    domain: domain({ aggregates: { account: Account }, projections: { payments: payments(tries), sums: Sums } }),
    profile: seed % 3 === 0 ? 'sqlite' : 'postgres',
    command: (random) => ({
      aggregate: 'account',
      id: `a${random.int(1, 3)}`,
      name: 'pay',
      data: { amount: random.int(-20, 60), fails: random.chance(0.1) ? random.int(1, 5) : 0 },
    }),
    reset: () => tries.clear(),
    faults: seed % 2 === 0 ? hostile : { ...drawn, ...(seed % 4 === 1 && { restore: 0.03 }) },
    options: { leaseMs: 1000 },
    ...together,
    invariants: {
      'every payment is in the table once': ({ events, query }: EndOfRun) => {
        const found = query<{ readonly row: string }>(
          sql`SELECT position || ' ' || account || ' ' || amount AS row FROM payments ORDER BY position`,
        )
        const expected = events.map(
          ({ position, stream, data }) => `${position} ${stream.id} ${(data as { readonly amount: number }).amount}`,
        )
        assert.deepEqual(
          found.map(({ row }) => row),
          expected,
        )
      },
      'every payment is counted once': (end: EndOfRun) => {
        const found = end.query<{ readonly account: string; readonly sum: number; readonly count: number }>(
          sql`SELECT account, sum, count FROM sums ORDER BY account`,
        )
        const counts = Map.groupBy(end.events, ({ stream }) => stream.id)
        const expected = [...end.states('account')].map(([account, { balance }]) => ({
          account,
          sum: balance,
          count: counts.get(account)!.length,
        }))
        assert.deepEqual(
          found.map((row) => ({ ...row })),
          expected.toSorted((a, b) => (a.account < b.account ? -1 : 1)),
        )
      },
    },
  })
}
