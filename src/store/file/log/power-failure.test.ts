/** A store that answers before its commits are on the disk, after a power failure: it is shorter, and opens. */
import assert from 'node:assert/strict'
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { hasCode } from '../../../domain/error.ts'
import type { Store } from '../../store.ts'
import { FailingDisk } from '../failing-disk.fixture.ts'
import { commitIds, commitTo, readLog, type TestPlace, testPlace } from '../test-place.fixture.ts'

const ids = ['a', 'b', 'c', 'd', 'e']

async function append(store: Store, some: readonly string[]): Promise<void> {
  for (const id of some) await store.append([commitTo('x', id)])
}

/** The files that a power failure leaves of an open store, with null bytes in place of a commit. */
async function leftOf(place: TestPlace, left: TestPlace, hole: string): Promise<void> {
  await cp(place.directory, left.directory, { recursive: true, filter: (path) => !path.includes('lock-') })
  const path = (await left.segments()).at(-1)!
  const bytes = await readFile(path)
  const at = bytes.indexOf(`"commit":"${hole}"`)
  assert.notEqual(at, -1)
  await writeFile(path, bytes.fill(0, at, at + 30))
}

describe('A store that may lose on a power failure', () => {
  for (const mayLoseOnPowerFailure of [true, false]) {
    test(`opens at its last whole prefix, ${mayLoseOnPowerFailure ? 'with the option' : 'even without the option'}`, async () => {
      await using place = await testPlace()
      await using left = await testPlace()
      const store = await place.open({ mayLoseOnPowerFailure: true })
      await append(store, ids)
      await leftOf(place, left, 'c')
      const again = await left.open({ mayLoseOnPowerFailure })
      assert.deepEqual(commitIds(await readLog(again)), ['a', 'b'])
      const [message] = left.messages
      assert.match(message!, /were cut, and 2 whole commits among them/)
      await append(again, ['C'])
      await again.close()
      const third = await left.open()
      assert.deepEqual(commitIds(await readLog(third)), ['a', 'b', 'C'])
    })
  }

  test('is refused if synced data is damaged', async () => {
    await using place = await testPlace()
    await using left = await testPlace()
    const first = await place.open()
    await append(first, ids)
    await first.close()
    const store = await place.open({ mayLoseOnPowerFailure: true })
    await append(store, ['f'])
    await leftOf(place, left, 'c')
    const again = await left.open()
    await assert.rejects(readLog(again), (error) => hasCode(error, 'STORE_CORRUPT'))
    await again.close()
    await rm(join(left.directory, 'index.bin'))
    await assert.rejects(left.open(), (error) => hasCode(error, 'STORE_CORRUPT'))
  })

  for (const [how, settings] of [
    ['was closed', { mayLoseOnPowerFailure: true }],
    ['was opened since without that', { mayLoseOnPowerFailure: false }],
  ] as const) {
    test(`is like any other when it ${how}`, async () => {
      await using place = await testPlace()
      await using left = await testPlace()
      const store = await place.open({ mayLoseOnPowerFailure: true })
      await append(store, ids)
      if (settings.mayLoseOnPowerFailure) await store.close()
      else {
        await using killed = await testPlace()
        await leftOf(place, killed, 'e')
        const second = await killed.open(settings)
        await append(second, ['E', 'F'])
        await leftOf(killed, left, 'E')
        await assert.rejects(left.open(), (error) => hasCode(error, 'STORE_CORRUPT'))
        return
      }
      assert.ok(!(await readdir(place.directory)).includes('unsynced.json'))
      await leftOf(place, left, 'c')
      await assert.rejects(left.open(), (error) => hasCode(error, 'STORE_CORRUPT'))
    })
  }

  test('writes nothing more after a sync that failed, since the next one may report success for lost data', async () => {
    await using place = await testPlace()
    const { disk, failing } = new FailingDisk()
    const store = await place.open({ disk, mayLoseOnPowerFailure: true, segmentBytesMax: 1 })
    await append(store, ['a'])
    failing.set('sync', 'EIO')
    await assert.rejects(append(store, ['b']), (error) => hasCode(error, 'NOT_STORED'))
    failing.clear()
    await assert.rejects(append(store, ['c']), (error) => hasCode(error, 'STORE_HALTED'))
    assert.deepEqual(commitIds(await readLog(store)), ['a'])
    await store.close()
    assert.ok((await readdir(place.directory)).includes('unsynced.json'))
    assert.ok(!(await readdir(place.directory)).includes('index.bin'))
    const again = await place.open()
    await append(again, ['d'])
    assert.deepEqual(commitIds(await readLog(again)), ['a', 'd'])
  })

  test('says which of its files cannot be read', async () => {
    await using place = await testPlace()
    await (await place.open()).close()
    await writeFile(join(place.directory, 'unsynced.json'), '{')
    await assert.rejects(place.open(), (error: unknown) => {
      assert.ok(hasCode(error, 'STORE_CORRUPT'))
      assert.match(error.message, /unsynced\.json/)
      return true
    })
  })
})
