/**
 * A Map, a Set or a Date that the user has frozen can still be changed. As a part of a state, of an event or of a
 * command's input it cannot be changed any more.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { logOf, recorder } from '../../test/support/kernel/rig.ts'
import { aggregate, domain, event, memory, type Schema } from '../index.ts'
import { spec } from '../testing/spec/spec.ts'

/** A validator that returns its input. */
const passing: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } }
const Kept = event('Kept', passing)

const keeping = (initial: () => unknown, change: (state: any) => void = () => {}) =>
  aggregate('box', initial)
    .on(Kept, (state) => {
      change(state)
      return state
    })
    .command('keep', passing, () => Kept({}))
    .command('spoil', passing, (state): undefined => change(state) as undefined)

const start = (Box: ReturnType<typeof keeping>, options = {}) =>
  domain({ aggregates: { box: Box } }).start({ log: recorder(), ...options })

function deepFreeze(value: any): any {
  for (const item of Object.values(value)) if (typeof item === 'object' && item !== null) deepFreeze(item)
  return Object.freeze(value)
}

/** Freezes a map as immer does. */
function frozenByImmer(map: Map<unknown, unknown>) {
  const refuse = () => {
    throw new Error('This object has been frozen')
  }
  const value = { value: refuse, enumerable: false }
  return Object.freeze(Object.defineProperties(map, { set: value, add: value, clear: value, delete: value }))
}

const made: Record<string, [make: () => any, change: (state: any) => void]> = {
  'a map that the user froze': [() => Object.freeze(new Map([['a', 1]])), (map) => map.set('a', 2)],
  'a set that the user froze': [() => ({ tags: Object.freeze(new Set(['a'])) }), ({ tags }) => tags.add('b')],
  'a date that the user froze': [() => ({ at: Object.freeze(new Date(0)) }), ({ at }) => at.setTime(5)],
  'a map that the user sealed': [() => ({ map: Object.seal(new Map([['a', 1]])) }), ({ map }) => map.clear()],
  'a set that cannot be extended': [() => [Object.preventExtensions(new Set([1]))], ([set]) => set.delete(1)],
  'a map in a list that was frozen with it': [() => deepFreeze([new Map([['a', 1]])]), ([map]) => map.delete('a')],
  'a date in frozen records': [() => deepFreeze({ a: { b: { at: new Date(0) } } }), ({ a }) => a.b.at.setTime(5)],
  'a frozen map in a map': [
    () => new Map([['x', Object.freeze(new Map([['a', { n: 1 }]]))]]),
    (map) => map.get('x').set('a', 2),
  ],
  'a frozen date as the key of a map': [
    () => new Map([[Object.freeze(new Date(0)), 1]]),
    (map) => [...map.keys()][0].setTime(5),
  ],
  'a record in a frozen map': [
    () => ({ map: Object.freeze(new Map([['a', { n: 1 }]])) }),
    ({ map }) => map.get('a').n++,
  ],
  'a map that immer froze': [() => ({ map: frozenByImmer(new Map([['a', 1]])) }), ({ map }) => map.set('a', 2)],
}

describe('A state with', () => {
  for (const [what, [make, change]] of Object.entries(made)) {
    test(`${what} cannot be changed in place by an evolve, a decide or a caller`, async () => {
      const store = memory()
      const plain = await start(keeping(make), { store })
      const { state } = await plain.box('a').keep({})
      assert.throws(() => change(state), TypeError)
      assert.deepEqual(await plain.box('a').state(), await plain.box('a').state({ sequence: 1 }))
      await plain.stop()
      const changing = keeping(make, change)
      await using running = await start(changing)
      await assert.rejects(running.box('a').keep({}), { code: 'EVOLVE_FAILED' })
      await assert.rejects(running.box('a').spoil({}), { code: 'DECIDE_FAILED' })
      assert.equal((await logOf(store)).length, 1)
      assert.throws(() => spec(changing).when.keep({}), { code: 'EVOLVE_FAILED' })
    })
  }

  test('a proxy of a record cannot be changed, neither through the proxy nor in its target', async () => {
    const behind = { n: 1, deep: { n: 1 } }
    await using running = await start(keeping(() => new Proxy(behind, {})))
    const { state } = (await running.box('a').keep({})) as { state: any }
    for (const record of [state, state.deep, behind, behind.deep]) {
      assert.throws(() => {
        record.n++
      }, TypeError)
    }
    assert.deepEqual({ ...state }, { n: 1, deep: { n: 1 } })
  })

  test('a frozen map is replaced by a copy with the same other objects in it', async () => {
    const shared = { n: 1 }
    const map = Object.freeze(new Map([['a', shared]]))
    const make = () => Object.freeze({ map, again: map, shared, list: Object.freeze([map]), [Symbol.iterator]: 1 })
    await using running = await start(keeping(make))
    const { state } = (await running.box('a').keep({})) as { state: any }
    const copied = new Map([['a', { n: 1 }]])
    assert.deepEqual({ ...state, [Symbol.iterator]: 1 }, { ...make(), map: copied, again: copied, list: [copied] })
    assert.equal(state.map, state.again)
    assert.equal(state.map, state.list[0])
    assert.equal(state.map.get('a'), state.shared)
    // The given map still belongs to the user.
    map.set('b', { n: 2 })
    assert.deepEqual((await running.box('a').state()) as any, state)
    assert.equal(state.map.size, 1)
  })

  class Sealed {
    #n = 0
    constructor() {
      Object.freeze(this)
    }
    add = () => this.#n++
  }
  class Cache extends Map {}
  const refused: Record<string, [part: unknown, objection: RegExp]> = {
    'a map with extra properties': [
      Object.assign(new Map(), { meta: { n: 0 } }),
      /part is a Map with extra properties/,
    ],
    'a frozen instance of a class': [Object.freeze(new Cache()), /part is an instance of Cache/],
    'an instance that freezes itself': [new Sealed(), /part is an instance of Sealed/],
    'a buffer': [Buffer.from('abc'), /part is an instance of Buffer/],
    'numbers in a typed array': [new Float64Array(2), /part is an instance of Float64Array/],
    'a view of bytes': [new DataView(new ArrayBuffer(2)), /part is an instance of DataView/],
    'a buffer as the key of a map': [new Map([[Buffer.from('abc'), 1]]), /part\[0\] is an instance of Buffer/],
  }
  for (const [what, [part, objection]] of Object.entries(refused)) {
    test(`${what} is refused, with its path`, async () => {
      await using running = await start(keeping(() => Object.freeze({ part })))
      for (let i = 0; i < 2; i++) {
        await assert.rejects(running.box('a').keep({}), { code: 'AGGREGATE_LOAD_FAILED', message: objection })
      }
    })
  }
})

