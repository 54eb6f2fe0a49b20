/** One ring in one process; `test/personal` has several, on every store. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { codesOf, settled } from '../../../test/support/kernel/rig.ts'
import { heldStore } from '../../../test/support/stores/held-store.ts'
import { systemCipher } from '../../application/system-cipher.ts'
import { systemEnvironment } from '../../application/system-environment.ts'
import { encode } from '../../domain/encoding.ts'
import type { Json } from '../../domain/json.ts'
import { hasCode, memory, Personal, type StoreFactory } from '../../index.ts'
import type { Store } from '../../store/store.ts'
import { type Fault, faultyStore, type StoreCall } from '../../testing/faulty-store.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'
import { waitForOthersMs } from './key-holders.ts'
import { KeyRing, type KeyRingOptions } from './key-ring.ts'
import { opened, sealedBy } from './sealed.fixture.ts'

/** A ring whose clock can be moved, and which does not wait for others when it destroys a key. */
async function ringOn(
  t: TestContext,
  factory: StoreFactory,
  change: (store: Store) => KeyRingOptions['store'] = (store) => store,
) {
  const store = await factory.open({ warn: () => {}, now: Date.now })
  let aheadMs = 0
  let waits = 0
  const ring = new KeyRing({
    store: change(store),
    cipher: systemCipher(),
    environment: {
      ...systemEnvironment,
      elapsed: () => systemEnvironment.elapsed() + aheadMs,
      after: (ms, callback, options) => {
        if (ms === waitForOthersMs) waits++
        return systemEnvironment.after(ms === waitForOthersMs ? 0 : ms, callback, options)
      },
    },
  })
  t.after(() => {
    ring.close()
    return store.close()
  })
  return {
    ring,
    /** How often it has waited for other processes. */
    waits: () => waits,
    /** Lets so much time pass that the ring has to ask again. */
    later() {
      aheadMs += waitForOthersMs
    },
  }
}

/** A store that no other process can have open. */
const withoutOthers = (store: Store): KeyRingOptions['store'] => ({
  name: store.name,
  singleWriter: true,
  loadCheckpoint: (name) => store.loadCheckpoint(name),
  listRows: (name, query) => store.listRows(name, query),
  saveStep: (name, step) => store.saveStep(name, step),
  loadRowsWithCheckpoint: (name, keys) => store.loadRowsWithCheckpoint(name, keys),
})

const newerFacts = { what: 'A stored personal value', version: 2, known: 1 }

const keyIdIn = (box: Json): string => (box as { readonly $personal: string }).$personal.split('.')[1]!

test('a ring opens what another ring has sealed', async (t) => {
  const store = memory()
  const [one, other] = [await ringOn(t, store), await ringOn(t, store)]
  const box = await sealedBy(one.ring, 'ada', 'secret')
  assert.doesNotMatch(JSON.stringify(box), /secret/)
  assert.equal((await opened(other.ring, box)).value, 'secret')
})

test('the same text has another box each time, and all of a subject have one key', async (t) => {
  const { ring } = await ringOn(t, memory())
  const boxes = await Promise.all([1, 2, 3].map(() => sealedBy(ring, 'ada', 'secret')))
  assert.equal(new Set(boxes.map((box) => JSON.stringify(box))).size, 3)
  assert.equal(new Set(boxes.map(keyIdIn)).size, 1)
})

test('a box that was changed is not opened', async (t) => {
  const { ring } = await ringOn(t, memory())
  const { $personal } = (await sealedBy(ring, 'ada', 'secret')) as { readonly $personal: string }
  const last = $personal.at(-2) === 'A' ? 'B' : 'A'
  const value = await opened(ring, { $personal: `${$personal.slice(0, -2)}${last}${$personal.at(-1)}` })
  assert.throws(() => value.value, { code: 'STORE_CORRUPT' })
})

test('values that are sealed together have one encrypted text, and each opens alone', async (t) => {
  const { ring } = await ringOn(t, memory())
  const texts = ['a\n"b"', 'c', 'x'.repeat(150), 'y'.repeat(100), 'd']
  const values = texts.map((text, i) => Personal.of(i === 1 ? 'bob' : 'ada', text))
  await ring.seal(values)
  const boxes = values.map((value) => JSON.parse(JSON.stringify(encode('', value))) as Json)
  for (const [i, box] of boxes.entries()) assert.equal((await opened(ring, box)).value, texts[i])
  const sealed = boxes.map((box) => (box as { readonly $personal: string }).$personal.split('.')[3])
  assert.equal(sealed[0], sealed[2], 'two of one subject')
  assert.equal(sealed[3], sealed[4], 'too long for the first ones')
  assert.equal(new Set(sealed).size, 3)
})

