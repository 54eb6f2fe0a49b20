/**
 * Readers always get exactly what was acknowledged, whatever the schema of an event does with its data. Data for which
 * this is impossible is refused.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { type } from 'arktype'
import fc from 'fast-check'
import * as v from 'valibot'
import { z } from 'zod'
import { logOf, recorder } from '../../test/support/kernel/rig.ts'
import { type AnyEventKind, aggregate, commit, domain, event, memory, type Schema } from '../index.ts'

const passing: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } }

const logging = (Happened: AnyEventKind) =>
  aggregate('log', () => ({ all: [] as readonly string[] }))
    .on(Happened, ({ all }, data) => ({ all: [...all, inspect(data)] }))
    .command('tell', passing, (_, input) => Happened(input) as never)

const start = (Happened: AnyEventKind, store = memory(), options = {}) =>
  domain({ aggregates: { log: logging(Happened) } }).start({ store, log: recorder(), ...options })

/** Stores an event. Returns it as it was acknowledged, as it is read after a restart, and as it is stored. */
async function told(schema: Schema, data: unknown) {
  const store = memory()
  const Happened = event('Happened', schema)
  const before = await start(Happened, store)
  const { events, state } = await before.log('a').tell(data)
  await before.stop()
  await using after = await start(Happened, store)
  const history = await Array.fromAsync(after.log('a').history())
  for await (const read of after.events()) {
    assert.deepEqual(read.data, (events[0] as { readonly data: unknown }).data)
    break
  }
  const [stored] = await logOf(store)
  assert.deepEqual(history, events)
  assert.deepEqual(await after.log('a').state(), state)
  return { acknowledged: (events[0] as { readonly data: unknown }).data, stored: stored!.data }
}

