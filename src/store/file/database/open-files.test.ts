/** The number of open files of the log: the one that is written, and a bounded number that are read. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commitTo, readLog, testPlace } from '../test-place.fixture.ts'
import { type Disk, type DiskFile, nodeDisk } from './disk.ts'
import { OpenFiles } from './open-files.ts'

const openMax = 64

/** The disk, and the names of the log's files that are open on it. */
function countingDisk(): { readonly disk: Disk; readonly open: () => readonly string[] } {
  const files = new Map<DiskFile, string>()
  const open: Disk['open'] = async (path, mode) => {
    const real = await nodeDisk.open(path, mode)
    const file: DiskFile = {
      ...real,
      close: async () => {
        assert.ok(files.delete(file), `${path} is closed once`)
        await real.close()
      },
    }
    files.set(file, path)
    return file
  }
  return {
    disk: { ...nodeDisk, open },
    open: () => [...files.values()].filter((path) => path.includes('/log-')),
  }
}

test('a finished segment is not kept open', async () => {
  await using place = await testPlace()
  const { disk, open } = countingDisk()
  const store = await place.open({ disk, segmentBytesMax: 1 })
  for (let n = 0; n < 100; n++) {
    await store.append([commitTo('a', `c${n}`)])
    assert.ok(open().length <= 1, `${open()}`)
  }
  assert.equal((await place.segments()).length, 100)
  assert.equal((await readLog(store)).length, 100)
  assert.ok(open().length <= openMax + 1, `${open().length} are open`)
  await store.append([commitTo('a', 'last')])
  await store.close()
  assert.deepEqual(open(), [])
})

test('many reads at once leave no more files open than reads one after the other', async () => {
  await using place = await testPlace()
  const { disk, open } = countingDisk()
  const store = await place.open({ disk, segmentBytesMax: 1 })
  for (let n = 1; n <= 200; n++) await store.append([commitTo('a', `c${n}`)])
  const reads = Array.from({ length: 200 }, (_, n) => store.readAll({ from: n + 1, to: n + 2 }))
  for (const { events } of await Promise.all(reads)) assert.equal(events.length, 1)
  assert.ok(open().length <= openMax + 1, `${open().length} are open`)
  await store.close()
  assert.deepEqual(open(), [])
})

test('a segment that is finished while it is read is closed when that is done, and not before', async () => {
  const files = new OpenFiles(nodeDisk)
  let closed = 0
  const close = async () => {
    closed++
  }
  files.keep('a', { close } as DiskFile)
  const reading = Promise.withResolvers<void>()
  const first = files.use('a', () => reading.promise)
  await files.release('a')
  const second = files.use('a', async () => closed)
  assert.equal(await second, 0)
  reading.resolve()
  await first
  assert.equal(closed, 1)
  await files.close()
  assert.equal(closed, 1)
})

test('reading what is being written leaves it open', async () => {
  const files = new OpenFiles(nodeDisk)
  let closed = 0
  files.keep('a', {
    close: async () => {
      closed++
    },
  } as DiskFile)
  await assert.rejects(
    files.use('a', () => Promise.reject(new Error('mine'))),
    /mine/,
  )
  await files.use('a', async () => {})
  assert.equal(closed, 0)
  await files.close()
  assert.equal(closed, 1)
})
