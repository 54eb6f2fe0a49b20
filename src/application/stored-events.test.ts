/** Stored events: how often their schema runs, and what readers with another schema or none see. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { z } from 'zod'
import { logOf, recorder } from '../../test/support/kernel/rig.ts'
import { type AnyEventKind, aggregate, commit, domain, event, hasCode, memory, type Schema } from '../index.ts'
import { spec } from '../testing/index.ts'

const passing: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } }

const logging = (Happened: AnyEventKind) =>
  aggregate('log', () => '')
    .on(Happened, (_, data) => inspect(data))
    .command('tell', passing, (_, input) => Happened(input) as never)

const start = (Happened: AnyEventKind, store = memory()) =>
  domain({ aggregates: { log: logging(Happened) } }).start({ store, log: recorder() })

describe('A schema', () => {
  const many = (n: number, make: (i: number) => unknown) =>
    Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, make(i)]))
  const schemas: Record<string, [schema: z.ZodType, make: (i: number) => unknown, runs: number]> = {
    'returns its input': [z.object({ n: z.number() }), (n) => ({ n }), 1],
    trims: [z.string().trim(), () => ' x ', 2],
    'strips keys': [z.object({ n: z.number() }), (n) => ({ n, extra: n }), 2],
    'strips keys and makes numbers from strings': [
      z.object({ n: z.string().transform(Number) }),
      (n) => ({ n: `${n}`, extra: n }),
      2,
    ],
    'makes instances of a class': [z.string().transform((text) => new URL(text)), (n) => `https://x.org/${n}`, 2],
    'makes dates': [z.coerce.date(), (n) => new Date(n), 1],
    'makes a map': [z.number().transform((n) => new Map([[n, n]])), (n) => n, 2],
    'fills in defaults': [z.object({ id: z.string().default(() => crypto.randomUUID()) }), () => ({}), 2],
  }
  for (const [what, [part, make, most]] of Object.entries(schemas)) {
    test(`that ${what} runs as often for a thousand records as for one`, async () => {
      for (const n of [1, 1000]) {
        let runs = 0
        const schema = z.object({ by: z.record(z.string(), part) }) as Schema
        const validate: Schema['~standard']['validate'] = (value) => {
          runs++
          return schema['~standard'].validate(value)
        }
        await using running = await start(event('Happened', { '~standard': { ...schema['~standard'], validate } }))
        await running.log('a').tell({ by: many(n, make) })
        assert.ok(runs <= most, `${runs} times for ${n} records`)
      }
    })
  }
})

describe('An event that was stored', () => {
  const shapes: Record<string, [before: Schema, after: Schema, data: unknown, read: unknown]> = {
    'in another case': [z.string(), z.string().toLowerCase(), 'Ada', 'Ada'],
    'another number': [z.number(), z.number().transform((n) => n + 1), 1, 1],
    'a text that may be null': [z.string().nullable(), z.any().transform((text) => text ?? 'none'), null, null],
    'a list that it shortens': [
      z.array(z.coerce.date()),
      z.array(z.coerce.date()).transform((all) => all.slice(1)),
      [new Date(0), new Date(1)],
      [new Date(0), new Date(1)],
    ],
    'another date': [z.coerce.date(), z.coerce.date().transform(() => new Date(7)), new Date(0), new Date(0)],
    'a string that it did not accept before': [z.string().transform(Number), z.string(), '5', 5],
  }
  for (const [what, [before, after, data, read]] of Object.entries(shapes)) {
    test(`is read as it was acknowledged, although a changed schema gives something else: ${what}`, async () => {
      const store = memory()
      const first = await start(event('Happened', z.object({ data: before as z.ZodType })), store)
      await first.log('a').tell({ data })
      await first.stop()
      await using second = await start(event('Happened', z.object({ data: after as z.ZodType })), store)
      const [{ data: seen }] = (await Array.fromAsync(second.log('a').history())) as any
      assert.deepEqual(seen, { data: read })
    })
  }

  test('before its schema gave another type of value is read with the new type', async () => {
    const store = memory()
    const first = await start(event('Happened', z.object({ n: z.string(), at: z.string() })), store)
    await first.log('a').tell({ n: '5', at: '2026-01-01' })
    await first.stop()
    await using second = await start(event('Happened', z.object({ n: z.coerce.number(), at: z.coerce.date() })), store)
    const [read] = await Array.fromAsync(second.log('a').history())
    assert.deepEqual((read as any).data, { n: 5, at: new Date('2026-01-01') })
  })

  test('under a mark is returned without the mark if its kind is not declared', async () => {
    const store = memory()
    const schema = z.object({ n: z.string().transform(Number), at: z.coerce.date() })
    const writing = await start(event('Happened', schema), store)
    await writing.log('a').tell({ n: '5', at: new Date(0) })
    await writing.stop()
    await using running = await domain({ aggregates: {} }).start({ store, log: recorder() })
    const seen: unknown[] = []
    for await (const { data } of running.events()) if (seen.push(data) === 1) break
    assert.deepEqual(seen, [{ n: 5, at: new Date(0) }])
    assert.deepEqual(
      (await logOf(store)).map(({ data }) => data),
      [{ $output: { n: 5, at: { $date: '1970-01-01T00:00:00.000Z' } } }],
    )
  })

  test('with an invalid mark is refused if its kind is declared, and otherwise returned as it is stored', async () => {
    const store = memory()
    const opened = await store.open({ now: () => 0, warn: () => {} })
    const data = { $output: { n: { $bigint: 'five' } } }
    const stream = { aggregate: 'log', id: 'a' }
    const events = [{ type: 'Happened', data }]
    await opened.append([commit({ stream, expected: 'none', id: 'c', recordedAt: 0, events })])
    await using declaring = await start(event('Happened', z.any()), store)
    const read = declaring.log('a').history()[Symbol.asyncIterator]().next()
    await assert.rejects(read, { code: 'EVENT_UNREADABLE', message: /\$output: it is not valid in stored data/ })
    await using running = await domain({ aggregates: {} }).start({ store, log: recorder() })
    for await (const told of running.events() as AsyncIterable<{ readonly data: unknown }>) {
      assert.deepEqual(told.data, data)
      break
    }
  })

  test('as the JSON of an instance is refused if its schema now makes a different instance', async () => {
    let factor = 1
    class Money {
      readonly #cents: number
      constructor(cents: number) {
        this.#cents = cents
      }
      toJSON() {
        return this.#cents
      }
    }
    const schema = z.object({ price: z.number().transform((cents) => new Money(cents * factor)) })
    await using running = await start(event('Priced', schema))
    const outcome = (await running.log('a').tell({ price: 5 })) as any
    assert.equal(outcome.events[0].data.price.toJSON(), 5)
    const read = async () => (await Array.fromAsync(running.log('a').history())) as any
    assert.equal((await read())[0].data.price.toJSON(), 5)
    factor = 2
    await assert.rejects(read, {
      code: 'EVENT_UNREADABLE',
      message: /makes an instance of Money that differs from the stored one/,
    })
  })
})

describe('An event', () => {
  const secret = 'hunter2'
  class Money {
    readonly #cents: number
    constructor({ cents }: { readonly cents: number }) {
      this.#cents = cents
    }
    get cents() {
      return this.#cents
    }
  }
  class Ticket {
    readonly at = Date.now()
    toJSON = () => Math.random()
  }
  class Cache extends Map<string, number> {}
  const price = z.object({ cents: z.number() })
  const refused: Record<string, [schema: z.ZodType, data: unknown, found: string]> = {
    'an instance of a class': [
      price.transform((data) => new Money(data)),
      { cents: 5, secret },
      'an instance of Money',
    ],
    'an instance with a different JSON each time': [z.any().transform(() => new Ticket()), {}, 'an instance of Ticket'],
    'an instance that extends Map': [z.any().transform(() => new Cache([['a', 1]])), {}, 'an instance of Cache'],
    'a map with extra properties': [
      z.any().transform(() => Object.assign(new Map(), { more: 1 })),
      {},
      'an instance of Map',
    ],
    bytes: [z.string().transform((text) => new TextEncoder().encode(text)), 'abc', 'an instance of Uint8Array'],
    'a buffer': [z.any().transform(() => new ArrayBuffer(8)), {}, 'an instance of ArrayBuffer'],
    'a function': [z.any().transform(() => () => 5), {}, 'a function'],
    'a record whose JSON leaves something out': [
      z.any().transform(() => ({ toJSON: () => 'x', at: Date.now() })),
      {},
      'a function',
    ],
    'a symbol': [z.any().transform(() => Symbol('a')), {}, 'a symbol'],
    'a promise that the schema does not await': [
      z.any().transform(() => ({ later: Promise.resolve(5) })),
      {},
      'an instance of Promise',
    ],
  }
  for (const [what, [part, data, found]] of Object.entries(refused)) {
    test(`whose schema makes ${what} is refused with its path, and nothing is stored`, async () => {
      const places: [schema: Schema, data: unknown, path: string][] = [
        [z.object({ part }), { part: data }, 'part'],
        [z.object({ list: z.array(part), n: z.string().transform(Number) }), { list: [data], n: '1' }, 'list[0]'],
        [z.object({ part: part.transform((made) => new Map([['a', made]])) }), { part: data }, 'part[0][1]'],
        [z.object({ part: part.transform((made) => new Set([made])) }), { part: data }, 'part[0]'],
      ]
      for (const [schema, given, path] of places) {
        const store = memory()
        const Happened = event('Happened', schema)
        await using running = await start(Happened, store)
        await assert.rejects(running.log('a').tell(given), (error) => {
          assert.ok(hasCode(error, 'DATA_NOT_JSON'), String(error))
          assert.equal(error.facts.found, found)
          assert.ok(error.facts.path.startsWith(path), error.facts.path)
          return true
        })
        assert.equal((await logOf(store)).length, 0)
        assert.throws(() => spec(logging(Happened)).when.tell(given), { code: 'DATA_NOT_JSON' })
      }
    })
  }
})