describe('An event', () => {
  test('keeps the default that its schema made when it was stored', async () => {
    let made = 0
    const schemas: Record<string, [schema: Schema, id: RegExp]> = {
      zod: [z.object({ id: z.string().default(() => crypto.randomUUID()), n: z.number() }), /^[\da-f-]{36}$/],
      valibot: [v.object({ id: v.optional(v.string(), () => `made ${++made}`), n: v.number() }), /^made \d+$/],
      'the clock': [z.object({ id: z.string().default(() => `${performance.now()}`), n: z.number() }), /^[\d.]+$/],
    }
    for (const [what, [schema, pattern]] of Object.entries(schemas)) {
      const { acknowledged, stored } = await told(schema, { n: 1 })
      assert.match((acknowledged as { readonly id: string }).id, pattern, what)
      assert.deepEqual(stored, acknowledged, what)
    }
    const { acknowledged, stored } = await told(z.object({ at: z.coerce.date().default(() => new Date()) }), {})
    assert.deepEqual(stored, { at: (acknowledged as { readonly at: Date }).at.toISOString() })
  })

  const secret = 'hunter2'
  const stripping: Record<string, [schema: Schema, data: unknown, stored: unknown]> = {
    'zod strips': [z.object({ name: z.string() }), { name: 'Ada', password: secret }, { name: 'Ada' }],
    'valibot strips': [v.object({ name: v.string() }), { name: 'Ada', password: secret }, { name: 'Ada' }],
    'arktype deletes': [type({ '+': 'delete', name: 'string' }), { name: 'Ada', password: secret }, { name: 'Ada' }],
    'are stripped at any depth': [
      z.object({ people: z.array(z.object({ name: z.string() })) }),
      { people: [{ name: 'Ada' }, { name: 'Bea', password: secret }] },
      { people: [{ name: 'Ada' }, { name: 'Bea' }] },
    ],
    'are stripped beside data that becomes something else': [
      z.object({ cents: z.string().transform(Number), deep: z.object({ at: z.coerce.date() }) }),
      { cents: '5', password: secret, deep: { at: new Date(0), password: secret } },
      { $output: { cents: 5, deep: { at: { $date: '1970-01-01T00:00:00.000Z' } } } },
    ],
    'are stripped beside data that has no JSON': [
      z.object({ count: z.string().transform(BigInt) }),
      { count: '5', password: secret },
      { $output: { count: { $bigint: '5' } } },
    ],
    'are stripped before their record gets another name': [
      z.object({ user: z.object({ name: z.string() }) }).transform(({ user }) => ({ by: user })),
      { user: { name: 'Ada', password: secret }, password: secret },
      { $output: { by: { name: 'Ada' } } },
    ],
    'are stripped from data that becomes a map or a set': [
      z.object({
        map: z.array(z.object({ id: z.string() })).transform((all) => new Map(all.map((each) => [each.id, each]))),
        set: z.array(z.object({ id: z.string() })).transform((all) => new Set(all)),
      }),
      { map: [{ id: 'a', password: secret }], set: [{ id: 'b', password: secret }] },
      { $output: { map: { $map: [['a', { id: 'a' }]] }, set: { $set: [{ id: 'b' }] } } },
    ],
    'are stripped beside one that becomes undefined': [
      z.object({ name: z.string(), password: z.string() }).transform(({ name }) => ({ name, hidden: undefined })),
      { name: 'Ada', password: secret },
      { $output: { name: 'Ada' } },
    ],
    'are stripped from records that are left out': [
      z.object({ all: z.array(z.object({ n: z.string().transform(Number) })).transform((all) => all.slice(1)) }),
      {
        all: [
          { n: '1', password: secret },
          { n: '2', password: secret },
        ],
      },
      { $output: { all: [{ n: 2 }] } },
    ],
  }
  for (const [what, [schema, data, expected]] of Object.entries(stripping)) {
    test(`is stored without the keys that ${what}`, async () => {
      const { stored } = await told(schema, data)
      assert.deepEqual(stored, expected)
      assert.ok(!JSON.stringify(stored).includes(secret))
    })
  }

  const withDefault = z.object({ of: z.string().transform(Number), n: z.number().default(7) })
  const kept: Record<string, [schema: Schema, data: unknown, stored: unknown]> = {
    'as its schema trims it and makes it lower case': [
      z.object({ mail: z.string().trim().toLowerCase() }),
      { mail: ' Ada@X.org ' },
      { mail: 'ada@x.org' },
    ],
    'as its schema returns it, although each run makes it longer': [
      z.object({ text: z.string().transform((text) => `${text}!`) }),
      { text: 'hi' },
      { text: 'hi!' },
    ],
    'with the keys that its schema makes from others': [
      z.object({ first: z.string(), last: z.string() }).transform(({ first, last }) => ({ name: `${first} ${last}` })),
      { first: 'Ada', last: 'L' },
      { $output: { name: 'Ada L' } },
    ],
    'with dates as strings': [
      z.object({ at: z.coerce.date() }),
      { at: new Date(0) },
      { at: '1970-01-01T00:00:00.000Z' },
    ],
    'with dates that are the same in every time zone': [
      z.object({ at: z.coerce.date(), day: z.coerce.date(), utc: z.coerce.date() }),
      { at: '2026-01-01T12:00:00', day: '2026-01-01', utc: '2026-01-01T12:00:00Z' },
      {
        at: new Date('2026-01-01T12:00:00').toISOString(),
        day: '2026-01-01T00:00:00.000Z',
        utc: '2026-01-01T12:00:00.000Z',
      },
    ],
    'with a default beside data that its schema changes': [
      z.object({ note: z.string().default('none'), count: z.string().transform(BigInt), list: z.array(withDefault) }),
      { count: '5', secret, list: [{ of: '1', secret }] },
      { $output: { note: 'none', count: { $bigint: '5' }, list: [{ of: 1, n: 7 }] } },
    ],
    'as a codec decodes it': [
      z.object({ at: z.codec(z.number(), z.date(), { decode: (ms) => new Date(ms), encode: (date) => +date }) }),
      { at: 5 },
      { $output: { at: { $date: '1970-01-01T00:00:00.005Z' } } },
    ],
    'as another codec decodes it': [
      z.object({
        list: z.codec(z.string(), z.array(z.string()), { decode: (t) => t.split(','), encode: (l) => l.join() }),
      }),
      { list: 'a,b', secret },
      { $output: { list: ['a', 'b'] } },
    ],
    'as its own JSON, if its schema accepts that': [
      z.object({ url: z.string().transform((text) => new URL(text)) }),
      { url: 'https://x.org' },
      { url: 'https://x.org/' },
    ],
    'under a mark, if it looks like one': [
      z.any(),
      { $output: { $date: 'x' } },
      { $output: { $$output: { $$date: 'x' } } },
    ],
    'without a mark, if it has one among other keys': [z.any(), { $output: 1, n: 2 }, { $output: 1, n: 2 }],
    'with 0 for -0, but with -0 if its schema makes that': [
      z.object({ a: z.number(), b: z.string().transform(Number) }),
      { a: -0, b: '-0' },
      { $output: { a: 0, b: { $number: '-0' } } },
    ],
    'with numbers and booleans made from strings': [
      z.object({ n: z.coerce.number(), is: z.stringbool() }),
      { n: '5', is: 'yes' },
      { $output: { n: 5, is: true } },
    ],
    'without undefined values': [
      z.object({ a: z.string().optional(), b: z.null() }),
      { a: undefined, b: null },
      { b: null },
    ],
    'with any data if its schema accepts everything': [z.any(), { a: [1, { b: 'x' }] }, { a: [1, { b: 'x' }] }],
  }
  for (const [what, [schema, data, expected]] of Object.entries(kept)) {
    test(`is stored ${what}`, async () => {
      assert.deepEqual((await told(schema, data)).stored, expected)
    })
  }

  test('is read as it was acknowledged, with any data', async () => {
    const schema = z.object({
      id: z.string().default(() => crypto.randomUUID()),
      name: z.string().trim().optional(),
      tags: z.array(z.string().toLowerCase()).default([]),
      cents: z.union([z.number(), z.string().transform((text) => text.length)]),
      at: z.coerce.date(),
      deep: z.object({ flag: z.boolean().default(true) }).optional(),
    })
    const data = fc.record(
      {
        id: fc.string(),
        name: fc.string(),
        tags: fc.array(fc.string()),
        password: fc.string(),
        cents: fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.string()),
        at: fc.oneof(fc.date({ noInvalidDate: true }), fc.integer({ min: 0 })),
        deep: fc.record({ flag: fc.boolean(), secret: fc.string() }, { requiredKeys: [] }),
      },
      { requiredKeys: ['cents', 'at'] },
    )
    await fc.assert(
      fc.asyncProperty(data, async (given) => {
        const { stored } = await told(schema, given)
        const keys = Object.keys(stored as object)
        assert.ok(!keys.includes('password') && keys.includes('id') && keys.includes('tags'))
      }),
      { numRuns: 150 },
    )
  })

  test('counts with its stored size in the size of its commit', async () => {
    const Happened = event('Happened', z.object({ a: z.string() }))
    const store = memory()
    await using running = await start(Happened, store)
    const opened = await store.open({ now: () => 0, warn: () => {} })
    const { commitSizeMax } = opened.limits
    await running.log('a').tell({ a: 'x', stripped: 'x'.repeat(commitSizeMax - 1000) })
    // With its labels, the commit is larger than the data of the command, which passes.
    const tooMuch = { a: 'x'.repeat(commitSizeMax - 10) }
    await assert.rejects(running.log('a').tell(tooMuch), { code: 'COMMIT_TOO_LARGE' })
    const Filled = event('Happened', z.object({ a: z.string().default('x'.repeat(commitSizeMax)), b: z.string() }))
    await using filling = await start(Filled)
    for (let i = 0; i < 3; i++) {
      await assert.rejects(filling.log('a').tell({ b: 'x' }), { code: 'COMMIT_TOO_LARGE' })
      await filling.log('a').tell({ a: 'x', b: 'x' })
    }
  })
})

