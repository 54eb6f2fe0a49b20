/** The journals of snapshots, projections and leases. */
import assert from 'node:assert/strict'
import { copyFile, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { hasCode } from '../../../domain/error.ts'
import { at } from '../../../testing/checkpoint-at.ts'
import type { Store } from '../../store.ts'
import { nodeDisk } from '../database/disk.ts'
import { commitTo, snapshotOf, stream, type TestPlace, testPlace } from '../test-place.fixture.ts'

const pathOf = ({ directory }: TestPlace, name: string) => join(directory, `${name}.jsonl`)

/** Steps that each write the same few rows. */
async function step(store: Store, from: number, to: number): Promise<void> {
  for (let step = from; step < to; step++) {
    const rows = [0, 1, 2].map((n) => ({ key: `row ${n}`, value: { at: step, text: 'é'.repeat(20) } }))
    await store.saveStep('p', {
      from: at(step),
      to: at(step + 1),
      rows: step === 5 ? [{ key: 'gone', value: 1 }] : rows,
    })
  }
  await store.saveStep('p', { from: at(to), to: at(to), rows: [{ key: 'gone', value: undefined }] })
}

describe('A journal', () => {
  test('is rewritten when it is much larger than its live content, and has the same content', async () => {
    await using place = await testPlace()
    const first = await place.open({ compactBytesMin: 2000 })
    await step(first, 0, 200)
    for (let sequence = 1; sequence <= 100; sequence++) {
      const snapshot = snapshotOf(stream('a'), sequence, 'x'.repeat(100))
      await first.saveSnapshot(snapshot, { keep: 2 })
      await first.acquireLease('lease', 'me', 1000)
    }
    const { rows } = await first.listRows('p', { limit: 10 })
    await first.close()
    for (const name of ['projections', 'snapshots', 'leases']) assert.ok((await stat(pathOf(place, name))).size < 4000)
    const second = await place.open()
    assert.deepEqual((await second.listRows('p', { limit: 10 })).rows, rows)
    assert.equal(rows.length, 3)
    assert.equal((await second.loadCheckpoint('p')).position, 200)
    assert.equal((await second.loadSnapshot(stream('a')))?.sequence, 100)
    assert.equal((await second.loadSnapshot(stream('a'), { atOrBefore: 99 }))?.sequence, 99)
    assert.equal(await second.loadSnapshot(stream('a'), { atOrBefore: 98 }), undefined)
    assert.equal((await second.acquireLease('lease', 'you', 1000)).owner, 'me')
  })

  test('that was torn in a step is cut, and rows and checkpoint are those before the step', async () => {
    await using place = await testPlace()
    const first = await place.open()
    await step(first, 0, 3)
    await first.saveStep('p', { from: at(3), to: at(9), rows: [{ key: 'row 0', value: 'last' }] })
    await first.close()
    const path = pathOf(place, 'projections')
    const whole = await readFile(path)
    const lastLine = whole.lastIndexOf(10, whole.length - 2) + 1
    for (let length = lastLine; length < whole.length; length++) {
      await writeFile(path, whole.subarray(0, length))
      place.warnings.length = 0
      const store = await place.open()
      assert.equal((await store.loadCheckpoint('p')).position, 3)
      assert.notEqual((await store.loadRows('p', ['row 0']))[0], 'last')
      assert.equal(place.warnings.includes('TORN_TAIL_CUT'), length > lastLine)
      await store.close()
    }
  })

  test('is synced before the answer to a step that must last, and not for one that may be lost', async () => {
    await using place = await testPlace()
    let synced: readonly string[] = []
    const open: typeof nodeDisk.open = async (path, mode) => {
      const file = await nodeDisk.open(path, mode)
      const sync = async () => {
        await file.sync()
        synced = [...synced, path]
      }
      return { ...file, sync }
    }
    const disk = { ...nodeDisk, open }
    for (const [mayLoseOnPowerFailure, mayBeLost, isSynced] of [
      [false, undefined, true],
      [false, false, true],
      [false, true, false],
      [true, false, false],
    ] as const) {
      const store = await place.open({ disk, mayLoseOnPowerFailure })
      const from = await store.loadCheckpoint('p')
      synced = []
      await store.saveStep('p', { from, to: from, rows: [], ...(mayBeLost !== undefined && { mayBeLost }) })
      assert.deepEqual(synced, isSynced ? [pathOf(place, 'projections')] : [])
      await store.close()
    }
  })

  test('that could not be synced accepts no more changes', async () => {
    await using place = await testPlace()
    let isBroken = false
    const open: typeof nodeDisk.open = async (path, mode) => {
      const file = await nodeDisk.open(path, mode)
      const sync = () => (isBroken ? Promise.reject(new Error('no')) : file.sync())
      return { ...file, sync }
    }
    const store = await place.open({ disk: { ...nodeDisk, open } })
    isBroken = true
    const step = { from: at(0), to: at(1), rows: [] }
    await assert.rejects(store.saveStep('p', step), { code: 'STORE_UNAVAILABLE' })
    isBroken = false
    await assert.rejects(store.saveStep('p', step), { code: 'STORE_HALTED' })
    await store.close()
  })

  test('of rows with a damaged complete line is refused, and one of snapshots is cut there', async () => {
    const flipped = (line: string): string => line.replace(/}$/, ')')
    const damages: Readonly<Record<string, (lines: readonly string[]) => readonly string[]>> = {
      'a flipped bit': ([first, second, ...rest]) => [first!, flipped(second!), ...rest],
      'a flipped bit in the last line': (lines) => [...lines.slice(0, -2), flipped(lines.at(-2)!), ''],
      'a line that is gone': ([first, , ...rest]) => [first!, ...rest],
      'a line twice': ([first, ...rest]) => [first!, first!, ...rest],
      'no first line': ([, ...rest]) => rest,
      'a line that begins like a negative number': ([first, second, ...rest]) => [
        first!,
        `-3${second!.slice(2)}`,
        ...rest,
      ],
    }
    for (const [how, damage] of Object.entries(damages)) {
      await using place = await testPlace()
      const first = await place.open()
      await step(first, 0, 5)
      for (let n = 1; n < 5; n++) await first.saveSnapshot(snapshotOf(stream('p'), n), { keep: 9 })
      await first.close()
      const [rows, snapshots] = [pathOf(place, 'projections'), pathOf(place, 'snapshots')]
      for (const path of [rows, snapshots]) {
        await writeFile(path, damage((await readFile(path, 'utf8')).split('\n')).join('\n'))
      }
      const damaged = await Promise.all([rows, snapshots].map((path) => readFile(path, 'utf8')))
      await assert.rejects(place.open(), (error: unknown) => {
        assert.ok(hasCode(error, 'STORE_CORRUPT'), how)
        assert.match(error.message, /projections\.jsonl.*remove the file/)
        return true
      })
      assert.deepEqual(await Promise.all([rows, snapshots].map((path) => readFile(path, 'utf8'))), damaged, how)
      await rm(rows)
      const second = await place.open()
      assert.deepEqual(await second.loadCheckpoint('p'), at(0))
      assert.ok(place.warnings.includes('TORN_TAIL_CUT'), how)
    }
  })

  test('has nothing of a change that failed when its line was already written', async () => {
    await using place = await testPlace()
    let isBroken = false
    const identityOf: typeof nodeDisk.identityOf = (path) =>
      isBroken && path.endsWith('projections.jsonl') ? Promise.reject(new Error('no')) : nodeDisk.identityOf(path)
    const first = await place.open({ disk: { ...nodeDisk, identityOf } })
    isBroken = true
    const long = { from: at(0), to: at(1), rows: [{ key: 'row', value: 'long '.repeat(100) }] }
    await assert.rejects(first.saveStep('p', long), { code: 'STORE_HALTED' })
    isBroken = false
    await first.saveStep('p', { from: at(0), to: at(2), rows: [] })
    await first.close()
    const second = await place.open()
    assert.deepEqual([await second.loadCheckpoint('p'), await second.loadRows('p', ['row'])], [at(2), [undefined]])
    assert.deepEqual(place.warnings, [])
    await second.close()
  })

  test('of rows with a hole is refused if what is missing was synced, and otherwise cut there', async () => {
    for (const [mayBeLost, compactBytesMin] of [
      [false, 1_000_000],
      [true, 1_000_000],
      [true, 100],
    ] as const) {
      await using place = await testPlace()
      const first = await place.open({ compactBytesMin })
      for (let from = 0; from < 9; from++) {
        const rows = [{ key: `row ${from % 2}`, value: 'x'.repeat(10) }]
        await first.saveStep('p', { from: at(from), to: at(from + 1), rows, mayBeLost })
        if (compactBytesMin === 100) await first.saveStep(`q${from}`, { from: at(0), to: at(1), rows: [], mayBeLost })
      }
      await first.close()
      const path = pathOf(place, 'projections')
      const bytes = await readFile(path)
      const hole = bytes.subarray(0, bytes.length / 2).lastIndexOf(10) + 1
      bytes.fill(0, hole, hole + 5)
      await writeFile(path, bytes)
      if (mayBeLost && compactBytesMin > 100) {
        const second = await place.open()
        assert.ok((await second.loadCheckpoint('p')).position > 0)
        assert.ok(place.warnings.includes('TORN_TAIL_CUT'))
        await second.close()
      } else await assert.rejects(place.open(), (error) => hasCode(error, 'STORE_CORRUPT'))
    }
  })

  test('of rows is refused wherever null bytes stand in place of a whole line that was synced', async () => {
    await using place = await testPlace()
    const first = await place.open()
    await step(first, 0, 5)
    await first.close()
    const path = pathOf(place, 'projections')
    const whole = await readFile(path)
    const starts = [0, ...Array.from(whole.keys()).filter((i) => whole[i - 1] === 10)]
    assert.ok(starts.length >= 5)
    for (const [i, end] of starts.slice(1).entries()) {
      await writeFile(path, Buffer.from(whole).fill(0, starts[i]!, end))
      await assert.rejects(place.open(), (error) => hasCode(error, 'STORE_CORRUPT'), `line ${i + 1}`)
    }
  })

  test('of another store, or of other data, is refused', async () => {
    await using place = await testPlace()
    await using other = await testPlace()
    for (const one of [place, other]) {
      const store = await one.open()
      await step(store, 0, 3)
      await store.acquireLease('l', 'me', 1000)
      await store.close()
    }
    for (const from of [pathOf(other, 'projections'), pathOf(place, 'leases')]) {
      await copyFile(from, pathOf(place, 'projections'))
      await assert.rejects(place.open(), (error) => hasCode(error, 'STORE_CORRUPT'))
    }
  })

  test('makes concurrent changes one after the other', async () => {
    await using place = await testPlace()
    const store = await place.open()
    const steps = Array.from({ length: 20 }, (_, to) => store.saveStep('p', { from: at(0), to: at(to + 1), rows: [] }))
    const settled = await Promise.allSettled(steps)
    assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 1)
    assert.equal((await store.loadCheckpoint('p')).position, 1)
  })
})

