/** For whom one waits who destroys a key. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { codesOf, settled } from '../../../test/support/kernel/rig.ts'
import { heldStore } from '../../../test/support/stores/held-store.ts'
import { systemCipher } from '../../application/system-cipher.ts'
import { memory, StoreError } from '../../index.ts'
import type { Store } from '../../store/store.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'
import type { KeyStore } from './key-changes.ts'
import { KeyRing } from './key-ring.ts'
import { opened, sealedBy } from './sealed.fixture.ts'

/** Rings on one store whose time is that of a test. One that stands still has no timers. */
async function ringsInTime(t: TestContext) {
  const environment = manualEnvironment()
  const store = await memory().open({ warn: () => {}, now: environment.now })
  t.after(() => store.close())
  const cipher = systemCipher()
  return {
    environment,
    store,
    ring: () => new KeyRing({ store, cipher, environment }),
    standing: () => new KeyRing({ store, cipher, environment: { ...environment, after: () => () => {} } }),
    /** How long some work takes. */
    async took(work: Promise<unknown>): Promise<number> {
      let isOver = false
      void work.finally(() => {
        isOver = true
      })
      const begun = environment.elapsed()
      for (;;) {
        await environment.advance(0)
        if (isOver) return environment.elapsed() - begun
        await environment.advance(10)
      }
    },
  }
}

test('destroying a key takes until the other processes have asked, which they do each second', async (t) => {
  const { environment, ring, took } = await ringsInTime(t)
  const one = ring()
  const box = await sealedBy(one, 'ada', 'secret')
  const others = [ring(), ring(), ring()]
  const opening = Promise.all(others.map((other) => opened(other, box)))
  await took(opening)
  const values = await opening
  await environment.advance(300)
  const takenMs = await took(
    one.destroy('ada').then(() => {
      for (const value of values) assert.ok(value.isForgotten)
    }),
  )
  assert.ok(takenMs > 0 && takenMs <= 1000, `${takenMs} ms`)
  // Whoever has no keys is not waited for, and the first call may have been cut short.
  assert.equal(await took(ring().destroy('ada')), 0)
})

test('a process that stands still is waited for until it cannot use its keys, once', async (t) => {
  const { environment, ring, standing, took } = await ringsInTime(t)
  const one = ring()
  const box = await sealedBy(one, 'ada', 'secret')
  const bobs = await sealedBy(one, 'bob', 'secret')
  const other = standing()
  const value = await opened(other, box)
  const takenMs = await took(
    one.destroy('ada').then(() => {
      assert.throws(() => value.value, { code: 'KEYS_UNCONFIRMED' })
    }),
  )
  assert.ok(takenMs > 5000 && takenMs < 5300, `${takenMs} ms`)
  assert.equal(await took(one.destroy('ada')), 0)
  // When it goes on, it is waited for again.
  assert.equal((await opened(other, bobs)).value, 'secret')
  assert.ok(value.isForgotten)
  assert.ok((await took(one.destroy('bob'))) > 5000)
  await environment.advance(0)
})

test('nobody waits for the other processes any more when its own process stops', async (t) => {
  const { environment, ring, standing } = await ringsInTime(t)
  const one = ring()
  await opened(standing(), await sealedBy(one, 'ada', 'secret'))
  const destroying = assert.rejects(one.destroy('ada'), { code: 'STOPPED' })
  await environment.advance(100)
  await one.close()
  await destroying
  assert.equal(environment.timers, 0)
})

test('an answer about destroyed keys counts from when it was asked for, not from when it came', async () => {
  const environment = manualEnvironment()
  const place = memory()
  const { store, hold } = heldStore(place)
  const [one, other] = await Promise.all([place, store].map((each) => each.open({ warn: () => {}, now: Date.now })))
  const ringOf = (each: Store) => new KeyRing({ store: each, cipher: systemCipher(), environment })
  const box = await sealedBy(ringOf(one!), 'ada', 'secret')
  const ring = ringOf(other!)
  const value = await opened(ring, box)
  const asking = hold('answer', 'loadRowsWithCheckpoint')
  await environment.advance(1000)
  await asking.isThere
  await environment.advance(3500)
  asking.release()
  await environment.advance(0)
  const lost = [1, 2, 3].map(() => hold('answer', 'loadRowsWithCheckpoint'))
  await environment.advance(1400)
  assert.equal(value.value, 'secret')
  await environment.advance(200)
  assert.throws(() => value.value, { code: 'KEYS_UNCONFIRMED' })
  for (const { release } of lost) release()
  await Promise.all([one!.close(), other!.close()])
})

