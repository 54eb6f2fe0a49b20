/** A failing disk may make a file store refuse work, but never lose, double or invent data. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { sized } from '../../../test/support/size.ts'
import { hasCode, MnemeError } from '../../domain/error.ts'
import { at } from '../../testing/checkpoint-at.ts'
import type { Commit } from '../commit.ts'
import type { Store } from '../store.ts'
import { FailingDisk, type FailureMode } from './failing-disk.fixture.ts'
import { commitIds, commitTo, readLog, snapshotOf, stream, type TestPlace, testPlace } from './test-place.fixture.ts'

const rejectsWith = (promise: Promise<unknown>, code: Parameters<typeof hasCode>[1]): Promise<void> =>
  assert.rejects(promise, (error: unknown) => {
    assert.ok(hasCode(error, code), String(error))
    return true
  })

/** The answers to the callers of a workload. */
interface Told {
  readonly stored: Set<string>
  readonly certainlyNot: Set<string>
  checkpoint: number
  /** Steps that may or may not have been made after the checkpoint. */
  checkpointMax: number
  snapshot: number
  snapshotMax: number
}

const certain = new Set<unknown>(['STORE_FULL', 'STORE_READ_ONLY', 'STORE_CLOSED', 'NOT_STORED', 'STORE_HALTED'])

async function offer(store: Store, told: Told, commits: readonly Commit[]): Promise<void> {
  try {
    const results = await store.append(commits)
    for (const [i, { status }] of results.entries()) if (status === 'stored') told.stored.add(commits[i]!.id)
  } catch (error) {
    assert.ok(error instanceof MnemeError, String(error))
    if (certain.has(error.code)) for (const { id } of commits) told.certainlyNot.add(id)
  }
}

/** Whether a call succeeded. A failure must have a code. */
async function succeeds(call: Promise<unknown>): Promise<boolean> {
  try {
    await call
    return true
  } catch (error) {
    assert.ok(error instanceof MnemeError, String(error))
    return false
  }
}

async function work(store: Store, told: Told, round: number): Promise<void> {
  for (let i = 0; i < 3; i++) {
    const ids = [`${round}-${i}-a`, `${round}-${i}-b`]
    await Promise.all(ids.map((id, n) => offer(store, told, [commitTo(`s${n}`, id), commitTo('hot', `${id}-hot`)])))
    const to = round * 100 + i + 1
    const { position, term } = await store.loadCheckpoint('p')
    const rows = [
      { key: 'to', value: to },
      { key: `row ${i % 2}`, value: 'x'.repeat(300) },
    ]
    told.checkpointMax = to
    if (await succeeds(store.saveStep('p', { from: { position, term }, to: at(to), rows }))) told.checkpoint = to
    const snapshot = snapshotOf(stream('hot'), to, { to })
    told.snapshotMax = to
    if (await succeeds(store.saveSnapshot(snapshot, { keep: 2 }))) told.snapshot = to
  }
}

const settings = { segmentBytesMax: 1500, compactBytesMin: 900 }

/** Opens, works and closes twice on a disk that fails at some call. */
async function run(place: TestPlace, failing: FailingDisk, told: Told): Promise<void> {
  for (let round = 0; round < 2; round++) {
    let store: Store
    try {
      store = await place.open({ ...settings, disk: failing.disk })
    } catch (error) {
      assert.ok(error instanceof MnemeError, String(error))
      continue
    }
    await work(store, told, round)
    await succeeds(store.close())
  }
}

async function check(place: TestPlace, told: Told, where: string): Promise<void> {
  const store = await place.open({ ...settings, disk: new FailingDisk().disk })
  const log = await readLog(store)
  const ids = commitIds(log)
  assert.equal(new Set(ids).size, ids.length, `${where}: something is there twice`)
  for (const id of told.stored) assert.ok(ids.includes(id), `${where}: ${id} was acknowledged and is lost`)
  for (const id of told.certainlyNot) assert.ok(!ids.includes(id), `${where}: ${id} was refused and is there`)
  const sequences = new Map<string, number>()
  for (const [i, { position, sequence, stream }] of log.entries()) {
    assert.equal(position, i + 1, where)
    assert.equal(sequence, (sequences.get(stream.id) ?? 0) + 1, where)
    sequences.set(stream.id, sequence)
  }
  for (const [id, sequence] of sequences) {
    const read = await store.readStream(stream(id), { from: 0, to: Number.POSITIVE_INFINITY })
    assert.equal(read.length, sequence, where)
  }
  const { position: checkpoint } = await store.loadCheckpoint('p')
  assert.ok(checkpoint >= told.checkpoint && checkpoint <= told.checkpointMax, `${where}: checkpoint ${checkpoint}`)
  assert.equal((await store.loadRows('p', ['to']))[0] ?? 0, checkpoint, where)
  const snapshot = (await store.loadSnapshot(stream('hot')))?.sequence ?? 0
  assert.ok(snapshot >= told.snapshot && snapshot <= told.snapshotMax, `${where}: snapshot ${snapshot}`)
  const [after] = await store.append([commitTo('hot', 'after')])
  assert.equal(after?.status, 'stored', where)
  await store.close()
}