describe('A schema that gives a different value each time', () => {
  const random = (): number => Math.random()
  /** It changes the data of both in the same way, but reads the clock for one. */
  const branches = (fixed: Schema, now: Schema) => z.union([fixed as never, now as never]) as Schema
  const unstable: Record<string, [schema: Schema, ...datas: unknown[]]> = {
    'by a transform': [z.object({ n: z.string().transform(() => random()) }), { n: 'x' }],
    'at any depth': [z.object({ list: z.array(z.string().transform((text) => text + random())) }), { list: ['x'] }],
    'in a map': [z.object({ list: z.any().transform(() => new Map([['a', random()]])) }), { list: [] }],
    'as a whole': [z.any().transform(() => random()), {}],
    'by a time that it adds': [
      z.object({ n: z.number() }).transform((data) => ({ ...data, readAt: performance.now() })),
      { n: 1 },
    ],
    'by a date that it makes itself': [z.object({ n: z.any().transform(() => new Date()) }), { n: 1 }],
    'by a date that replaces another': [z.object({ at: z.string().transform(() => new Date()) }), { at: '2026-01-01' }],
    'by a default that it hides': [
      z.object({ id: z.number().default(random) }).transform(({ id }) => ({ made: new Map([[id, id]]) })),
      {},
    ],
    'for one of two branches that look the same': [
      branches(
        z.object({ kind: z.literal('fixed'), at: z.number().default(0) }),
        z.object({ kind: z.literal('now') }).transform((data) => ({ ...data, at: performance.now() })),
      ),
      ...[{ kind: 'fixed' }, { kind: 'now' }, { kind: 'fixed' }, { kind: 'now' }],
    ],
    'for one of two branches without further data': [
      branches(
        z.strictObject({ kind: z.literal('fixed') }).transform((data) => ({ ...data, at: 0 })),
        z.strictObject({ kind: z.literal('now') }).transform((data) => ({ ...data, at: performance.now() })),
      ),
      ...[{ kind: 'fixed' }, { kind: 'now' }, { kind: 'now' }],
    ],
    'after many events for which it gives the same value': [
      z.object({
        by: z.record(
          z.string(),
          z.object({ name: z.string().trim(), n: z.number().optional() }).transform((data) => ({
            ...data,
            ...(data.n !== undefined && { at: performance.now() }),
          })),
        ),
      }),
      ...Array.from({ length: 40 }, (_, i) => ({ by: { [`user-${i}`]: { name: ' x ' } } })),
      { by: { zoe: { name: ' x ', n: 1 } } },
    ],
    'by leaving out more as time passes': [
      z.object({ all: z.array(z.object({ at: z.coerce.date() })) }).transform(({ all }) => ({
        all: performance.now() < leftOutFrom ? all : all.slice(1),
      })),
      { all: [{ at: new Date(0) }, { at: new Date(1) }] },
    ],
  }
  const leftOutFrom = performance.now() + 60_000
  for (const [what, [schema, ...datas]] of Object.entries(unstable)) {
    test(`${what}, runs once: readers always get what it gave then`, async (t) => {
      const store = memory()
      const Happened = event('Happened', schema)
      const before = await start(Happened, store)
      const acknowledged: unknown[] = []
      for (const data of datas) acknowledged.push((await before.log('a').tell(data)).events[0])
      const state = await before.log('a').state()
      await before.stop()
      t.mock.method(performance, 'now', () => leftOutFrom + 1)
      await using after = await start(Happened, store)
      for (let i = 0; i < 2; i++) {
        assert.deepEqual(await Array.fromAsync(after.log('a').history()), acknowledged)
        assert.deepEqual(await after.log('a').state({ sequence: datas.length }), state)
      }
      assert.deepEqual(await after.log('a').state(), state)
    })
  }

  test('is detected when older events are upcast, and the event is not returned', async () => {
    const First = event('Happened', z.object({ n: z.number() }))
    const store = memory()
    const opened = await store.open({ now: () => 0, warn: () => {} })
    const events = [{ type: 'Happened', data: { n: 1 } }]
    const stream = { aggregate: 'log', id: 'a' }
    await opened.append([commit({ stream, expected: 'none', id: 'c', recordedAt: 0, events })])
    const upcasts = {
      upcast: First.revise(z.object({ n: z.number(), id: z.string() }), ({ n }) => ({ n, id: `${random()}` })),
      default: First.revise(z.object({ n: z.number(), id: z.string().default(() => `${random()}`) }), (data) => data),
      clock: First.revise(z.object({ n: z.number(), id: z.number() }), ({ n }) => ({ n, id: Date.now() })),
      'schema that was changed': event(
        'Happened',
        z.object({ n: z.number(), id: z.string().default(() => `${random()}`) }),
      ),
    }
    for (const Happened of Object.values(upcasts)) {
      await using running = await start(Happened as AnyEventKind, store)
      for (let i = 0; i < 40; i++) {
        const read = running.log('a').history()[Symbol.asyncIterator]().next()
        await assert.rejects(read, { code: 'EVENT_UNREADABLE', message: /at id/ })
      }
      await assert.rejects(running.log('a').tell({ n: 1, id: 'x' }), { code: 'AGGREGATE_LOAD_FAILED' })
    }
    const Steady = First.revise(z.object({ n: z.number(), id: z.string() }), ({ n }) => ({ n, id: `${n}` }))
    await using running = await start(Steady as AnyEventKind, store)
    assert.deepEqual((await Array.fromAsync(running.log('a').history()))[0]!.data, { n: 1, id: '1' })
  })
})