test('values of a domain that was stopped can be read for a moment, and are waited for', async (t) => {
  const { environment, ring, took } = await ringsInTime(t)
  const [one, other, another] = [ring(), ring(), ring()]
  const box = await sealedBy(one, 'ada', 'secret')
  const value = await opened(other, box)
  await took(other.close())
  assert.equal(value.value, 'secret')
  const takenMs = await took(one.destroy('ada'))
  assert.ok(takenMs > 5000 && takenMs < 5300, `${takenMs} ms`)
  assert.throws(() => value.value, { code: 'KEYS_UNCONFIRMED' })
  // One that was stopped long ago has none.
  const bobs = await sealedBy(one, 'bob', 'secret')
  assert.equal((await opened(another, bobs)).value, 'secret')
  await took(another.close())
  await environment.advance(61_000)
  assert.equal(await took(one.destroy('bob')), 0)
})

test('a process that may only read the key store reads values, and knows soon that a key was destroyed', async (t) => {
  const { environment, store, ring, took } = await ringsInTime(t)
  const one = ring()
  const box = await sealedBy(one, 'ada', 'secret')
  let refused = 0
  const readOnly: KeyStore = {
    name: store.name,
    singleWriter: false,
    loadCheckpoint: (name) => store.loadCheckpoint(name),
    loadRowsWithCheckpoint: (name, keys) => store.loadRowsWithCheckpoint(name, keys),
    listRows: (name, query) => store.listRows(name, query),
    async saveStep() {
      refused++
      throw new StoreError('STORE_READ_ONLY', { store: store.name })
    },
  }
  const reader = new KeyRing({ store: readOnly, cipher: systemCipher(), environment })
  const value = await opened(reader, box)
  assert.equal(value.value, 'secret')
  assert.equal(await took(one.destroy('ada')), 0, 'nobody waits for it')
  await environment.advance(1000)
  assert.ok(value.isForgotten)
  assert.ok(refused > 0)
  await took(reader.close())
})

for (const nth of [1, 2]) {
  test(`a ring that is closed at its look ${nth} for others does not say that nobody has the key`, async () => {
    const environment = manualEnvironment()
    const place = memory()
    const { store, hold } = heldStore(place)
    const [one, other] = await Promise.all([place, store].map((each) => each.open({ warn: () => {}, now: Date.now })))
    const standing = { ...environment, after: () => () => {} }
    await sealedBy(new KeyRing({ store: one!, cipher: systemCipher(), environment: standing }), 'ada', 'secret')
    const ring = new KeyRing({ store: other!, cipher: systemCipher(), environment })
    await sealedBy(ring, 'ada', 'secret')
    // Its last question has no answer yet, so it is not closed in good order.
    const asking = hold('answer', 'loadRowsWithCheckpoint')
    await environment.advance(1000)
    await asking.isThere
    const looks = Array.from({ length: nth }, () => hold('answer', 'listRows'))
    const destroyed = codesOf([ring.destroy('ada')])
    for (const look of looks.slice(0, -1)) {
      await look.isThere
      look.release()
      await settled()
      await environment.advance(10)
    }
    await looks.at(-1)!.isThere
    void ring.close()
    await environment.advance(1000)
    looks.at(-1)!.release()
    assert.deepEqual(await destroyed, ['STOPPED'])
    assert.equal(environment.timers, 0)
    asking.release()
    await Promise.all([one!.close(), other!.close()])
  })
}

test('rows of processes that were stopped are removed by those that come', async () => {
  const place = memory()
  const store = await place.open({ warn: () => {}, now: Date.now })
  const environment = manualEnvironment()
  const rows = async () => (await store.listRows('personal keys', { prefix: 'holder ', limit: 10 })).rows.length
  for (let i = 0; i < 3; i++) {
    const ring = new KeyRing({ store, cipher: systemCipher(), environment })
    await sealedBy(ring, `person ${i}`, 'secret')
    assert.equal(await rows(), [1, 2, 1][i])
    await Promise.all([ring.close(), environment.advance(1000)])
    await environment.advance(i === 0 ? 0 : 61_000)
  }
  await store.close()
})
