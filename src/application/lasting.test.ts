/** What was acknowledged is what is read for ever, whatever the schema of an event makes of its data. What cannot last is refused. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { type } from 'arktype'
import fc from 'fast-check'
import * as v from 'valibot'
import { z } from 'zod'
import { logOf, recorder } from '../../test/kernel/rig.ts'
import { type AnyEventKind, aggregate, commit, domain, event, hasCode, memory, type Schema } from '../index.ts'
import { spec } from '../testing/index.ts'

const passing: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } }

const logging = (Happened: AnyEventKind) =>
  aggregate('log', () => ({ all: [] as readonly string[] }))
    .on(Happened, ({ all }, data) => ({ all: [...all, inspect(data)] }))
    .command('tell', passing, (_, input) => Happened(input) as never)

const start = (Happened: AnyEventKind, store = memory(), options = {}) =>
  domain({ aggregates: { log: logging(Happened) } }).start({ store, log: recorder(), ...options })

/** Stores an event with some data; gives it as it was acknowledged, as it is read after a restart, and as it is stored. */
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
  test('keeps the default that its schema made up when it was stored', async () => {
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
    'are stripped deep within': [
      z.object({ people: z.array(z.object({ name: z.string() })) }),
      { people: [{ name: 'Ada' }, { name: 'Bea', password: secret }] },
      { people: [{ name: 'Ada' }, { name: 'Bea' }] },
    ],
    'are stripped beside what becomes something else': [
      z.object({ cents: z.string().transform(Number), deep: z.object({ at: z.coerce.date() }) }),
      { cents: '5', password: secret, deep: { at: new Date(0), password: secret } },
      { cents: '5', deep: { at: '1970-01-01T00:00:00.000Z' } },
    ],
    'are stripped beside what has no form in JSON': [
      z.object({ count: z.string().transform(BigInt) }),
      { count: '5', password: secret },
      { count: '5' },
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
  class Money {
    readonly #data: unknown
    constructor(data: unknown) {
      this.#data = data
    }
    get cents() {
      return this.#data
    }
  }
  const kept: Record<string, [schema: Schema, data: unknown, stored: unknown]> = {
    'as the schema trims and lowers it': [
      z.object({ mail: z.string().trim().toLowerCase() }),
      { mail: ' Ada@X.org ' },
      { mail: 'ada@x.org' },
    ],
    'as it was given, where its schema makes something else of it': [
      z.object({ text: z.string().transform((text) => `${text}!`) }),
      { text: 'hi' },
      { text: 'hi' },
    ],
    'with keys of which its schema makes others': [
      z.object({ first: z.string(), last: z.string() }).transform(({ first, last }) => ({ name: `${first} ${last}` })),
      { first: 'Ada', last: 'L' },
      { first: 'Ada', last: 'L' },
    ],
    'with dates as texts': [z.object({ at: z.coerce.date() }), { at: new Date(0) }, { at: '1970-01-01T00:00:00.000Z' }],
    'with dates that are the same in every time zone': [
      z.object({ at: z.coerce.date(), day: z.coerce.date(), utc: z.coerce.date() }),
      { at: '2026-01-01T12:00:00', day: '2026-01-01', utc: '2026-01-01T12:00:00Z' },
      {
        at: new Date('2026-01-01T12:00:00').toISOString(),
        day: '2026-01-01T00:00:00.000Z',
        utc: '2026-01-01T12:00:00.000Z',
      },
    ],
    'as a map, a set or a class can be made of it': [
      z.object({
        map: z.array(z.tuple([z.string(), z.number()])).transform((entries) => new Map(entries)),
        url: z.string().transform((text) => new URL(text)),
      }),
      { map: [['a', 1]], url: 'https://x.org/' },
      { map: [['a', 1]], url: 'https://x.org/' },
    ],
    'with a default beside what its schema makes something else of': [
      z.object({ note: z.string().default('none'), count: z.string().transform(BigInt), list: z.array(withDefault) }),
      { count: '5', secret, list: [{ of: '1', secret }] },
      { note: 'none', count: '5', list: [{ of: '1', n: 7 }] },
    ],
    'as a codec takes it': [
      z.object({ at: z.codec(z.number(), z.date(), { decode: (ms) => new Date(ms), encode: (date) => +date }) }),
      { at: 5 },
      { at: 5 },
    ],
    'as another codec takes it': [
      z.object({
        list: z.codec(z.string(), z.array(z.string()), { decode: (t) => t.split(','), encode: (l) => l.join() }),
      }),
      { list: 'a,b', secret },
      { list: 'a,b' },
    ],
    'with all that an instance of a class was made of': [
      z.object({ money: z.object({ cents: z.number(), note: z.string() }).transform((data) => new Money(data)) }),
      { money: { cents: 5, note: 'x' } },
      { money: { cents: 5, note: 'x' } },
    ],
    'with numbers and booleans of texts': [
      z.object({ n: z.coerce.number(), is: z.stringbool() }),
      { n: '5', is: 'yes' },
      { n: '5', is: 'yes' },
    ],
    'without what is undefined': [
      z.object({ a: z.string().optional(), b: z.null() }),
      { a: undefined, b: null },
      { b: null },
    ],
    'with whatever a schema takes that takes all': [z.any(), { a: [1, { b: 'x' }] }, { a: [1, { b: 'x' }] }],
  }
  for (const [what, [schema, data, expected]] of Object.entries(kept)) {
    test(`is stored ${what}`, async () => {
      assert.deepEqual((await told(schema, data)).stored, expected)
    })
  }

  test('is read as it was acknowledged, whatever its data', async () => {
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
        ...{ id: fc.string(), name: fc.string(), tags: fc.array(fc.string()), password: fc.string() },
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

  test('counts in the size of its commit as it is stored', async () => {
    const Happened = event('Happened', z.object({ a: z.string() }))
    const store = memory()
    await using running = await start(Happened, store)
    const opened = await store.open({ now: () => 0, warn: () => {} })
    const { commitSizeMax } = opened.limits
    await running.log('a').tell({ a: 'x', stripped: 'x'.repeat(commitSizeMax - 1000) })
    await assert.rejects(running.log('a').tell({ a: 'x'.repeat(commitSizeMax) }), { code: 'COMMIT_TOO_LARGE' })
    const Filled = event('Happened', z.object({ a: z.string().default('x'.repeat(commitSizeMax)), b: z.string() }))
    await using filling = await start(Filled)
    for (let i = 0; i < 3; i++) {
      await assert.rejects(filling.log('a').tell({ b: 'x' }), { code: 'COMMIT_TOO_LARGE' })
      await filling.log('a').tell({ a: 'x', b: 'x' })
    }
  })
})

describe('A schema that gives something else each time', () => {
  const random = (): number => Math.random()
  const unstable: Record<string, [schema: Schema, path: string]> = {
    'by a transform': [z.object({ n: z.string().transform(() => random()) }), 'n'],
    'deep within': [
      z.object({ list: z.array(z.string().transform((text) => text + random())), n: z.any() }),
      'list[0]',
    ],
    'in a map': [z.object({ list: z.any().transform(() => new Map([['a', random()]])) }), 'list[0][1]'],
    'as a whole': [z.any().transform(() => random()), ''],
  }
  for (const [what, [schema, path]] of Object.entries(unstable)) {
    test(`${what}, is refused at the first write, and nothing is stored`, async () => {
      const store = memory()
      const Happened = event('Happened', schema)
      await using running = await start(Happened, store)
      const data = { n: 'x', list: ['x'] }
      await assert.rejects(running.log('a').tell(data), (error) => {
        assert.ok(hasCode(error, 'SCHEMA_UNSTABLE'), String(error))
        assert.equal(error.facts.path, path)
        return true
      })
      assert.equal((await logOf(store)).length, 0)
      assert.throws(() => spec(logging(Happened)).when.tell(data), { code: 'SCHEMA_UNSTABLE' })
      assert.throws(() => spec(logging(Happened)).given(Happened(data) as never), { code: 'SCHEMA_UNSTABLE' })
    })
  }

  const clocks: Record<string, [schema: Schema, data: unknown, path: string]> = {
    'adds a time': [
      z.object({ n: z.number() }).transform((data) => ({ ...data, readAt: Date.now() })),
      { n: 1 },
      'readAt',
    ],
    'makes a date of nothing': [z.object({ n: z.any().transform(() => new Date()) }), { n: 1 }, 'n'],
    'has a default that cannot be stored': [
      z.object({ id: z.number().default(() => Date.now()) }).transform(({ id }) => ({ made: new Map([[id, id]]) })),
      {},
      'made[0][0]',
    ],
  }
  for (const [what, [schema, data, path]] of Object.entries(clocks)) {
    test(`since it reads the clock and ${what}, is refused at the first write and at each one after`, async () => {
      const store = memory()
      await using running = await start(event('Happened', schema), store)
      for (let i = 0; i < 40; i++) {
        const refused = { code: 'SCHEMA_UNSTABLE', facts: { event: 'Happened', path } }
        await assert.rejects(running.log('a').tell(data), refused)
      }
      assert.equal((await logOf(store)).length, 0)
    })
  }

  test('by the clock for some events alone, is refused at the first of those', async () => {
    const Happened = event(
      'Happened',
      z.discriminatedUnion('kind', [
        z.object({ kind: z.literal('a'), text: z.string().trim() }),
        z.object({ kind: z.literal('b'), n: z.number() }).transform((data) => ({ ...data, readAt: Date.now() })),
      ]),
    )
    await using running = await start(Happened)
    await running.log('a').tell({ kind: 'a', text: ' x' })
    await assert.rejects(running.log('a').tell({ kind: 'b', n: 1 }), { code: 'SCHEMA_UNSTABLE', message: /at readAt/ })
    await running.log('a').tell({ kind: 'a', text: ' x' })
  })

  test('is found where older events are lifted, and is not read', async () => {
    const First = event('Happened', z.object({ n: z.number() }))
    const store = memory()
    const opened = await store.open({ now: () => 0, warn: () => {} })
    const events = [{ type: 'Happened', data: { n: 1 } }]
    const stream = { aggregate: 'log', id: 'a' }
    await opened.append([commit({ stream, expected: 'none', id: 'c', recordedAt: 0, events })])
    const lifts = {
      lift: First.revise(z.object({ n: z.number(), id: z.string() }), ({ n }) => ({ n, id: `${random()}` })),
      default: First.revise(z.object({ n: z.number(), id: z.string().default(() => `${random()}`) }), (data) => data),
      clock: First.revise(z.object({ n: z.number(), id: z.number() }), ({ n }) => ({ n, id: Date.now() })),
      'schema that was changed': event(
        'Happened',
        z.object({ n: z.number(), id: z.string().default(() => `${random()}`) }),
      ),
    }
    for (const Happened of Object.values(lifts)) {
      await using running = await start(Happened as AnyEventKind, store)
      for (let i = 0; i < 40; i++) {
        const read = running.log('a').history()[Symbol.asyncIterator]().next()
        await assert.rejects(read, { code: 'SCHEMA_UNSTABLE', message: /at id/ })
      }
      await assert.rejects(running.log('a').tell({ n: 1, id: 'x' }), { code: 'AGGREGATE_LOAD_FAILED' })
    }
    const Steady = First.revise(z.object({ n: z.number(), id: z.string() }), ({ n }) => ({ n, id: `${n}` }))
    await using running = await start(Steady as AnyEventKind, store)
    assert.deepEqual((await Array.fromAsync(running.log('a').history()))[0]!.data, { n: 1, id: '1' })
  })
})
