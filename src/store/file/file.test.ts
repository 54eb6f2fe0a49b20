/** The file store for its users: options, the directory, opening and closing. */
import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { hasCode } from '../../domain/error.ts'
import { at } from '../../testing/checkpoint-at.ts'
import { Commit } from '../commit.ts'
import { nodeDisk } from './database/disk.ts'
import { FailingDisk } from './failing-disk.fixture.ts'
import { file } from './index.ts'
import { commitIds, commitTo, readLog, stream, testPlace } from './test-place.fixture.ts'

const openOptions = { now: () => 0, warn: () => {} }

describe('file(path, options)', () => {
  test('refuses invalid options', () => {
    const refused = [() => file(''), () => file('x', { segmentBytesMax: 0 }), () => file('x', { segmentBytesMax: 1.5 })]
    for (const call of refused) assert.throws(call, (error) => hasCode(error, 'OPTION_INVALID'))
  })

  test('makes the directory and its parents, for its owner only', async () => {
    await using place = await testPlace()
    const directory = join(place.directory, 'a', 'b')
    const store = await file(directory).open(openOptions)
    await store.append([commitTo('x', 'a')])
    await store.close()
    assert.equal((await stat(directory)).mode & 0o777, 0o700)
    for (const name of await readdir(directory)) {
      const { mode } = await stat(join(directory, name))
      assert.equal(mode & 0o777, name.startsWith('lock-') ? 0o700 : 0o600)
    }
  })

  test('makes nothing where there is no store, if it may not', async () => {
    await using place = await testPlace()
    const directory = join(place.directory, 'none')
    const open = () => file(directory, { migrate: false }).open(openOptions)
    await assert.rejects(open(), (error) => hasCode(error, 'STORE_NOT_MIGRATED'))
    await assert.rejects(stat(directory), { code: 'ENOENT' })
    await mkdir(directory)
    await assert.rejects(open(), (error) => hasCode(error, 'STORE_NOT_MIGRATED'))
    assert.deepEqual(await readdir(directory), [])
    await (await file(directory).open(openOptions)).close()
    await (await open()).close()
  })

  test('refuses a path that is a file', async () => {
    await using place = await testPlace()
    const path = join(place.directory, 'file')
    await writeFile(path, '')
    await assert.rejects(file(path).open(openOptions), (error) => hasCode(error, 'OPTION_INVALID'))
  })
})

