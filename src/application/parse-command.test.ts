/** A command from outside: either it is complete and can be dispatched, or the error says what is wrong. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { aggregate } from '../domain/aggregate.ts'
import { event } from '../domain/event.ts'
import { memory } from '../store/memory/index.ts'
import { domain } from './domain.ts'

const Noted = event('Noted', z.object({ text: z.string(), at: z.coerce.date().optional() }))
const Pad = aggregate('pad', () => ({ texts: [] as readonly string[] }))
  .on(Noted, ({ texts }, { text }) => ({ texts: [...texts, text] }))
  .command('note', z.object({ text: z.string().max(20), at: z.coerce.date().optional() }), (_, input) => Noted(input))
  .command('nothing', z.object({}), () => undefined)

const Pads = domain({ aggregates: { pads: Pad } })
const start = () => Pads.start({ store: memory(), limits: { commandSizeMax: 1000 } })
const note = { aggregate: 'pad', id: 'a', name: 'note', data: { text: 'x' } }

describe('a command from outside', () => {
  test('can be dispatched, with what the program adds', async () => {
    await using pads = await start()
    const json: unknown = JSON.parse(JSON.stringify({ ...note, commandId: 'c1', expectedSequence: 0 }))
    const command = pads.parseCommand(json)
    const { events } = await pads.dispatch({ ...command, metadata: { user: 'ada' } })
    assert.deepEqual(
      events.map(({ commitId, metadata }) => [commitId, metadata]),
      [['c1', { user: 'ada' }]],
    )
    const { sequence } = await pads.dispatch(pads.parseCommand({ aggregate: 'pad', id: 'a', name: 'nothing' }))
    assert.equal(sequence, 1)
  })

  test('has the data that was sent, as a copy', async () => {
    await using pads = await start()
    const sent = { ...note, data: { text: 'x', at: '2026-01-02T03:04:05.000Z', more: [1] } }
    const command = pads.parseCommand(sent)
    assert.deepEqual(command, sent)
    sent.data.text = 'changed'
    assert.equal(command.name === 'note' && command.data.text, 'x')
  })

  const wrong: Readonly<Record<string, readonly [untrusted: unknown, code: string, message: RegExp]>> = {
    'nothing at all': [undefined, 'COMMAND_MALFORMED', /undefined/],
    'a text': ['{}', 'COMMAND_MALFORMED', /string/],
    'a list': [[note], 'COMMAND_MALFORMED', /no part "0"/],
    'no id': [{ ...note, id: undefined }, 'COMMAND_MALFORMED', /its id is not a string/],
    'an empty id': [{ ...note, id: '' }, 'ID_INVALID', /id/],
    'a misspelt part': [{ ...note, comandId: 'x' }, 'COMMAND_MALFORMED', /did you mean commandId/],
    'an unknown aggregate': [{ ...note, aggregate: 'pads' }, 'AGGREGATE_UNKNOWN', /pads/],
    'an aggregate that every record has': [{ ...note, aggregate: '__proto__' }, 'AGGREGATE_UNKNOWN', /__proto__/],
    'an unknown command': [{ ...note, name: 'note2' }, 'COMMAND_UNKNOWN', /note2/],
    'a command that every record has': [{ ...note, name: 'constructor' }, 'COMMAND_UNKNOWN', /constructor/],
    'data that the schema refuses': [{ ...note, data: { text: 7 } }, 'COMMAND_INVALID', /text/],
    'no data where some is needed': [{ ...note, data: undefined }, 'COMMAND_INVALID', /text/],
    'too much data': [{ ...note, data: { text: 'x'.repeat(2000) } }, 'COMMAND_TOO_LARGE', /1,?000/],
    'an id of the library as its own': [{ ...note, commandId: '~mine' }, 'ID_INVALID', /command id/],
    'a sequence that is a text': [{ ...note, expectedSequence: '1' }, 'COMMAND_MALFORMED', /expectedSequence/],
    metadata: [{ ...note, metadata: { user: 'admin' } }, 'COMMAND_MALFORMED', /metadata cannot come from outside/],
    tags: [{ ...note, tags: ['paid'] }, 'COMMAND_MALFORMED', /tags cannot come from outside/],
  }
  for (const [what, [untrusted, code, message]] of Object.entries(wrong)) {
    test(`with ${what} is refused with ${code}`, async () => {
      await using pads = await start()
      assert.throws(() => pads.parseCommand(untrusted), { code, message })
      assert.equal(await pads.head(), 0)
    })
  }
})
