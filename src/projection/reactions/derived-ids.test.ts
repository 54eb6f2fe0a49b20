/**
 * The ids of a reaction's commands: each command has its own, whatever the names are, and no handler can use another
 * command's id.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { recorder } from '../../../test/support/kernel/rig.ts'
import { aggregate, domain, event, memory, type Reaction, reaction, type StartOptions } from '../../index.ts'
import { derivedCommandId } from '../../kernel/command-id.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'

const Began = event('Began', z.object({}))
const Noted = event('Noted', z.object({ text: z.string() }))
const text = z.object({ text: z.string() })
const Pad = aggregate('pad', () => ({ texts: [] as readonly string[] }))
  .on(Began)
  .on(Noted, ({ texts }, { text }) => ({ texts: [...texts, text] }))
  .command('begin', z.object({}), () => Began({}))
  .command('note', text, (_, data) => Noted(data))
  .command('note 2', text, (_, data) => Noted(data))
  .command('note:2', text, (_, data) => Noted(data))
  .command('2:note', text, (_, data) => Noted(data))
  .command('scheduled note', text, (_, data) => Noted(data))
  .command('note:later', text, (_, data) => Noted(data))
type Pads = { pad: typeof Pad }
type Writer = Reaction<string, Pads>
const named = (name: string) => reaction(name, { pad: Pad } as Pads)
const out = { aggregate: 'pad', id: 'out' } as const

const startWith = (reactions: Record<string, Writer>, options: StartOptions = {}) =>
  domain({ aggregates: { pad: Pad }, reactions }).start({ log: recorder(), ...options, projections: 'manual' })
const textsOf = async (pads: Awaited<ReturnType<typeof startWith>>, id = 'out') => (await pads.pad(id).state()).texts

describe('A command of a reaction', () => {
  test('has another id than any command with a similar name', async () => {
    const environment = manualEnvironment()
    const Writing = named('writing').on(Began, async (_, { dispatch, schedule }) => {
      await dispatch({ ...out, name: 'note', data: { text: '1' } })
      await dispatch({ ...out, name: 'note', data: { text: '2' } })
      await dispatch({ ...out, name: 'note 2', data: { text: '3' } })
      await dispatch({ ...out, name: 'note:2', data: { text: '4' } })
      await dispatch({ ...out, name: 'scheduled note', data: { text: '5' } })
      await dispatch({ ...out, name: 'note:later', data: { text: '6' } })
      schedule({ ...out, name: 'note', data: { text: '7' } }, { afterMs: 10 })
      schedule({ ...out, name: 'note', data: { text: '8' } }, { afterMs: 20 })
    })
    await using pads = await startWith({ writing: Writing }, { environment })
    await pads.pad('in').begin()
    await pads.reactions.runOnce('writing')
    await environment.advance(100)
    await pads.reactions.runOnce('writing')
    assert.deepEqual(await textsOf(pads), ['1', '2', '3', '4', '5', '6', '7', '8'])
  })

  test('has another id than any command of another reaction, whatever the names are', async () => {
    const writing = (name: string) =>
      named(name).on(Began, async ({ stream: { id } }, { dispatch }) => {
        if (id === 'in') await dispatch({ ...out, name: name === 'a' ? '2:note' : 'note', data: { text: name } })
        else await dispatch({ ...out, name: 'note', data: { text: `${name} 2` } })
      })
    await using pads = await startWith({ a: writing('a'), b: writing('a:1'), c: writing('a%3A1') })
    await pads.pad('in').begin()
    await pads.pad('again').begin()
    for (const name of ['a', 'b', 'c']) await pads.reactions.runOnce(name as never)
    assert.deepEqual((await textsOf(pads)).toSorted(), ['a', 'a 2', 'a%3A1', 'a%3A1 2', 'a:1', 'a:1 2'])
  })

  test('has an id even if the names are as long as allowed', async () => {
    const name = 'n'.repeat(1024)
    const Long = aggregate('long', () => ({}))
      .on(Began)
      .command('begin', z.object({}), () => Began({}))
      .command(name, z.object({}), () => Began({}))
    const Sending = reaction('r'.repeat(1024), { long: Long })
      .on(Began, async ({ stream: { id } }, { dispatch }) => {
        if (id !== 'in') return
        await dispatch({ aggregate: 'long', id: 'out', name: name as 'begin' })
        await dispatch({ aggregate: 'long', id: 'out', name: name as 'begin' })
      })
      .onFailure({ retries: 0 })
    await using longs = await domain({ aggregates: { long: Long }, reactions: { sending: Sending } }).start({
      store: memory(),
      projections: 'manual',
      log: recorder(),
    })
    await longs.long('in').begin()
    await longs.reactions.runOnce('sending')
    assert.equal((await Array.fromAsync(longs.long('out').history())).length, 2)
  })

  test('cannot get the id of another command: it is refused, or it is a different command', async () => {
    const outcomes: unknown[] = []
    const Copying = named('copying')
      .on(Began, async (_, { dispatch }) => {
        await dispatch({ ...out, name: 'note', data: { text: 'first' } })
      })
      .on(Noted, async ({ stream: { id }, commitId, data }, { dispatch, schedule }) => {
        if (data.text !== 'first' && data.text !== 'typed') return
        const copy = { aggregate: 'pad', id, name: 'note 2', data: { text: 'copy' }, commandId: commitId } as const
        outcomes.push(await dispatch(copy).catch(({ code }) => code))
        try {
          schedule(copy, { afterMs: 10 })
          outcomes.push('scheduled')
        } catch (error) {
          outcomes.push((error as { code: string }).code)
        }
      })
      .onFailure({ retries: 0, giveUp: 'skip' })
    const environment = { ...manualEnvironment(), newId: () => crypto.randomUUID() }
    const log = recorder()
    await using pads = await startWith({ copying: Copying }, { environment, log })
    await pads.pad('in').begin()
    await pads.pad('out').note({ text: 'typed' })
    await pads.pad('out').note({ text: 'typed' }, { commandId: 'c' })
    await pads.reactions.runOnce('copying')
    await environment.advance(100)
    await pads.reactions.runOnce('copying')
    const reused = ['COMMAND_ID_REUSED', 'scheduled']
    assert.deepEqual(outcomes, [...reused, ...reused, 'ID_INVALID', 'ID_INVALID'])
    assert.deepEqual(await textsOf(pads), ['typed', 'typed', 'first'])
    assert.deepEqual(
      log.codes(),
      ['REACTION_SKIPPED', 'REACTION_SKIPPED'],
      'what was scheduled is refused when it is due',
    )
  })

  test('may have an id from its handler, which is checked like the id of any caller', async () => {
    const codes: unknown[] = []
    const Naming = named('naming').on(Began, async (_, { dispatch, schedule }) => {
      const note = { ...out, name: 'note', commandId: 'mine' } as const
      for (const text of ['a', 'a', 'b']) {
        codes.push(
          await dispatch({ ...note, data: { text } }).then(
            () => 'ok',
            ({ code }) => code,
          ),
        )
      }
      schedule({ ...note, data: { text: 'a' } }, { afterMs: 10 })
    })
    const environment = manualEnvironment()
    const log = recorder()
    await using pads = await startWith({ naming: Naming }, { environment, log })
    await pads.pad('in').begin()
    await pads.reactions.runOnce('naming')
    await environment.advance(100)
    await pads.reactions.runOnce('naming')
    assert.deepEqual([codes, await textsOf(pads), log.codes()], [['ok', 'ok', 'COMMAND_ID_REUSED'], ['a'], []])
  })
})

test('two causes never have the same id', () => {
  const name = fc.oneof(
    fc.string({ unit: fc.constantFrom('a', ':', '%', ' ', '1', '2', '~', '+', 'later', '#'), maxLength: 6 }),
    fc.string({ unit: 'binary', maxLength: 1200 }),
  )
  const cause = fc.record({
    reaction: name,
    position: fc.integer({ min: 1, max: 12 }),
    command: name,
    nth: fc.integer({ min: 1, max: 12 }),
    how: fc.constantFrom('sent' as const, 'scheduled' as const),
  })
  fc.assert(
    fc.property(cause, cause, (one, other) => {
      const isSame = JSON.stringify(one) === JSON.stringify(other)
      assert.equal(derivedCommandId(one) === derivedCommandId(other), isSame)
      assert.ok(new TextEncoder().encode(derivedCommandId(one)).length <= 1024)
      assert.equal(derivedCommandId({ ...one }), derivedCommandId(one))
    }),
    { numRuns: 2000 },
  )
})