describe('Data ahead of a log that lost its end', () => {
  test('is dropped: a checkpoint with its rows, and a snapshot', async () => {
    await using place = await testPlace()
    const first = await place.open({ mayLoseOnPowerFailure: true })
    for (const id of ['a', 'b', 'c']) await first.append([commitTo('x', id)])
    await first.saveStep('behind', { from: at(0), to: at(2), rows: [{ key: 'k', value: 1 }] })
    await first.saveStep('ahead', { from: at(0), to: at(3), rows: [{ key: 'k', value: 1 }] })
    await first.saveSnapshot(snapshotOf(stream('x'), 2), { keep: 2 })
    await first.saveSnapshot(snapshotOf(stream('x'), 3), { keep: 2 })
    await first.close()
    const path = (await place.segments())[0]!
    await truncate(path, (await stat(path)).size - 3)
    await rm(join(place.directory, 'index.bin'))
    for (let openings = 0; openings < 2; openings++) {
      const store = await place.open()
      assert.equal((await store.loadCheckpoint('ahead')).position, 0)
      assert.deepEqual((await store.listRows('ahead', { limit: 1 })).rows, [])
      assert.equal((await store.loadCheckpoint('behind')).position, 2)
      assert.equal((await store.loadSnapshot(stream('x')))?.sequence, 2)
      await store.append([commitTo('x', `d${openings}`)])
      await store.close()
    }
  })
})
