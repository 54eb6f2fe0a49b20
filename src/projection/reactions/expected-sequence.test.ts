/** Commands of a reaction that expect a sequence: of the aggregate whose event it handles, or of another one. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { recorder } from '../../../test/support/kernel/rig.ts'
import { aggregate, domain, event, hasCode, memory, reaction } from '../../index.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'

const noData = z.object({})
const Placed = event('Placed', noData)
const Changed = event('Changed', noData)
const Reminded = event('Reminded', noData)
const Order = aggregate('order', () => ({}))
  .on(Placed)
  .on(Changed)
  .on(Reminded)
  .command('place', noData, () => Placed())
  .command('change', noData, () => Changed())
  .command('remind', noData, () => Reminded())

test('a scheduled command that expects a sequence is not sent again if its aggregate has changed', async () => {
  const Reminding = reaction('reminding', { order: Order }).on(Placed, ({ stream, sequence }, { schedule }) => {
    const command = { aggregate: 'order', id: stream.id, name: 'remind', data: {} } as const
    schedule({ ...command, expectedSequence: sequence }, { afterMs: 1000 })
  })
  const [log, environment] = [recorder(), manualEnvironment()]
  const shop = domain({ aggregates: { order: Order }, reactions: { reminding: Reminding } })
  await using orders = await shop.start({ store: memory(), projections: 'manual', log, environment })
  await orders.order('kept').place()
  await orders.order('changed').place()
  await orders.reactions.runOnce('reminding')
  await orders.order('changed').change()
  await environment.advance(1000)
  await orders.reactions.runOnce('reminding')
  const typesOf = async (id: string) => (await Array.fromAsync(orders.order(id).history())).map(({ type }) => type)
  assert.deepEqual(await typesOf('kept'), ['Placed', 'Reminded'])
  assert.deepEqual(await typesOf('changed'), ['Placed', 'Changed'])
  assert.deepEqual(log.codes(), ['REACTION_COMMAND_REFUSED'])
  assert.equal((await orders.reactions.status('reminding')).state, 'stopped')
})

test('dispatch throws it, and again when the event is handled again', async () => {
  const seen: (number | string)[] = []
  const Stamping = reaction('stamping', { order: Order }).on(Placed, async ({ stream, sequence }, { dispatch }) => {
    const command = { aggregate: 'order', id: stream.id, name: 'remind', data: {} } as const
    for (const expectedSequence of [sequence, sequence, sequence + 1]) {
      const answer = dispatch({ ...command, expectedSequence })
      seen.push(
        await answer.then(
          (outcome) => (outcome.accepted ? outcome.sequence : 'rejected'),
          (error: unknown) => (hasCode(error, 'SEQUENCE_UNEXPECTED') ? 'unexpected' : String(error)),
        ),
      )
    }
    if (seen.length <= 3) throw new RangeError('the handler runs again')
  })
  const Stamped = Stamping.onFailure({ retries: 1, pauseFirstMs: 1, pauseMaxMs: 1 })
  const shop = domain({ aggregates: { order: Order }, reactions: { stamping: Stamped } })
  await using orders = await shop.start({ store: memory(), projections: 'manual', log: recorder() })
  await orders.order('a').place()
  await orders.reactions.runOnce('stamping')
  assert.deepEqual(seen, [2, 'unexpected', 3, 2, 'unexpected', 3])
  assert.equal((await orders.order('a').read()).sequence, 3)
})
