/** The saved index proves what was durable. A log that holds less, or something else, is refused and not changed. */
import assert from 'node:assert/strict'
import { copyFile, cp, mkdtemp, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { crc32 } from 'node:zlib'
import { hasCode } from '../../../domain/error.ts'
import { commitIds, commitTo, readLog, type TestPlace, testPlace } from '../test-place.fixture.ts'

const ids = ['a', 'b', 'c', 'd', 'e']

/** A closed store with a few commits, each in a segment of its own if wanted. */
async function filled(place: TestPlace, settings: { readonly segmentBytesMax?: number } = {}): Promise<string[]> {
  const store = await place.open(settings)
  for (const id of ids) await store.append([commitTo('x', id)])
  await store.close()
  return [...(await place.segments())]
}

const removeIndex = (place: TestPlace) => rm(join(place.directory, 'index.bin'))

/** Checks that opening is refused with the expected words, and changes nothing. */
async function isRefused(place: TestPlace, ...says: readonly RegExp[]): Promise<void> {
  const paths = await place.segments()
  const before = await Promise.all(paths.map((path) => readFile(path)))
  await assert.rejects(place.open(), (error: unknown) => {
    assert.ok(hasCode(error, 'STORE_CORRUPT'), String(error))
    for (const pattern of says) assert.match(error.message, pattern)
    return true
  })
  assert.deepEqual(await Promise.all(paths.map((path) => readFile(path))), before)
}

/** Changes a file, and keeps its modification time or does not. */
async function damage(path: string, keepsTime: boolean, how: () => Promise<void>): Promise<void> {
  const { atime, mtime } = await stat(path)
  await how()
  await utimes(path, atime, keepsTime ? mtime : new Date(mtime.getTime() + 5000))
}

for (const keepsTime of [true, false]) {
  describe(`A log that the index covers, changed ${keepsTime ? 'with its old modification time' : 'with a new modification time'}`, () => {
    test('is refused if one bit of its last line has changed', async () => {
      await using place = await testPlace()
      const [path] = await filled(place)
      await damage(path!, keepsTime, async () => {
        const bytes = await readFile(path!)
        bytes[bytes.length - 5]! ^= 1
        await writeFile(path!, bytes)
      })
      await isRefused(place, /line/)
    })

    test('is refused if it was shortened, by a line or by more', async () => {
      for (const share of [0.4, 0.99]) {
        await using place = await testPlace()
        const [path] = await filled(place)
        await damage(path!, keepsTime, async () => truncate(path!, Math.floor((await stat(path!)).size * share)))
        await isRefused(place, /shorter/, /index\.bin/)
      }
    })

    test('is refused if its last lines are null bytes', async () => {
      await using place = await testPlace()
      const [path] = await filled(place)
      await damage(path!, keepsTime, async () => {
        const bytes = await readFile(path!)
        await writeFile(path!, bytes.fill(0, bytes.indexOf('"d"')))
      })
      await isRefused(place)
    })

    test('is refused if its last line is another complete line', async () => {
      await using place = await testPlace()
      const [path] = await filled(place)
      await damage(path!, keepsTime, async () => {
        const lines = (await readFile(path!, 'utf8')).split('\n')
        const json = lines[4]!.slice(9).replaceAll('"e"', '"E"')
        lines[4] = `${crc32(json).toString(16).padStart(8, '0')} ${json}`
        await writeFile(path!, lines.join('\n'))
      })
      await isRefused(place, /saved index/)
    })
  })
}

describe('A segment that the index covers', () => {
  test('is refused if it is missing at the end of a copied folder', async () => {
    await using place = await testPlace()
    await using copy = await testPlace()
    await filled(place, { segmentBytesMax: 1 })
    await cp(place.directory, copy.directory, { recursive: true })
    await rm((await copy.segments()).at(-1)!)
    await isRefused(copy, /log-0000000000000005/, /missing/)
  })

  test('is refused if it was shortened, whichever it is', async () => {
    for (const number of ids.keys()) {
      await using place = await testPlace()
      const paths = await filled(place, { segmentBytesMax: 1 })
      await truncate(paths[number]!, 10)
      await isRefused(place)
    }
  })

  test('can be given up by a person who removes the index, if there is no other copy', async () => {
    await using place = await testPlace()
    const paths = await filled(place, { segmentBytesMax: 1 })
    await rm(paths.at(-1)!)
    await isRefused(place, /remove index\.bin/)
    await removeIndex(place)
    const store = await place.open()
    assert.deepEqual(commitIds(await readLog(store)), ids.slice(0, -1))
  })
})

describe('A copied folder', () => {
  test('opens, and gives the same reads with its index and without', async () => {
    await using place = await testPlace()
    await using copy = await testPlace()
    await filled(place, { segmentBytesMax: 300 })
    await cp(place.directory, copy.directory, { recursive: true })
    const store = await copy.open()
    assert.deepEqual(commitIds(await readLog(store)), ids)
  })

  test('of an earlier time with the index of a later one is refused', async () => {
    await using place = await testPlace()
    const earlier = await mkdtemp(join(tmpdir(), 'mneme-file-'))
    try {
      const [path] = await filled(place)
      await copyFile(path!, join(earlier, 'log'))
      const store = await place.open()
      await store.append([commitTo('x', 'f')])
      await store.close()
      await copyFile(join(earlier, 'log'), path!)
      await isRefused(place, /shorter/)
    } finally {
      await rm(earlier, { recursive: true })
    }
  })
})

describe('The index of another log', () => {
  test('is not used, however alike the logs are', async () => {
    await using place = await testPlace()
    await using other = await testPlace()
    for (const [of, letter] of [
      [place, 'x'],
      [other, 'y'],
    ] as const) {
      const store = await of.open()
      await store.append([commitTo(`${letter}1`, 'a'), commitTo(letter === 'x' ? 'x2' : 'y1', 'b'), commitTo('z', 'c')])
      await store.close()
    }
    const [path, foreign] = [(await place.segments())[0]!, (await other.segments())[0]!]
    const { atime, mtime } = await stat(foreign)
    await utimes(path, atime, mtime)
    await copyFile(join(other.directory, 'index.bin'), join(place.directory, 'index.bin'))
    const store = await place.open()
    assert.deepEqual(place.warnings, ['INDEX_REBUILT'])
    const read = await store.readStream({ aggregate: 'thing', id: 'x2' }, { from: 0, to: 9 })
    assert.deepEqual(commitIds(read), ['b'])
    assert.deepEqual(await store.readStream({ aggregate: 'thing', id: 'y1' }, { from: 0, to: 9 }), [])
  })
})

describe('The end of a log that no index covers', () => {
  test('is refused if its last line is complete and its checksum is wrong, because no power failure leaves that', async () => {
    await using place = await testPlace()
    const [path] = await filled(place)
    await removeIndex(place)
    const bytes = await readFile(path!)
    bytes[bytes.length - 5]! ^= 1
    await writeFile(path!, bytes)
    await isRefused(place, /line 5/)
  })
})