test('a box that names a part which is not there is not opened', async (t) => {
  const { ring } = await ringOn(t, memory())
  const { $personal } = (await sealedBy(ring, 'ada', 'secret')) as { readonly $personal: string }
  for (const part of ['1', '-1', 'x']) {
    const value = await opened(ring, { $personal: $personal.replace('.0.', `.${part}.`) })
    assert.throws(() => value.value, { code: 'STORE_CORRUPT' }, part)
  }
})

test('a box of a newer format is refused by its code, and so is a key', async (t) => {
  const place = memory()
  const { ring } = await ringOn(t, place)
  const box = (await sealedBy(ring, 'ada', 'secret')) as { readonly $personal: string }
  const newer = { $personal: box.$personal.replace(/^1/, '2') }
  await assert.rejects(ring.open([{ list: [newer] }]), { code: 'PERSONAL_TOO_NEW', facts: { ...newerFacts } })
  const store = await place.open({ warn: () => {}, now: Date.now })
  const { checkpoint, values } = await store.loadRowsWithCheckpoint('personal keys', ['subject ada'])
  for (const [format, code] of [
    [2, 'PERSONAL_TOO_NEW'],
    [0, 'STORE_CORRUPT'],
  ] as const) {
    const value = { ...(values[0] as object), format }
    const rows = ['subject ada', `key ${keyIdIn(box)}`].map((key) => ({ key, value }))
    const { term } = await store.loadCheckpoint('personal keys')
    await store.saveStep('personal keys', {
      from: { position: 0, term },
      to: { ...checkpoint, term: term + 1 },
      rows,
    })
    const other = await ringOn(t, place)
    await assert.rejects(opened(other.ring, box), { code })
    await assert.rejects(sealedBy(other.ring, 'ada', 'more'), { code })
  }
  await store.close()
})

test('a damaged key does not look like a destroyed one', async (t) => {
  const place = memory()
  const { ring } = await ringOn(t, place)
  const box = await sealedBy(ring, 'ada', 'secret')
  const store = await place.open({ warn: () => {}, now: Date.now })
  const { checkpoint } = await store.loadRowsWithCheckpoint('personal keys', [])
  const { position, term, note } = checkpoint
  const rows = [{ key: `key ${keyIdIn(box)}`, value: { format: 1, id: keyIdIn(box), subject: 'ada' } }]
  await store.saveStep('personal keys', { from: { position, term }, to: { position, term: term + 1, note }, rows })
  await store.close()
  await assert.rejects(opened((await ringOn(t, place)).ring, box), { code: 'STORE_CORRUPT' })
})

test('a key store that went back to an earlier state is noticed, and no key of it is used', async (t) => {
  const place = memory()
  let isEarlier = false
  const wasEarlier = <Read extends { readonly note: object }>(read: Read) =>
    isEarlier ? { ...read, note: { destroyed: 0 } } : read
  const { ring, later } = await ringOn(t, place, (store) => ({
    name: store.name,
    singleWriter: false,
    listRows: store.listRows.bind(store),
    saveStep: store.saveStep.bind(store),
    loadCheckpoint: async (name) => wasEarlier(await store.loadCheckpoint(name)),
    async loadRowsWithCheckpoint(name, keys) {
      const read = await store.loadRowsWithCheckpoint(name, keys)
      return { ...read, checkpoint: wasEarlier(read.checkpoint) }
    },
  }))
  await sealedBy(ring, 'ada', 'secret')
  const other = await sealedBy(ring, 'bob', 'secret')
  await ring.destroy('ada')
  await ring.ask()
  isEarlier = true
  const replaced = { code: 'KEYS_REPLACED', facts: { store: 'memory', found: 0, known: 1 } }
  await assert.rejects(sealedBy(ring, 'carl', 'secret'), replaced)
  await assert.rejects(ring.ask(), replaced)
  later()
  await assert.rejects(opened(ring, other), replaced)
})

