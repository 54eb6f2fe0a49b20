/**
 * User code cannot change live objects: states, events, moments and input are frozen or copied, whatever they contain.
 * An evolve that changes something in place is detected before anything is stored.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type } from 'arktype'
import { z } from 'zod'
import { logOf, recorder } from '../../test/support/kernel/rig.ts'
import { aggregate, domain, event, hasCode, memory, reject, type Schema } from '../index.ts'
import { spec } from '../testing/spec/spec.ts'

const any = z.any() as Schema
/** A validator that returns its input. */
const passing: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } }
const Kept = event('Set', any)

/** An aggregate whose state `make` makes from the previous state and the data of an event. */
const holding = (make: (state: any, data: any, event: any) => unknown, initial: () => unknown = () => null) =>
  aggregate('box', initial)
    .on(Kept, make)
    .command('set', passing, (_, input) => Kept(input))
    .command('look', passing, (): undefined => undefined)
    .command('tell', passing, (state) => reject('Told', { state }))

const start = (Box: ReturnType<typeof holding>, store = memory(), options = {}) =>
  domain({ aggregates: { box: Box } }).start({ store, log: recorder(), ...options })

/** States that could be changed in place, and how. They are compared as text. */
const changeable: Record<string, [make: () => any, change: (state: any) => void]> = {
  'a date': [() => ({ at: new Date(0) }), ({ at }) => at.setTime(1)],
  'the year of a date': [() => ({ at: new Date(0) }), ({ at }) => at.setUTCFullYear(1)],
  'a date alone': [() => new Date(0), (at) => at.setHours(5)],
  'an entry of a map': [() => ({ seats: new Map([['a', 1]]) }), ({ seats }) => seats.set('a', 2)],
  'a map that is emptied': [() => new Map([['a', 1]]), (map) => map.clear()],
  'an entry that is removed from a map': [() => new Map([['a', 1]]), (map) => map.delete('a')],
  'a set': [() => ({ tags: new Set(['a']) }), ({ tags }) => tags.add('b')],
  'a member that is removed from a set': [() => ({ tags: new Set(['a']) }), ({ tags }) => tags.delete('a')],
  'a record in a map': [() => new Map([['a', { n: 1 }]]), (map) => map.get('a').n++],
  'a record that is a key of a map': [() => new Map([[{ n: 1 }, 'a']]), (map) => [...map.keys()][0].n++],
  'a list in a set': [() => new Set([[1]]), (set) => [...set][0].push(2)],
  'a record in a shallowly frozen one': [() => Object.freeze({ a: { n: 1 } }), ({ a }) => a.n++],
  'a map in a shallowly frozen list': [() => Object.freeze([new Map([['a', 1]])]), ([map]) => map.set('b', 2)],
  'a record deep in maps, lists and frozen records': [
    () => ({ a: Object.freeze([new Map([['x', Object.freeze({ deep: [{ n: 1 }] })]])]) }),
    ({ a }) => a[0].get('x').deep[0].n++,
  ],
  'a property that is added': [() => ({}), (state) => (state.more = 1)],
  'a record without a prototype': [() => Object.assign(Object.create(null), { n: 1 }), (state) => state.n++],
}

