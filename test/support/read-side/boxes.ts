/**
 * A reaction for the read side's tests: each amount that is put into a pot is sent to the box of the same name, now and
 * once more later, with the sum of the pot so far, which the reaction remembers. A box keeps all that it gets in order.
 */
import assert from 'node:assert/strict'
import { z } from 'zod'
import {
  aggregate,
  type Domain,
  domain,
  event,
  type FailurePolicy,
  type Reaction,
  type Running,
  reaction,
  reject,
} from '../../../src/index.ts'
import type { StoredEvent } from '../../../src/store/store.ts'
import type { ManualEnvironment } from '../../../src/testing/index.ts'
import { inTime } from './every-call.ts'
import { foldOf, Pot, Put, type Sick } from './pots.ts'

const delivery = z.object({ amount: z.int(), sum: z.int() })
const Received = event('Received', delivery)

export const Box = aggregate('box', () => ({ amounts: [] as readonly number[], sums: [] as readonly number[] }))
  .on(Received, ({ amounts, sums }, { amount, sum }) => ({ amounts: [...amounts, amount], sums: [...sums, sum] }))
  .command('receive', delivery, (_, data) => Received(data))
  .command('refuse', z.object({}), ({ amounts }) => reject('Refused', { amounts: amounts.length }))

const aggregates = { pot: Pot, box: Box }

/** What is added to an amount that is sent later. */
export const later = 100_000
/** How much later. */
export const laterMs = 5_000

interface Sum {
  readonly sum: number
}

type Delivering = Reaction<'delivery', typeof aggregates, Sum>

interface DeliveryOptions {
  readonly sick?: Sick
  readonly policy?: FailurePolicy
}

function deliveryWith({ sick = new Set(), policy = {} }: DeliveryOptions = {}): Delivering {
  return reaction('delivery', aggregates)
    .state((): Sum => ({ sum: 0 }))
    .on(Put, async ({ stream: { id }, data: { amount } }, { dispatch, schedule, state, setState }) => {
      const sum = state.sum + amount
      setState({ sum })
      await dispatch({ aggregate: 'box', id, name: 'refuse' })
      await dispatch({ aggregate: 'box', id, name: 'receive', data: { amount, sum } })
      const again = { amount: amount + later, sum }
      schedule({ aggregate: 'box', id: `${id} later`, name: 'receive', data: again }, { afterMs: laterMs })
      if (sick.has(amount)) throw new RangeError(`sick of ${amount}`)
    })
    .onFailure({ pauseFirstMs: 100, pauseMaxMs: 1000, ...policy })
}

export type DeliveryDomain = Domain<typeof aggregates, {}, { delivery: Delivering }>
export type RunningDelivery = Running<typeof aggregates, {}, { delivery: Delivering }>

export const deliveryDomain = (options: DeliveryOptions = {}): DeliveryDomain =>
  domain({ aggregates, reactions: { delivery: deliveryWith(options) } })

/**
 * Holds the boxes of the pots `a` and `b` against the log: each amount once and in order, with the sum of that time.
 */
export async function checkBoxes(running: RunningDelivery): Promise<void> {
  const log = await Array.fromAsync(running.pot('a').history(), (event) => event as unknown as StoredEvent)
  const amounts = foldOf(log)['a']!
  const sums = amounts.map((_, i) => amounts.slice(0, i + 1).reduce((sum, amount) => sum + amount))
  for (const id of ['a', 'b']) {
    assert.deepEqual(await running.box(id).state(), { amounts, sums })
    const { amounts: afterwards } = await running.box(`${id} later`).state()
    assert.deepEqual(
      [...afterwards].sort((x, y) => x - y),
      amounts.map((amount) => amount + later),
    )
  }
}

/** Lets the reaction handle all there is, and all that it schedules. */
export async function deliverAll(running: RunningDelivery, environment: ManualEnvironment): Promise<void> {
  for (let i = 0; i < 3; i++) {
    // Where a dead process has the lease, a run waits until it is over.
    await inTime(environment, running.reactions.runOnce('delivery'))
    await environment.advance(2 * laterMs)
  }
  await inTime(environment, running.reactions.runOnce('delivery'))
}