describe('An event whose schema freezes', () => {
  const schema = z.object({ at: z.coerce.date().readonly(), list: z.array(z.coerce.date().readonly()).readonly() })
  test('a date has a date that cannot be changed, and may be kept in a state', async () => {
    const At = event('At', schema)
    const store = memory()
    const Box = aggregate('box', () => ({ at: new Date(5), list: [] as readonly Date[] }))
      .on(At, (_, { at, list }) => ({ at, list }))
      .command('set', z.object({}), () => At({ at: new Date(0), list: [new Date(1)] }))
    const before = await domain({ aggregates: { box: Box } }).start({ store })
    const { events, state } = await before.box('a').set()
    assert.throws(() => events[0]!.data.at.setTime(5), TypeError)
    assert.throws(() => (state.list[0] as Date).setTime(5), TypeError)
    await before.stop()
    await using after = await domain({ aggregates: { box: Box } }).start({ store })
    const read = await after.box('a').state()
    assert.deepEqual(read, { at: new Date(0), list: [new Date(1)] })
    assert.throws(() => read.at.setTime(5), TypeError)
  })
})

describe('The input of a command', () => {
  const shapes: Record<string, [data: unknown, change: (input: any) => void]> = {
    'a record': [{ n: 1 }, (input) => input.n++],
    'a list within it': [{ list: [1] }, ({ list }) => list.push(2)],
    'a map': [{ map: new Map([['a', 1]]) }, ({ map }) => map.set('a', 2)],
    'a frozen map': [{ map: Object.freeze(new Map([['a', 1]])) }, ({ map }) => map.set('a', 2)],
    'a set': [new Set([1]), (set) => set.add(2)],
    'a date': [{ at: new Date(0) }, ({ at }) => at.setTime(1)],
  }
  for (const [what, [data, change]] of Object.entries(shapes)) {
    test(`cannot be changed in place by its decision: ${what}`, async () => {
      const store = memory()
      const Box = aggregate('box', () => 0)
        .on(Kept)
        .command('set', passing, (_, input) => {
          change(input)
          return Kept(1)
        })
      await using running = await domain({ aggregates: { box: Box } }).start({ store })
      await assert.rejects(running.box('a').set(data), { code: 'DECIDE_FAILED' })
      assert.equal((await logOf(store)).length, 0)
      assert.throws(() => spec(Box).when.set(data), { code: 'DECIDE_FAILED' })
    })
  }

  const bytes: Record<string, (buffer: ArrayBuffer) => ArrayBuffer | ArrayBufferView> = {
    'bytes of a buffer': (buffer) => buffer,
    'a view of bytes': (buffer) => new DataView(buffer, 1),
    'a typed array': (buffer) => new Uint8Array(buffer, 1),
    'a buffer of Node': (buffer) => Buffer.from(buffer, 1),
  }
  const readAll = (data: ArrayBuffer | ArrayBufferView): number[] =>
    data instanceof ArrayBuffer
      ? [...new Uint8Array(data)]
      : [...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]
  for (const [what, make] of Object.entries(bytes)) {
    test(`does not change if the caller changes it after the call: ${what}`, async () => {
      const seen: number[][] = []
      const Box = aggregate('box', () => 0)
        .on(Kept)
        .command('set', passing, (_, input): undefined => {
          seen.push(readAll(input))
        })
      await using running = await domain({ aggregates: { box: Box } }).start()
      const { buffer } = new Uint8Array([1, 2, 3])
      const given = readAll(make(buffer))
      const call = running.box('a').set(make(buffer))
      new Uint8Array(buffer).fill(9)
      await call
      assert.deepEqual(seen, [given])
    })
  }

  test('that cannot be frozen is copied again when it is decided again after a conflict', async () => {
    const store = memory()
    const Added = event('Added', z.object({ n: z.number() }))
    const seen: number[] = []
    const Box = aggregate('box', () => 0)
      .on(Added, (sum, { n }) => sum + n)
      .command('add', passing, (_, { bytes }) => {
        bytes[0] += 1
        seen.push(bytes[0])
        return Added({ n: bytes[0] })
      })
    const started = () => domain({ aggregates: { box: Box } }).start({ store })
    await using one = await started()
    await using two = await started()
    const send = (running: typeof one) => running.box('a').add({ bytes: new Uint8Array([10]) })
    for (let i = 0; i < 3; i++) {
      await send(one)
      await send(two)
    }
    assert.ok(seen.length > 6, 'some were decided again')
    assert.equal(await one.box('a').state(), 6 * 11)
  })
})