describe('When one call to the disk fails', () => {
  for (const mode of ['before', 'after', 'half-way'] satisfies FailureMode[]) {
    test(`${mode} its effect, acknowledged data is stored once and nothing else is, whichever call it is`, async () => {
      for (let call = 1; ; call += sized(1, 5)) {
        await using place = await testPlace()
        const failing = new FailingDisk(call, mode)
        const told: Told = {
          stored: new Set(),
          certainlyNot: new Set(),
          checkpoint: 0,
          checkpointMax: 0,
          snapshot: 0,
          snapshotMax: 0,
        }
        await run(place, failing, told)
        await check(place, told, `call ${call} failed ${mode}`)
        if (failing.hasFailed) continue
        assert.ok(call > 20, `only ${call} calls`)
        break
      }
    })
  }
})

describe('A disk that is full', () => {
  test('refuses with STORE_FULL, and the store continues when there is room', async () => {
    await using place = await testPlace()
    const failing = new FailingDisk()
    const store = await place.open({ disk: failing.disk })
    await store.append([commitTo('x', 'a')])
    failing.failing.set('write', 'ENOSPC').set('writeDurably', 'ENOSPC')
    await rejectsWith(store.append([commitTo('x', 'b')]), 'STORE_FULL')
    await rejectsWith(store.saveStep('p', { from: at(0), to: at(1), rows: [] }), 'STORE_FULL')
    assert.deepEqual(commitIds(await readLog(store)), ['a'])
    failing.failing.clear()
    const [result] = await store.append([commitTo('x', 'b', { expected: 1 })])
    assert.deepEqual(result, { ...result, status: 'stored', sequence: 2, position: 2, count: 1 })
    await store.saveStep('p', { from: at(0), to: at(1), rows: [] })
    await store.close()
    const again = await place.open()
    assert.deepEqual(commitIds(await readLog(again)), ['a', 'b'])
    assert.deepEqual(place.warnings, [])
  })

  test('and cannot make the undoing durable leaves the outcome unknown until the store is opened again', async () => {
    await using place = await testPlace()
    const failing = new FailingDisk()
    const store = await place.open({ disk: failing.disk })
    failing.failing.set('writeDurably', 'ENOSPC').set('sync', 'ENOSPC')
    await rejectsWith(store.append([commitTo('x', 'a')]), 'STORE_UNAVAILABLE')
    failing.failing.clear()
    await rejectsWith(store.append([commitTo('x', 'a')]), 'STORE_HALTED')
    await store.close()
    const again = await place.open()
    assert.equal((await again.append([commitTo('x', 'a')])).length, 1)
    assert.deepEqual(commitIds(await readLog(again)), ['a'])
  })
})

describe('A write that cannot be undone', () => {
  test('ends all writing until the store is opened again, and reading goes on', async () => {
    await using place = await testPlace()
    const failing = new FailingDisk()
    const store = await place.open({ disk: failing.disk })
    await store.append([commitTo('x', 'a')])
    failing.failing.set('writeDurably', 'EIO').set('truncate', 'EIO')
    await rejectsWith(store.append([commitTo('x', 'b')]), 'STORE_UNAVAILABLE')
    failing.failing.clear()
    await assert.rejects(store.append([commitTo('x', 'c')]), /open it again/)
    assert.deepEqual(commitIds(await readLog(store)), ['a'])
    await store.close()
    const again = await place.open()
    const ids = commitIds(await readLog(again))
    const [result] = await again.append([commitTo('x', 'b')])
    assert.equal(result?.status, ids.includes('b') ? 'duplicate' : 'stored')
  })
})

describe('A place that cannot be written to', () => {
  for (const code of ['EROFS', 'EACCES', 'EPERM']) {
    test(`is refused at opening with STORE_READ_ONLY (${code})`, async () => {
      await using place = await testPlace()
      const failing = new FailingDisk()
      for (const call of ['makeTree', 'write', 'rename', 'remove']) failing.failing.set(call, code)
      await rejectsWith(place.open({ disk: failing.disk }), 'STORE_READ_ONLY')
    })
  }
})