describe('The log of a file store', () => {
  test('can be read by a person: a commit is a line that leaves out what is empty', async () => {
    await using place = await testPlace()
    const store = await place.open()
    const events = [
      { type: 'Opened', data: { owner: 'Ada "A" é' } },
      { type: 'Paid', data: 5, revision: 2, metadata: { by: 'x' }, tags: ['t'] },
    ]
    await store.append([commitTo('ada', 'c1', { events }), commitTo('bob', 'c2')])
    const [first, second] = (await readFile((await place.segments())[0]!, 'utf8')).split('\n')
    assert.match(first!, /^[0-9a-f]{8} \{/)
    assert.deepEqual(JSON.parse(first!.slice(9)), {
      position: 1,
      sequence: 1,
      recordedAt: 1000,
      aggregate: 'thing',
      id: 'ada',
      commit: 'c1',
      events: [
        { type: 'Opened', revision: 1, data: { owner: 'Ada "A" é' } },
        { type: 'Paid', revision: 2, data: 5, metadata: { by: 'x' }, tags: ['t'] },
      ],
    })
    assert.equal(JSON.parse(second!.slice(9)).batch, 1)
  })

  test('names the command that a commit was stored for', async () => {
    await using place = await testPlace()
    const store = await place.open()
    await store.append([commitTo('ada', 'c1', { command: { name: 'deposit', digest: 7 } })])
    const [line] = (await readFile((await place.segments())[0]!, 'utf8')).split('\n')
    const { command, digest } = JSON.parse(line!.slice(9))
    assert.deepEqual({ command, digest }, { command: 'deposit', digest: 7 })
  })

  test('stores one commit for one id, even if the id is wrongly said to be fresh', async () => {
    await using place = await testPlace()
    const fresh = (id: string) => {
      const { stream: of, events, size, ...rest } = commitTo('x', id)
      return new Commit(of, rest, events, size, true)
    }
    const first = await place.open()
    const [stored, again] = await first.append([fresh('a'), fresh('a')])
    assert.deepEqual([stored?.status, again?.status], ['stored', 'duplicate'])
    assert.equal((await first.append([fresh('a')]))[0]?.status, 'duplicate')
    await first.close()
    const second = await place.open()
    assert.equal((await second.append([fresh('a')]))[0]?.status, 'duplicate')
    assert.deepEqual(commitIds(await readLog(second)), ['a'])
  })

  test('writes the commits of many callers in a few writes', async () => {
    await using place = await testPlace()
    const counting = new FailingDisk()
    const store = await place.open({ disk: counting.disk })
    await store.append([commitTo('x', 'first')])
    const before = counting.calls
    await Promise.all(Array.from({ length: 500 }, (_, i) => store.append([commitTo(`s${i}`, `c${i}`)])))
    assert.ok(counting.calls - before <= 8, `${counting.calls - before} calls`)
    assert.equal(await store.head(), 501)
  })

  test('lets a conflict of one caller affect no other caller in the same batch', async () => {
    await using place = await testPlace()
    const store = await place.open()
    await store.append([commitTo('known', 'first')])
    const [unknown, known, other] = await Promise.all([
      store.append([commitTo('x', 'a', { expected: 5 }), commitTo('x', 'b'), commitTo('x', 'c', { expected: 1 })]),
      store.append([commitTo('known', 'd', { expected: 5 }), commitTo('known', 'e', { expected: 1 })]),
      store.append([commitTo('x', 'f', { expected: 1 }), commitTo('known', 'g', { expected: 1 })]),
    ])
    const statuses = [unknown, known, other].map((results) => results.map(({ status }) => status))
    assert.deepEqual(statuses, [
      ['conflict', 'stored', 'conflict'],
      ['conflict', 'conflict'],
      ['stored', 'stored'],
    ])
  })

  test('shows a reader nothing that is not durable yet', async () => {
    await using place = await testPlace()
    const syncing = Promise.withResolvers<void>()
    const mayGoOn = Promise.withResolvers<void>()
    let isHeld = false
    const open: typeof nodeDisk.open = async (path, mode) => {
      const opened = await nodeDisk.open(path, mode)
      const writeDurably: typeof opened.writeDurably = async (bytes, position) => {
        const written = await opened.write(bytes, position)
        if (isHeld) {
          syncing.resolve()
          await mayGoOn.promise
        }
        return written
      }
      return { ...opened, writeDurably }
    }
    const store = await place.open({ disk: { ...nodeDisk, open } })
    await store.append([commitTo('x', 'a')])
    isHeld = true
    const appended = store.append([commitTo('x', 'b')])
    await syncing.promise
    assert.equal(await store.head(), 1)
    assert.deepEqual(commitIds(await readLog(store)), ['a'])
    assert.equal((await store.readStream(stream('x'), { from: 0, to: 9 })).length, 1)
    assert.equal(await store.findCommit(stream('x'), 'b'), undefined)
    isHeld = false
    mayGoOn.resolve()
    await appended
    assert.deepEqual(commitIds(await readLog(store)), ['a', 'b'])
  })
})

describe('Opening a file store', () => {
  test('refuses a newer version of the format', async () => {
    await using place = await testPlace()
    await (await place.open()).close()
    const path = join(place.directory, 'format.json')
    await writeFile(path, (await readFile(path, 'utf8')).replace('2', '3'))
    await assert.rejects(place.open(), (error: unknown) => {
      assert.ok(hasCode(error, 'STORE_TOO_NEW'))
      assert.deepEqual([error.facts.version, error.facts.known], [3, 2])
      return true
    })
  })

  test('refuses an older version of the format, and changes nothing', async () => {
    await using place = await testPlace()
    await (await place.open()).close()
    const path = join(place.directory, 'format.json')
    await writeFile(path, '{"format":"mneme file store","version":1}\n')
    await rm(join(place.directory, 'lock-000000001'), { recursive: true })
    await writeFile(join(place.directory, 'lock-000000001'), JSON.stringify({ pid: 1, host: 'h', released: true }))
    const before = await readdir(place.directory)
    await assert.rejects(place.open(), (error: unknown) => {
      assert.ok(hasCode(error, 'STORE_TOO_OLD'), String(error))
      assert.deepEqual([error.facts.version, error.facts.known], [1, 2])
      return true
    })
    assert.deepEqual(await readdir(place.directory), before)
    assert.equal(await readFile(path, 'utf8'), '{"format":"mneme file store","version":1}\n')
  })

  test('refuses a directory that is something else', async () => {
    await using place = await testPlace()
    await writeFile(join(place.directory, 'format.json'), '{}')
    await assert.rejects(place.open(), (error) => hasCode(error, 'STORE_CORRUPT'))
  })

  test('gives the lock back when it refuses', async () => {
    await using place = await testPlace()
    await writeFile(join(place.directory, 'format.json'), '{}')
    for (let tries = 0; tries < 2; tries++) {
      await assert.rejects(place.open(), (error) => hasCode(error, 'STORE_CORRUPT'))
    }
  })

  test('warns when a power failure may lose commits', async () => {
    await using place = await testPlace()
    await place.open({ mayLoseOnPowerFailure: true })
    assert.deepEqual(place.warnings, ['DURABILITY_WEAKENED'])
  })
})

describe('Closing a file store', () => {
  test('waits for all earlier calls', async () => {
    await using place = await testPlace()
    const store = await place.open()
    const ids = Array.from({ length: 100 }, (_, i) => `c${i}`)
    const appended = ids.map((id) => store.append([commitTo('x', id)]))
    const saved = store.saveStep('p', { from: at(0), to: at(1), rows: [] })
    await store.close()
    assert.equal((await Promise.all(appended)).length, 100)
    await saved
    await assert.rejects(store.append([commitTo('x', 'late')]), (error) => hasCode(error, 'STORE_CLOSED'))
    const again = await place.open()
    assert.deepEqual(commitIds(await readLog(again)), ids)
    assert.equal((await again.loadCheckpoint('p')).position, 1)
    assert.deepEqual(place.warnings, [])
  })
})