describe('A state with', () => {
  for (const [what, [make, change]] of Object.entries(changeable)) {
    test(`${what} cannot be changed by a caller`, async () => {
      await using running = await start(holding(() => make()))
      const { state } = await running.box('a').set({ n: 1 })
      const { state: seen } = await running.box('a').look({})
      const outcome = await running.box('a').try.tell({})
      assert.ok(!outcome.accepted)
      const held = [state, seen, await running.box('a').state(), outcome.rejection.details.state]
      for (const each of held) assert.throws(() => change(each), TypeError)
      assert.deepEqual(await running.box('a').state(), make())
    })

    test(`${what} cannot be changed in place by an evolve or a decide`, async () => {
      const store = memory()
      const changing = holding((state) => {
        if (state === null) return make()
        change(state)
        return state
      }).command('spoil', passing, (state): undefined => change(state) as undefined)
      await using running = await domain({ aggregates: { box: changing } }).start({ store })
      await running.box('a').set({ n: 1 })
      await assert.rejects(running.box('a').set({ n: 2 }), { code: 'EVOLVE_FAILED' })
      await assert.rejects(running.box('a').spoil({}), { code: 'DECIDE_FAILED' })
      assert.equal((await logOf(store)).length, 1)
      assert.deepEqual(await running.box('a').state(), make())
      assert.throws(() => spec(changing).given(Kept(1)).when.set(2), { code: 'EVOLVE_FAILED' })
    })
  }

  test('a map gives advice instead of changing, and is copied, compared, stored and read like any other', async () => {
    const store = memory()
    const Seats = holding(
      (seats, { seat }) => new Map(seats).set(seat, { at: new Date(0), tags: new Set(['x']) }),
      () => new Map(),
    )
    const first = await start(Seats, store, { snapshotEvery: 1 })
    const { state } = await first.box('a').set({ seat: 'A1' })
    assert.throws(() => (state as Map<string, unknown>).set('B', 1), {
      name: 'TypeError',
      message: 'This Map is part of a state, and only events change a state: change a copy, new Map(map)',
    })
    const expected = new Map([['A1', { at: new Date(0), tags: new Set(['x']) }]])
    assert.deepEqual(state, expected)
    assert.deepEqual(structuredClone(state), expected)
    structuredClone(state as Map<string, unknown>).clear()
    new Map(state as Map<string, unknown>).clear()
    await first.stop()
    const opened = await store.open({ now: () => 0, warn: () => {} })
    assert.ok((await opened.loadSnapshot({ aggregate: 'box', id: 'a' }))?.sequence === 1)
    await using again = await start(Seats, store, { snapshotEvery: 1 })
    const { state: restored } = await again.box('a').set({ seat: 'B1' })
    assert.deepEqual([...(restored as Map<string, unknown>).keys()], ['A1', 'B1'])
    assert.throws(() => (restored as Map<string, { tags: Set<string> }>).get('A1')!.tags.add('y'), TypeError)
  })

  test('a map that evolve tries to change in place stays unchanged', async () => {
    const Booked = event('Booked', z.object({ seat: z.number() }))
    const Hall = aggregate('hall', () => ({ seats: new Map<number, true>() }))
      .on(Booked, (state, { seat }) => {
        state.seats.set(seat, true)
        return state
      })
      .command('book', z.object({ seat: z.number() }), ({ seats }, { seat }) =>
        seats.has(seat) ? reject('Taken') : Booked({ seat }),
      )
    const store = memory()
    await using running = await domain({ aggregates: { hall: Hall } }).start({ store })
    for (let seat = 0; seat < 10; seat++) {
      await assert.rejects(running.hall('a').book({ seat }), {
        code: 'EVOLVE_FAILED',
        message: /This Map is part of a state/,
      })
    }
    assert.equal((await logOf(store)).length, 0)
    assert.equal((await running.hall('a').state()).seats.size, 0)
  })

  test('parts shared with the previous state are not frozen again', async () => {
    let reads = 0
    const shared = Object.defineProperty({}, 'part', { enumerable: true, get: () => ({ reads: reads++ }) })
    await using running = await start(holding((state, n) => ({ shared: state?.shared ?? shared, n })))
    await running.box('a').set(1)
    const before = reads
    assert.ok(before > 0)
    for (let n = 2; n < 10; n++) await running.box('a').set(n)
    assert.equal(reads, before)
  })

  class Counter {
    #count = 0
    count = () => this.#count++
  }
  const unguarded: Record<string, [make: () => unknown, objection: RegExp]> = {
    'an instance of a class': [() => ({ a: { counter: new Counter() } }), /but a\.counter is an instance of Counter/],
    'an instance in a list in a map': [
      () => new Map([['x', [1, new Counter()]]]),
      /but \[0\]\[1\] is an instance of Counter/,
    ],
    'a map of a subclass': [() => ({ map: new (class Cache extends Map {})() }), /map is an instance of Cache/],
    'an instance alone': [() => new Counter(), /but it is an instance of Counter/],
    'a function': [() => ({ act: () => {} }), /act is a function/],
    bytes: [() => ({ bytes: new Uint8Array(3) }), /bytes is an instance of Uint8Array/],
    'a promise': [() => Promise.resolve({}), /an instance of Promise/],
    'a cycle': [
      () => {
        const cycle: Record<string, unknown> = {}
        cycle['self'] = cycle
        return cycle
      },
      /nested more than 500 deep, or a cycle/,
    ],
  }
  for (const [what, [make, objection]] of Object.entries(unguarded)) {
    test(`${what}, which could be changed unnoticed, is refused before anything is stored`, async () => {
      const store = memory()
      // The same object each time: what was refused once must not be accepted the next time.
      const one = make()
      await using running = await start(
        holding(() => one),
        store,
      )
      for (let i = 0; i < 2; i++) {
        await assert.rejects(running.box('a').set(i), (error) => {
          assert.ok(hasCode(error, 'EVOLVE_FAILED'))
          assert.match(error.message, /a state is made of records, lists, strings, numbers, dates, maps and sets/)
          assert.match(error.message, objection)
          return true
        })
      }
      assert.equal((await logOf(store)).length, 0)
      await using born = await start(
        holding(
          () => one,
          () => one,
        ),
      )
      await assert.rejects(born.box('a').look({}), { code: 'AGGREGATE_LOAD_FAILED', message: objection })
    })
  }
})

