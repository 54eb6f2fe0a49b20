/** How a file store opens a log that is not as it was left. */
import assert from 'node:assert/strict'
import { readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { crc32 } from 'node:zlib'
import { sized } from '../../../../test/support/size.ts'
import { hasCode } from '../../../domain/error.ts'
import { FailingDisk } from '../failing-disk.fixture.ts'
import { commitIds, commitTo, readLog, type TestPlace, testPlace } from '../test-place.fixture.ts'

/** Three commits, each in its own batch. */
async function threeCommits(place: TestPlace, settings = {}): Promise<string> {
  const store = await place.open(settings)
  for (const id of ['a', 'b', 'c']) await store.append([commitTo('x', id)])
  await store.close()
  return (await place.segments())[0]!
}

const removeIndex = (place: TestPlace) => rm(join(place.directory, 'index.bin'))

async function refusesAsCorrupt(place: TestPlace, ...says: readonly RegExp[]): Promise<void> {
  await assert.rejects(place.open(), (error: unknown) => {
    assert.ok(hasCode(error, 'STORE_CORRUPT'), String(error))
    for (const pattern of says) assert.match(error.message, pattern)
    return true
  })
}

describe('The end of the log', () => {
  test('is cut wherever in its last line a crash has left it', async () => {
    await using place = await testPlace()
    const path = await threeCommits(place)
    const whole = await readFile(path)
    const lastLine = whole.lastIndexOf(10, whole.length - 2) + 1
    for (let length = lastLine; length < whole.length; length += sized(1, 7)) {
      await writeFile(path, whole.subarray(0, length))
      await removeIndex(place)
      place.warnings.length = 0
      const store = await place.open({ disk: new FailingDisk().disk })
      assert.deepEqual(commitIds(await readLog(store)), ['a', 'b'], `cut at ${length}`)
      assert.equal(place.warnings.includes('TORN_TAIL_CUT'), length > lastLine)
      const [result] = await store.append([commitTo('x', 'd', { expected: 2 })])
      assert.deepEqual(result, { ...result, status: 'stored', sequence: 3, position: 3, count: 1 })
      await store.close()
      assert.equal((await readFile(path)).subarray(0, lastLine).compare(whole.subarray(0, lastLine)), 0)
    }
  })

  test('keeps the whole lines of a batch that was torn', async () => {
    await using place = await testPlace()
    const first = await place.open()
    await first.append(['a', 'b', 'c'].map((id) => commitTo(id, id)))
    await first.close()
    await removeIndex(place)
    const path = (await place.segments())[0]!
    await truncate(path, (await readFile(path)).length - 3)
    const second = await place.open()
    assert.deepEqual(commitIds(await readLog(second)), ['a', 'b'])
  })

  test('is cut at a hole of null bytes that a power failure left in its last batch', async () => {
    await using place = await testPlace()
    const first = await place.open()
    await first.append([commitTo('x', 'a')])
    await first.append(['b', 'c', 'd'].map((id) => commitTo('x', id)))
    await first.close()
    await removeIndex(place)
    const path = (await place.segments())[0]!
    const bytes = await readFile(path)
    const hole = bytes.indexOf('"c"')
    await writeFile(path, bytes.fill(0, hole, hole + 20))
    const second = await place.open()
    assert.deepEqual(commitIds(await readLog(second)), ['a', 'b'])
  })

  test('is refused at such a hole if a later batch follows', async () => {
    await using place = await testPlace()
    const path = await threeCommits(place)
    await removeIndex(place)
    const bytes = await readFile(path)
    const hole = bytes.indexOf('"b"')
    await writeFile(path, bytes.fill(0, hole, hole + 20))
    await refusesAsCorrupt(place)
  })

  test('is refused if all of a line is such a hole, so that it looks like one line with the later batch', async () => {
    await using place = await testPlace()
    const path = await threeCommits(place)
    await removeIndex(place)
    const bytes = await readFile(path)
    const first = bytes.indexOf(10) + 1
    await writeFile(path, bytes.fill(0, first, bytes.indexOf(10, first) + 1))
    await refusesAsCorrupt(place)
  })
})

describe('Damage before the end', () => {
  test('is refused with the file, the line and what is wrong, and nothing is changed', async () => {
    await using place = await testPlace()
    const path = await threeCommits(place)
    const bytes = await readFile(path)
    bytes[bytes.indexOf('"b"') + 1] = 'B'.charCodeAt(0)
    await writeFile(path, bytes)
    await refusesAsCorrupt(place, /log-0000000000000001\.jsonl, line 2 /, /checksum/, /backup/)
    await refusesAsCorrupt(place)
    assert.equal((await readFile(path)).compare(bytes), 0)
  })

  test('is refused if a line fits its checksum and is not a commit', async () => {
    await using place = await testPlace()
    const path = await threeCommits(place)
    await removeIndex(place)
    const [first, second, ...rest] = (await readFile(path, 'utf8')).split('\n')
    for (const events of [
      '[null]',
      '[{"type":5}]',
      '[{"type":"T","revision":1}]',
      '[{"type":"T","revision":1,"data":1,"tags":1}]',
    ]) {
      const json = second!.slice(9).replace(/"events":.*$/, `"events":${events}}`)
      const line = `${crc32(json).toString(16).padStart(8, '0')} ${json}`
      await writeFile(path, [first, line, ...rest].join('\n'))
      await refusesAsCorrupt(place, /line 2 /, /not a commit/)
    }
  })

  test('that changes a line into another complete line is found by the read', async () => {
    await using place = await testPlace()
    const path = await threeCommits(place)
    const store = await place.open()
    const [first, second, third] = (await readFile(path, 'utf8')).split('\n')
    const other = second!.slice(9).replace('"b"', '"B"')
    await writeFile(path, [first, `${crc32(other).toString(16).padStart(8, '0')} ${other}`, third, ''].join('\n'))
    await assert.rejects(readLog(store), (error) => hasCode(error, 'STORE_CORRUPT'))
  })

  test('is refused in a segment that is not the last, even at its end', async () => {
    await using place = await testPlace()
    const path = await threeCommits(place, { segmentBytesMax: 1 })
    await truncate(path, (await readFile(path)).length - 1)
    await refusesAsCorrupt(place, /log-0000000000000001/)
  })

  test('that opening with an index does not see is found by the read', async () => {
    await using place = await testPlace()
    await threeCommits(place)
    const store = await place.open()
    const path = (await place.segments())[0]!
    const bytes = await readFile(path)
    bytes[bytes.indexOf('"b"') + 1] = 'B'.charCodeAt(0)
    await writeFile(path, bytes)
    await assert.rejects(readLog(store), (error) => hasCode(error, 'STORE_CORRUPT'))
  })

  test('may be a complete line that is not the next one', async () => {
    await using place = await testPlace()
    const path = await threeCommits(place)
    const lines = (await readFile(path, 'utf8')).split('\n')
    await writeFile(path, [lines[0], lines[2], ''].join('\n'))
    await removeIndex(place)
    await refusesAsCorrupt(place, /line 2 /, /position 3, and 2 is next/)
  })
})

describe('A segment', () => {
  test('is followed by another when it would grow over its bound, and reads go on into that', async () => {
    await using place = await testPlace()
    const ids = Array.from({ length: 50 }, (_, i) => `c${i}`)
    const first = await place.open({ segmentBytesMax: 500 })
    for (const id of ids) await first.append([commitTo(`s${id.length}`, id)])
    assert.deepEqual(commitIds(await readLog(first)), ids)
    await first.close()
    assert.ok((await place.segments()).length > 5)
    const second = await place.open({ segmentBytesMax: 500 })
    assert.deepEqual(commitIds(await readLog(second)), ids)
    assert.deepEqual(place.warnings, [])
    const { events } = await second.readAll({ from: 0, to: 40 }, { direction: 'backward', limit: 3 })
    assert.deepEqual(commitIds(events), ['c38', 'c37', 'c36'])
  })

  for (const [which, number] of [
    ['first', 0],
    ['middle', 1],
    ['last', 2],
  ] as const) {
    test(`that is missing is distinguished from a shorter log: the ${which}`, async () => {
      await using place = await testPlace()
      await threeCommits(place, { segmentBytesMax: 1 })
      await rm((await place.segments())[number]!)
      await refusesAsCorrupt(place, /missing/)
    })
  }

  test('that is missing is noticed without an index too, if another follows', async () => {
    await using place = await testPlace()
    await threeCommits(place, { segmentBytesMax: 1 })
    await removeIndex(place)
    await rm((await place.segments())[1]!)
    await refusesAsCorrupt(place, /log-0000000000000003/, /missing/)
  })

  test('that is empty was left by a failed start, and is ignored', async () => {
    await using place = await testPlace()
    await threeCommits(place)
    await writeFile(join(place.directory, 'log-0000000000000002.jsonl'), '')
    const store = await place.open()
    assert.deepEqual(commitIds(await readLog(store)), ['a', 'b', 'c'])
  })
})
