/** What a decision can see of its command, what an evolve may return, and which data may be left out. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as v from 'valibot'
import { z } from 'zod'
import { logOf, recorder } from '../../test/support/kernel/rig.ts'
import { aggregate, domain, event, hasCode, type Moment, memory } from '../index.ts'
import { spec } from '../testing/spec/spec.ts'

const Noted = event('Noted', z.object({ by: z.string() }))
const none = z.object({})

describe('A decision', () => {
  const seen: Moment[] = []
  const Notes = aggregate('notes', () => ({ notes: 0 }))
    .on(Noted, ({ notes }) => ({ notes: notes + 1 }))
    .command('note', none, (_, __, moment) => {
      seen.push(moment)
      return Noted({ by: String(moment.metadata['user']) })
    })

  test('sees the id, the metadata and the tags of its command', async () => {
    await using running = await domain({ aggregates: { notes: Notes } }).start()
    const { events } = await running
      .notes('a')
      .note({}, { commandId: 'c-1', metadata: { user: 'ada' }, tags: ['web', 'web'] })
    const { commandId, metadata, tags } = seen.pop()!
    assert.deepEqual({ commandId, metadata, tags }, { commandId: 'c-1', metadata: { user: 'ada' }, tags: ['web'] })
    assert.equal(events[0]!.data.by, 'ada')
    const { events: next } = await running.notes('a').note()
    assert.equal(seen.at(-1)!.commandId, next[0]!.commitId)
    assert.deepEqual([seen.at(-1)!.metadata, seen.at(-1)!.tags], [{}, []])
  })

  test('cannot change what it sees, and cannot reach anything else', async () => {
    await using running = await domain({ aggregates: { notes: Notes } }).start()
    const commands = [running.notes('a').note({}, { tags: ['one'] }), running.notes('a').note({}, { tags: ['two'] })]
    await Promise.all(commands)
    const [first, second] = seen.slice(-2) as [Moment, Moment]
    assert.deepEqual([first.tags, second.tags], [['one'], ['two']], 'also when it looks later')
    for (const part of ['now', 'newId', 'commandId', 'metadata', 'tags'] as const) {
      assert.throws(() => Object.assign(first, { [part]: undefined }), TypeError, part)
    }
    assert.throws(() => (first.tags as string[]).push('x'), TypeError)
    assert.throws(() => Object.assign(first.metadata, { user: 'eve' }), TypeError)
    const { now } = first
    now.setTime(0)
    assert.notEqual(first.now.getTime(), 0)
    assert.deepEqual(Object.keys(first), [])
  })

  test('can have metadata, tags and an id in a spec', () => {
    spec(Notes)
      .when.note({}, { metadata: { user: 'eve' } })
      .emits(Noted({ by: 'eve' }))
    spec(Notes).when.note({}, { commandId: 'c-7', tags: ['x'] })
    assert.deepEqual([seen.at(-1)!.commandId, seen.at(-1)!.tags], ['c-7', ['x']])
  })
})

describe('An evolve', () => {
  const Forgetful = (initial: { readonly notes: number } | undefined) =>
    aggregate('forgetful', () => initial)
      .on(Noted, () => undefined)
      .command('note', none, () => Noted({ by: 'ada' }))

  test('that returns undefined although there was a state fails its command, and nothing is stored', async () => {
    const store = memory()
    await using running = await domain({ aggregates: { forgetful: Forgetful({ notes: 0 }) } }).start({ store })
    await assert.rejects(running.forgetful('a').note(), (error) => {
      assert.ok(hasCode(error, 'EVOLVE_FAILED'))
      assert.match(error.message, /\.on for Noted returned undefined, and not a state/)
      return true
    })
    assert.equal((await logOf(store)).length, 0)
    assert.deepEqual(await running.forgetful('a').state(), { notes: 0 })
  })

  test('that returns undefined is detected when events of another program are read', async () => {
    const store = memory()
    const Sound = aggregate('forgetful', () => ({ notes: 0 }))
      .on(Noted, ({ notes }) => ({ notes: notes + 1 }))
      .command('note', none, () => Noted({ by: 'ada' }))
    const before = await domain({ aggregates: { forgetful: Sound } }).start({ store })
    await before.forgetful('a').note()
    await before.stop()
    const start = { store, log: recorder() }
    await using after = await domain({ aggregates: { forgetful: Forgetful({ notes: 0 }) } }).start(start)
    await assert.rejects(after.forgetful('a').note(), { code: 'AGGREGATE_LOAD_FAILED', message: /returned undefined/ })
  })

  test('of an aggregate without a state may return none', async () => {
    await using running = await domain({ aggregates: { forgetful: Forgetful(undefined) } }).start()
    assert.equal((await running.forgetful('a').note()).sequence, 1)
  })

  test('that returns undefined fails in a spec too', () => {
    assert.throws(() => spec(Forgetful({ notes: 0 })).when.note(), { code: 'EVOLVE_FAILED' })
    assert.throws(() => spec(Forgetful({ notes: 0 })).given(Noted({ by: 'x' })), /returned undefined/)
  })
})

describe('Data that is left out', () => {
  const seen: unknown[] = []
  const see = (_: unknown, input: unknown): undefined => {
    seen.push(input)
  }
  const Open = aggregate('open', () => ({}))
    .command('empty', none, see)
    .command('optional', z.object({ a: z.number() }).optional(), see)
    .command('defaulted', z.object({ a: z.number().optional() }).default({ a: 5 }), see)
    .command('text', z.string().optional(), see)
    .command('valibot', v.optional(v.object({ a: v.number() })), see)
    .command('required', z.object({ a: z.number() }), see)

  test('is undefined if the schema accepts that, and otherwise an empty record', async () => {
    await using running = await domain({ aggregates: { open: Open } }).start()
    const open = running.open('a')
    for (const send of [open.empty, open.optional, open.defaulted, open.text, open.valibot]) await send.call(open)
    assert.deepEqual(seen.splice(0), [{}, undefined, { a: 5 }, undefined, undefined])
    for (const name of ['empty', 'optional', 'defaulted', 'text', 'valibot'] as const) {
      await running.dispatch({ aggregate: 'open', id: 'a', name })
    }
    assert.deepEqual(seen.splice(0), [{}, undefined, { a: 5 }, undefined, undefined])
    spec(Open).when.defaulted()
    spec(Open).when.optional(undefined, { tags: ['x'] })
    assert.deepEqual(seen.splice(0), [{ a: 5 }, undefined])
  })

  test('is an issue if data is required', async () => {
    await using running = await domain({ aggregates: { open: Open } }).start()
    const missing = { code: 'COMMAND_INVALID', message: /a: / }
    await assert.rejects(running.dispatch({ aggregate: 'open', id: 'a', name: 'required' } as never), missing)
    // @ts-expect-error data is required
    await assert.rejects(running.open('a').required(), missing)
  })
})

describe('Tags of a kind', () => {
  const tagged = (tags: (data: { readonly by: string }) => readonly string[]) => {
    const Tagged = Noted.tagged(tags)
    return aggregate('notes', () => 0)
      .on(Tagged)
      .command('note', none, () => Tagged({ by: 'ada' }))
  }

  test('that cannot be made fail the command, and nothing is stored', async () => {
    const store = memory()
    const throwing = tagged(() => {
      throw new RangeError('no tags')
    })
    for (const Notes of [
      throwing,
      tagged(() => undefined as never),
      tagged(() => 7 as never),
      tagged(() => 'web' as never),
    ]) {
      await using running = await domain({ aggregates: { notes: Notes } }).start({ store })
      await assert.rejects(running.notes('a').note(), { code: 'EVENT_INVALID', message: /its tags cannot be made/ })
    }
    assert.equal((await logOf(store)).length, 0)
  })

  test('are kept by a revision that is added after them', async () => {
    const Tagged = Noted.tagged(({ by }) => [`by:${by}`]).revise(
      z.object({ by: z.string(), at: z.string() }),
      ({ by }) => ({ by, at: '' }),
    )
    const Notes = aggregate('notes', () => 0)
      .on(Tagged)
      .command('note', none, () => Tagged({ by: 'ada', at: 'location' }))
    await using running = await domain({ aggregates: { notes: Notes } }).start()
    const { events } = await running.notes('a').note()
    assert.deepEqual(events[0]!.tags, ['by:ada'])
  })
})
