/** The saved index: reads are the same whatever happens to it. */
import assert from 'node:assert/strict'
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Store } from '../../store.ts'
import { commitTo, readLog, stream, type TestPlace, testPlace } from '../test-place.fixture.ts'

const streamCount = 7

async function fill(store: Store, from: number, to: number): Promise<void> {
  for (let i = from; i < to; i++) {
    const events = Array.from({ length: (i % 3) + 1 }, (_, n) => ({ type: `T${n}`, data: { i, n, text: 'é日本😀' } }))
    await store.append([commitTo(`s${i % streamCount}`, `c${i}`, { events })])
  }
}

/** All questions to the log. */
async function answers(store: Store): Promise<unknown> {
  const streams: unknown[] = []
  for (let s = 0; s < streamCount; s++) {
    const id = stream(`s${s}`)
    streams.push(await store.readStream(id, { from: 0, to: Number.POSITIVE_INFINITY }))
    streams.push(await store.readStream(id, { from: 5, to: 9 }))
    streams.push(await store.readStream(id, { from: 2, to: 20 }, { direction: 'backward', limit: 4 }))
    for (let i = 0; i < 60; i++) streams.push(await store.findCommit(id, `c${i}`))
  }
  return { head: await store.head(), log: await readLog(store), streams }
}

/** Fills and closes a store with 40 commits, and returns its answers. */
async function filled(place: TestPlace): Promise<unknown> {
  const store = await place.open({ segmentBytesMax: 2000 })
  await fill(store, 0, 40)
  const before = await answers(store)
  await store.close()
  return before
}

const damages: Readonly<Record<string, (path: string) => Promise<void>>> = {
  missing: (path) => rm(path),
  empty: (path) => writeFile(path, ''),
  'cut short': async (path) => writeFile(path, (await readFile(path)).subarray(0, -100)),
  'of nonsense': (path) => writeFile(path, 'nonsense\n'.repeat(100)),
  'damaged in a column': async (path) => {
    const bytes = await readFile(path)
    bytes[bytes.length - 300]! ^= 255
    await writeFile(path, bytes)
  },
  'damaged in its header': async (path) => {
    const bytes = await readFile(path)
    bytes[bytes.indexOf('"head":') + 7]! ^= 1
    await writeFile(path, bytes)
  },
}

describe('The saved index', () => {
  test('is used when it is intact', async () => {
    await using place = await testPlace()
    const before = await filled(place)
    const store = await place.open()
    assert.deepEqual(await answers(store), before)
    assert.deepEqual(place.warnings, [])
  })

  for (const [how, damage] of Object.entries(damages)) {
    test(`is rebuilt from the log when it is ${how}`, async () => {
      await using place = await testPlace()
      const before = await filled(place)
      await damage(join(place.directory, 'index.bin'))
      const store = await place.open()
      assert.deepEqual(await answers(store), before)
      assert.deepEqual(place.warnings, ['INDEX_REBUILT'])
      await store.close()
      const again = await place.open()
      assert.deepEqual(await answers(again), before)
      assert.deepEqual(place.warnings, ['INDEX_REBUILT'])
    })
  }

  test('of an earlier time is used as far as it goes', async () => {
    await using place = await testPlace()
    await filled(place)
    const path = join(place.directory, 'index.bin')
    await copyFile(path, `${path}.old`)
    const second = await place.open({ segmentBytesMax: 2000 })
    await fill(second, 40, 60)
    const before = await answers(second)
    await second.close()
    await copyFile(`${path}.old`, path)
    const third = await place.open()
    assert.deepEqual(await answers(third), before)
    assert.deepEqual(place.warnings, [])
  })

  test('of another log is not used', async () => {
    await using place = await testPlace()
    await using other = await testPlace()
    const before = await filled(place)
    const store = await other.open({ segmentBytesMax: 2000 })
    await fill(store, 30, 45)
    await store.close()
    await copyFile(join(other.directory, 'index.bin'), join(place.directory, 'index.bin'))
    const again = await place.open()
    assert.deepEqual(await answers(again), before)
    assert.deepEqual(place.warnings, ['INDEX_REBUILT'])
  })
})
