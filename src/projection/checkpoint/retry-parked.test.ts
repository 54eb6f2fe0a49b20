/** A retry of parked events that is interrupted: what was handled is saved, and the rest stays parked. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recorder } from '../../../test/support/kernel/rig.ts'
import { Pot, Put } from '../../../test/support/read-side/pots.ts'
import { domain, memory, projection, reaction } from '../../index.ts'

const aggregates = { pot: Pot }
const amounts = [1, 2, 3, 4, 5]
const policy = { retries: 0, giveUp: 'park' } as const

/** Parks five events, and then retries them with handlers that work. Handling the third interrupts that. */
function sick() {
  const [controller, handled] = [new AbortController(), [] as number[]]
  let isSick = true
  return {
    signal: controller.signal,
    handled,
    heal: () => {
      isSick = false
    },
    handle(amount: number): void {
      if (isSick) throw new RangeError('sick')
      if (amount === 3) controller.abort(new Error('interrupted'))
      handled.push(amount)
    },
  }
}

async function fill(bank: { pot(id: string): { put(data: { amount: number }): Promise<unknown> } }): Promise<void> {
  for (const amount of amounts) await bank.pot(`p${amount}`).put({ amount })
}

describe('A retry of parked events that is interrupted', () => {
  test('of a reaction ends after the event in progress, whose handler is told', async () => {
    const { signal, handled, heal, handle } = sick()
    let isTold = false
    const Sending = reaction('sending', aggregates)
      .on(Put, async ({ data }, context) => {
        handle(data.amount)
        if (data.amount === 3 && handled.length === 3) {
          isTold = context.signal.aborted
          throw context.signal.reason
        }
      })
      .onFailure(policy)
    const Bank = domain({ aggregates, reactions: { sending: Sending } })
    await using bank = await Bank.start({ store: memory(), projections: 'manual', log: recorder() })
    await fill(bank)
    await bank.reactions.runOnce('sending')
    heal()
    assert.deepEqual(await bank.reactions.retryParked('sending', { signal }), { handled: 2, parked: 3 })
    assert.ok(isTold)
    assert.deepEqual(await bank.reactions.retryParked('sending', { signal }), { handled: 0, parked: 3 })
    assert.deepEqual(await bank.reactions.retryParked('sending'), { handled: 3, parked: 0 })
    assert.deepEqual(handled, [1, 2, 3, 3, 4, 5])
  })

  test('of a projection as code ends after the event in progress', async () => {
    const { signal, handled, heal, handle } = sick()
    const Code = projection('code')
      .handle([Put], async (events) => {
        for (const { data } of events) handle(data.amount)
      })
      .onFailure(policy)
    const Bank = domain({ aggregates, projections: { code: Code } })
    await using bank = await Bank.start({ store: memory(), projections: 'manual', log: recorder() })
    await fill(bank)
    await bank.projections.runOnce('code')
    heal()
    const { parked } = await bank.projections.retryParked('code', { signal })
    assert.ok(parked === 2 || parked === 3, `${parked} are parked`)
    assert.deepEqual(await bank.projections.retryParked('code'), { handled: parked, parked: 0 })
    assert.deepEqual([...new Set(handled)], amounts)
  })

  test('of a projection with rows leaves events parked or folds them once', async () => {
    const { signal, heal, handle } = sick()
    const Rows = projection('rows', () => ({ sum: 0 }))
      .on(Put, ({ sum }, { amount }) => {
        handle(amount)
        return { sum: sum + amount }
      })
      .by(() => 'all')
      .onFailure(policy)
    const Bank = domain({ aggregates, projections: { rows: Rows } })
    await using bank = await Bank.start({ store: memory(), projections: 'manual', log: recorder() })
    await fill(bank)
    await bank.projections.runOnce('rows')
    heal()
    const { handled, parked } = await bank.projections.retryParked('rows', { signal })
    assert.equal(handled + parked, 5)
    assert.deepEqual(await bank.projections.retryParked('rows'), { handled: parked, parked: 0 })
    assert.deepEqual(await bank.rows.get('all'), { sum: 15 })
  })

  test('refuses what is no signal', async () => {
    const Sending = reaction('sending', aggregates).on(Put, () => {})
    const Bank = domain({ aggregates, reactions: { sending: Sending } })
    await using bank = await Bank.start({ store: memory(), projections: 'manual', log: recorder() })
    const refused = { code: 'OPTION_INVALID' }
    await assert.rejects(bank.reactions.retryParked('sending', { signal: 1 as never }), refused)
    await assert.rejects(bank.reactions.retryParked('sending', { limit: 1 } as never), refused)
  })
})
