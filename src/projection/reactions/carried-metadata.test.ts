/** What of an event's metadata passes to the commands that a reaction sends and schedules because of it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recorder } from '../../../test/support/kernel/rig.ts'
import { Pot, Put } from '../../../test/support/read-side/pots.ts'
import { domain, reaction } from '../../index.ts'

const Copy = reaction('copy', { pot: Pot }).on(Put, async ({ stream: { id }, data }, { dispatch, schedule }) => {
  if (id !== 'a') return
  const command = { aggregate: 'pot', name: 'put', data } as const
  await dispatch({ ...command, id: 'sent' })
  await dispatch({ ...command, id: 'own', metadata: { tenant: 'other' } })
  schedule({ ...command, id: 'scheduled' }, { afterMs: 0 })
})

const given = {
  ...{ tenant: 't-1', user: { name: 'Ada' }, secret: 's', correlationId: 'order 7' },
  ...{ traceparent: '00-1-2-01', tracestate: 'x=1' },
}
const always = { correlationId: 'order 7', causationId: 'c1', traceparent: '00-1-2-01', tracestate: 'x=1' }

async function metadataOf(carry: readonly string[] | undefined, ids: readonly string[]): Promise<readonly unknown[]> {
  const definition = domain({
    aggregates: { pot: Pot },
    reactions: { copy: Copy },
    ...(carry !== undefined && { carry }),
  })
  await using pots = await definition.start({ projections: 'manual', log: recorder() })
  await pots.pot('a').put({ amount: 1 }, { commandId: 'c1', metadata: given })
  for (let i = 0; i < 3; i++) await pots.reactions.runOnce('copy')
  return await Promise.all(ids.map(async (id) => (await Array.fromAsync(pots.pot(id).history()))[0]?.metadata))
}

test('A correlation id and a trace pass to commands; other metadata does not', async () => {
  assert.deepEqual(await metadataOf(undefined, ['sent', 'scheduled']), [always, always])
})

test('What the domain carries passes too, if the event has it, and the handler has the last word', async () => {
  const carried = { ...always, tenant: 't-1', user: { name: 'Ada' } }
  const carry = ['tenant', 'user', 'nothing', 'constructor']
  const expected = [carried, carried, { ...carried, tenant: 'other' }]
  assert.deepEqual(await metadataOf(carry, ['sent', 'scheduled', 'own']), expected)
})

test('Only names can be carried, each once, and none that would change nothing', () => {
  const useless = [['causationId'], ['correlationId'], ['user', 'traceparent'], ['tracestate'], ['user', 'user']]
  for (const carry of ['tenant', [''], [7], null, {}, ...useless]) {
    assert.throws(() => domain({ aggregates: { pot: Pot }, carry: carry as never }), { code: 'OPTION_INVALID' })
  }
})