describe('An event', () => {
  test('of an outcome shares nothing with the state except what cannot be changed', async () => {
    const Keeping = holding((state, data, { recordedAt, tags, metadata }) => ({
      all: new Map(state?.all).set(data.n, { data, recordedAt, tags, metadata }),
    }))
    await using running = await start(Keeping)
    const sent = [1, 2].map((n) =>
      running.box('a').set({ n, deep: { list: [1] } }, { metadata: { by: { whom: 'ada' } } }),
    )
    const [first, second] = (await Promise.all(sent)).map(({ events }) => events[0]!)
    const before = structuredClone(await running.box('a').state())
    for (const change of [
      () => first!.data.deep.list.push(2),
      () => Object.assign(first!.data, { n: 7 }),
      () => Object.assign(first!.metadata['by'] as object, { whom: 'eve' }),
      () => (first!.tags as string[]).push('x'),
    ]) {
      assert.throws(change, TypeError)
    }
    first!.recordedAt.setTime(5)
    assert.notEqual(second!.recordedAt.getTime(), 5)
    assert.deepEqual(await running.box('a').state(), before)
  })

  test('is returned as it was stored, whatever evolve does with it', async () => {
    const store = memory()
    const At = event('At', z.object({ at: z.coerce.date(), list: z.array(z.number()) }))
    const spoil: Record<string, (event: any) => void> = {
      data: (event) => event.data.list.push(5),
      date: (event) => event.data.at.setTime(5),
      recordedAt: (event) => event.recordedAt.setTime(5),
      tags: (event) => event.tags.push('x'),
    }
    let how = 'nothing'
    const Box = aggregate('box', () => 0)
      .on(At, (sum, _, event) => {
        spoil[how]?.(event)
        if (how === 'parts') Object.assign(event, { data: 'x', sequence: 9, recordedAt: 'never', type: 'y' })
        return sum + 1
      })
      .command('set', z.object({}), () => At({ at: new Date(0), list: [1] }))
    await using running = await domain({ aggregates: { box: Box } }).start({ store })
    for (how of Object.keys(spoil)) await assert.rejects(running.box('a').set(), { code: 'EVOLVE_FAILED' }, how)
    assert.equal((await logOf(store)).length, 0)
    how = 'parts'
    const { events } = await running.box('a').set()
    how = 'nothing'
    const history = await Array.fromAsync(running.box('a').history())
    assert.deepEqual(events, history)
    assert.ok(events[0]!.recordedAt.getTime() > 5)
  })
})

describe('Input', () => {
  const Deposited = event('Deposited', z.object({ amount: z.number() }))
  const validators: Record<string, Schema> = {
    'a schema that returns its input': {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value: any) =>
          value.amount > 0 ? { value } : { issues: [{ message: 'it must be positive', path: ['amount'] }] },
      },
    },
    arktype: type({ amount: 'number > 0' }),
    'a schema that accepts extra keys': z.object({ amount: z.number().positive() }).loose(),
  }
  for (const [what, schema] of Object.entries(validators)) {
    test(`cannot be changed by the caller after the call, with ${what}`, async () => {
      const Account = aggregate('account', () => 0)
        .on(Deposited, (sum, { amount }) => sum + amount)
        .command('deposit', schema, (_, { amount }) => Deposited({ amount }))
      await using running = await domain({ aggregates: { account: Account } }).start()
      const data = { amount: 0 }
      const sent = [10, 20, 30, 40, 50].map((amount) => {
        data.amount = amount
        return running.account('a').deposit(data)
      })
      const dispatched = running.dispatch({ aggregate: 'account', id: 'a', name: 'deposit', data })
      data.amount = -1000
      await Promise.all([...sent, dispatched])
      assert.equal(await running.account('a').state(), 200)
    })
  }

  test('is copied with its dates, maps, sets and bytes; instances of classes are passed on', async () => {
    const seen: any[] = []
    const Box = aggregate('box', () => 0).command('take', passing, (_, input): undefined => void seen.push(input))
    await using running = await domain({ aggregates: { box: Box } }).start()
    class Money {
      amount = 1
    }
    const data = {
      at: new Date(0),
      map: new Map([['a', { n: 1 }]]),
      set: new Set([[1]]),
      bytes: Buffer.from([1, 2]),
      list: [{ n: 1 }],
      money: new Money(),
      __proto__: null,
    }
    const expected = {
      ...structuredClone({ ...data, money: null, bytes: null }),
      bytes: Buffer.from([1, 2]),
      money: data.money,
    }
    const taken = running.box('a').take(data)
    data.at.setTime(5)
    data.map.get('a')!.n = 5
    data.map.clear()
    data.set.clear()
    data.bytes[0] = 5
    data.list[0]!.n = 5
    await taken
    assert.deepEqual(seen[0], expected)
    assert.equal(seen[0].money, data.money)
    const hostile = JSON.parse('{"__proto__": {"admin": true}, "a": [{"__proto__": 1}]}')
    await running.box('a').take(hostile)
    assert.deepEqual(JSON.stringify(seen[1]), JSON.stringify(hostile))
    assert.equal(seen[1].admin, undefined)
  })

  test('that is nested too deep is refused', async () => {
    await using running = await start(holding(() => 0))
    const cycle: Record<string, unknown> = {}
    cycle['self'] = [cycle]
    await assert.rejects(running.box('a').set(cycle), {
      code: 'DATA_NOT_JSON',
      message: /more than 500 deep, or a cycle/,
    })
    assert.equal(running.load().commandsInFlight, 0)
  })
})