test('keys in memory are used without a question to the store', async (t) => {
  const calls: string[] = []
  const { ring } = await ringOn(
    t,
    faultyStore(memory(), ({ method }) => void calls.push(method)),
  )
  await sealedBy(ring, 'ada', 'secret')
  const before = calls.length
  for (let i = 0; i < 10; i++) assert.ok(ring.sealNow([Personal.of('ada', 'x')]))
  assert.equal(calls.length, before)
})

test('keys that are needed at once are made in one step', async (t) => {
  const calls: string[] = []
  const { ring } = await ringOn(
    t,
    faultyStore(memory(), ({ method }) => void calls.push(method)),
  )
  await ring.seal(Array.from({ length: 500 }, (_, i) => Personal.of(`person ${i}`, 'x')))
  assert.equal(calls.filter((method) => method === 'saveStep').length, 2, 'one says that this ring has keys')
})

test('a ring that has not asked for long neither opens nor seals before it has asked', async (t) => {
  const store = memory()
  const [one, other] = [await ringOn(t, store), await ringOn(t, store)]
  const box = await sealedBy(one.ring, 'ada', 'secret')
  const value = await opened(other.ring, box)
  await one.ring.destroy('ada')
  assert.equal(value.value, 'secret', 'within the time for which destroy waits')
  other.later()
  assert.ok(!other.ring.sealNow([Personal.of('ada', 'x')]))
  assert.throws(
    () => value.value,
    (error) => hasCode(error, 'KEYS_UNCONFIRMED'),
  )
  await other.ring.confirm()
  assert.ok(value.isForgotten)
  assert.notEqual(keyIdIn(await sealedBy(other.ring, 'ada', 'x')), keyIdIn(box))
})

test('an answer of the key store that is older than a destroyed key does not bring it back', async (t) => {
  const store = memory()
  const one = await ringOn(t, store)
  const box = await sealedBy(one.ring, 'ada', 'secret')
  const late = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  let isFirst = true
  const slow = (inner: Store): KeyRingOptions['store'] => ({
    name: inner.name,
    singleWriter: inner.singleWriter,
    loadCheckpoint: (name) => inner.loadCheckpoint(name),
    listRows: (name, query) => inner.listRows(name, query),
    saveStep: (name, step) => inner.saveStep(name, step),
    async loadRowsWithCheckpoint(name, keys) {
      const answer = await inner.loadRowsWithCheckpoint(name, keys)
      reached.resolve()
      const isLate = isFirst
      isFirst = false
      if (isLate) await late.promise
      return answer
    },
  })
  const other = await ringOn(t, store, slow)
  const value = opened(other.ring, box)
  await reached.promise
  await one.ring.destroy('ada')
  await other.ring.ask()
  late.resolve()
  assert.ok((await value).isForgotten)
})

test('a key whose row is missing is not taken for a destroyed one', async (t) => {
  const box = await sealedBy((await ringOn(t, memory())).ring, 'ada', 'secret')
  const { ring } = await ringOn(t, memory())
  await assert.rejects(opened(ring, box), (error) => hasCode(error, 'KEY_MISSING'))
})

/** Repeats what failed because of the fault, as a caller would. */
async function insist<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    assert.ok(hasCode(error, 'STORE_UNAVAILABLE'))
    return work()
  }
}

for (const fault of ['before', 'after'] as const) {
  test(`whichever call fails ${fault} its effect, a person has one key, and is forgotten in the end`, async (t) => {
    for (let nth = 1, isDone = false; !isDone; nth++) {
      let calls = 0
      const inner = memory()
      const store = faultyStore(inner, ({ method }: StoreCall): Fault | undefined =>
        method !== 'open' && method !== 'close' && ++calls === nth ? fault : undefined,
      )
      const { ring } = await ringOn(t, store)
      const boxes = [
        await insist(() => sealedBy(ring, 'ada', 'secret')),
        await insist(() => sealedBy(ring, 'ada', 'x')),
      ]
      assert.equal(new Set(boxes.map(keyIdIn)).size, 1)
      const later = (await ringOn(t, inner)).ring
      assert.equal((await opened(later, boxes[0]!)).value, 'secret')
      const destroyed = await insist(() => ring.destroy('ada'))
      assert.deepEqual(
        destroyed.map(({ id }) => id),
        [keyIdIn(boxes[0]!)],
      )
      assert.ok((await opened(ring, boxes[0]!)).isForgotten)
      assert.ok((await opened((await ringOn(t, inner)).ring, boxes[1]!)).isForgotten)
      isDone = calls < nth
    }
  })
}

