/**
 * Orders: a reaction that pays an order or lets it fail, as there is money in a purse that clients fill and empty all
 * the time, and is closed at times. Processes stand still at their calls to the store while others take over, and would
 * get another answer. In some runs there are so many of them that they reserve the purse for each other.
 */
import assert from 'node:assert/strict'
import { z } from 'zod'
import { aggregate, domain, event, reaction, reject } from '../../../src/index.ts'
import type { EndOfRun } from '../../../src/testing/simulation/end-of-run.ts'
import { type SimulationReport, simulate } from '../../../src/testing/simulation/simulate.ts'
import type { Together } from './together.ts'

const amount = z.object({ amount: z.number() })
const none = z.object({})

/** The purse can be taken from in the first half of each second only. */
const isOpen = (now: Date): boolean => now.getTime() % 1000 < 500

const Filled = event('PurseFilled', amount)
const Taken = event('PurseTaken', amount)
const Purse = aggregate('purse', () => ({ balance: 0 }))
  .on(Filled, ({ balance }, data) => ({ balance: balance + data.amount }))
  .on(Taken, ({ balance }, data) => ({ balance: balance - data.amount }))
  .command('fill', amount, ({ balance }, data) => (balance === 0 ? Filled(data) : undefined))
  .command('take', amount, ({ balance }, data, { now }) =>
    balance < data.amount ? reject('Empty') : isOpen(now) ? Taken(data) : reject('Closed'),
  )
  .command('sweep', none, ({ balance }) => (balance === 0 ? undefined : Taken({ amount: balance })))

const Placed = event('OrderPlaced', none)
const Ended = event('OrderEnded', z.object({ isPaid: z.boolean() }))
const Order = aggregate('order', () => ({ ends: [] as readonly boolean[] }))
  .on(Placed)
  .on(Ended, ({ ends }, { isPaid }) => ({ ends: [...ends, isPaid] }))
  .command('place', none, () => Placed({}))
  .command('end', z.object({ isPaid: z.boolean() }), (_, data) => Ended(data))

const price = 10
const aggregates = { purse: Purse, order: Order }

/** Some orders take what there is, others their price, and every third one nothing, from a purse of its own. */
const Paying = reaction('paying', aggregates).on(Placed, async ({ stream: { id }, position }, { dispatch }) => {
  const isOwn = position % 3 === 0
  const to = { aggregate: 'purse', id: isOwn ? id : 'p' } as const
  const taken = await (position % 3 === 1
    ? dispatch({ ...to, name: 'sweep', data: {} })
    : dispatch({ ...to, name: 'take', data: { amount: isOwn ? 0 : price } }))
  await dispatch({ aggregate: 'order', id, name: 'end', data: { isPaid: taken.accepted && taken.events.length > 0 } })
})

const Orders = domain({ aggregates, reactions: { paying: Paying } })

/** Many processes take turns at the purse, and much of what they have sent arrives when others have had theirs. */
const crowd = { processes: 8, faults: { actLater: 0.4, slow: 0.05, loseHint: 0.2, crash: 0.03 } }

export function orders(
  seed: number,
  steps: number,
  minimise = true,
  together: Together = {},
): Promise<SimulationReport> {
  let order = 0
  const few = { standStill: [0.005, 0.02][Math.floor(seed / 3) % 2]!, slow: 0.05, loseHint: 0.2, crash: 0.01 }
  const isCrowded = Math.floor(seed / 3) % 4 === 3
  return simulate({
    seed,
    steps: isCrowded ? 3 * steps : steps,
    minimise,
    domain: Orders,
    profile: (['postgres', 'mongodb', 'nats'] as const)[seed % 3]!,
    command(random) {
      if (random.chance(0.3)) return { aggregate: 'order', id: `o${++order}`, name: 'place', data: {} }
      const to = { aggregate: 'purse', id: 'p' } as const
      return random.chance(0.5) ? { ...to, name: 'fill', data: { amount: price } } : { ...to, name: 'sweep', data: {} }
    },
    options: { snapshotEvery: 3, passivateAfterMs: 300, leaseMs: 1000 },
    ...(isCrowded ? crowd : { processes: 3, faults: few }),
    ...together,
    invariants: {
      'every order ends one way': ({ states, events }: EndOfRun) => {
        for (const [id, { ends }] of states('order')) assert.equal(ends.length, 1, id)
        const paid = [...states('order').values()].filter(({ ends }) => ends[0]).length
        const taken = events.filter(({ type, metadata }) => type === 'PurseTaken' && metadata['causationId'])
        assert.equal(taken.length, paid)
      },
    },
  })
}