test('a ring that is closed tries nothing again, and leaves no timer', async (t) => {
  let isGone = false
  const factory = faultyStore(memory(), ({ method }) => (isGone && method !== 'close' ? 'before' : undefined))
  const store = await factory.open({ warn: () => {}, now: Date.now })
  t.after(() => store.close())
  const box = await sealedBy((await ringOn(t, factory)).ring, 'ada', 'secret')
  const environment = manualEnvironment()
  const ring = new KeyRing({ store, cipher: systemCipher(), environment })
  isGone = true
  const asked = [sealedBy(ring, 'bob', 'secret'), opened(ring, box), ring.destroy('ada')].map((each) => codesOf([each]))
  await settled()
  assert.ok(environment.timers > 1)
  void ring.close()
  assert.deepEqual((await Promise.all(asked)).flat(), Array(3).fill('STORE_UNAVAILABLE'))
  await environment.advance(0)
  assert.equal(environment.timers, 0)
})

test('nobody is waited for if no other process has used keys', async (t) => {
  const place = memory()
  const { ring, waits } = await ringOn(t, place)
  assert.deepEqual(await ring.destroy('ada'), [])
  await sealedBy(ring, 'ada', 'secret')
  await ring.destroy('ada')
  assert.equal((await ring.destroy('ada')).length, 1)
  assert.equal((await (await ringOn(t, place)).ring.destroy('ada')).length, 1)
  assert.equal(waits(), 0)
})

test('no other process is waited for on a store that only one can open', async (t) => {
  const only = await ringOn(t, memory(), withoutOthers)
  await sealedBy(only.ring, 'ada', 'secret')
  assert.equal((await only.ring.destroy('ada')).length, 1)
  assert.equal(only.waits(), 0)
})

test('a key that is destroyed while it is loaded is not used, though no other process has to be waited for', async (t) => {
  const place = memory()
  const { store, hold } = heldStore(place)
  const [one, other] = [await ringOn(t, place), await ringOn(t, store, withoutOthers)]
  const box = await sealedBy(one.ring, 'ada', 'secret')
  await other.ring.ask()
  const loading = hold('answer', 'loadRowsWithCheckpoint')
  const opening = opened(other.ring, box)
  await loading.isThere
  await other.ring.destroy('ada')
  loading.release()
  assert.equal((await opening).isForgotten, true)
})

test('nothing is sealed with a key that is destroyed while it is loaded', async (t) => {
  const place = memory()
  const { store, hold } = heldStore(place)
  const [one, other] = [await ringOn(t, place), await ringOn(t, store, withoutOthers)]
  await sealedBy(one.ring, 'ada', 'secret')
  await other.ring.ask()
  const loading = hold('answer', 'loadRowsWithCheckpoint')
  const sealing = sealedBy(other.ring, 'ada', 'new')
  await loading.isThere
  await other.ring.destroy('ada')
  loading.release()
  const box = await sealing
  assert.equal((await opened((await ringOn(t, place)).ring, box)).value, 'new')
})

test('a key that was loaded before it was destroyed is not kept, whichever answer comes a moment before the other', async (t) => {
  for (let moments = -20; moments <= 20; moments++) {
    const place = memory()
    const { store, hold } = heldStore(place)
    const [one, other] = [await ringOn(t, place), await ringOn(t, store)]
    const box = await sealedBy(one.ring, 'ada', 'secret')
    await other.ring.ask()
    const loading = hold('answer', 'loadRowsWithCheckpoint')
    const opening = opened(other.ring, box)
    await loading.isThere
    const gone = one.ring.destroy('ada')
    await setImmediate()
    const listing = hold('answer', 'listRows')
    const asking = other.ring.ask()
    await listing.isThere
    const [first, last] = moments < 0 ? [loading, listing] : [listing, loading]
    first.release()
    for (let moment = 0; moment < Math.abs(moments); moment++) await undefined
    last.release()
    await Promise.all([asking, gone])
    assert.equal((await opening).isForgotten, true, `${moments}`)
  }
})
