/**
 * What happens with an incomplete write-ahead log: after a power failure, if commits were acknowledged before they were
 * on the disk, or after damage.
 */
import assert from 'node:assert/strict'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type TestContext, test } from 'node:test'
import { sized } from '../../../../test/support/size.ts'
import type { StoreWarning } from '../../../runtime/warning.ts'
import { at } from '../../../testing/checkpoint-at.ts'
import { everything } from '../../range.ts'
import type { LogPlace, Store, StoredEvent } from '../../store.ts'
import { sqlite } from '../index.ts'
import { freshPath, openStore, simpleCommit } from '../sqlite-test.fixture.ts'

const [headerSize, frameSize] = [32, 24 + 4096]
const streams = ['ada', 'bob', 'cyd'].map((id) => ({ aggregate: 'account', id }))
const types = ['Opened', 'Deposited']

/** What was acknowledged, by the end of the log at that time: the events, and the checkpoint of a projection. */
interface Told {
  readonly events: readonly StoredEvent[]
  readonly checkpoint: number
}

interface Left {
  readonly file: Buffer
  readonly log: Buffer
  readonly told: ReadonlyMap<number, Told>
  readonly end: LogPlace
}

/** Writes to a store one transaction after another, and copies its files while it is open. */
async function left(context: TestContext, mayLoseOnPowerFailure: boolean): Promise<Left> {
  const path = await freshPath(context)
  await (await openStore(context, path, { mayLoseOnPowerFailure })).close()
  const store = await openStore(context, path, { mayLoseOnPowerFailure })
  const told = new Map<number, Told>([[0, { events: [], checkpoint: 0 }]])
  for (let n = 1; n <= 8; n++) {
    if (n % 3 === 0) await store.saveStep('p', { from: at(n - 3), to: at(n), rows: [{ key: 'k', value: n }] })
    else {
      const events = Array.from({ length: n % 3 }, () => ({ type: types[n % 2]!, data: { n }, tags: ['all'] }))
      await store.append(streams.slice(0, 1 + (n % 2)).map((stream) => simpleCommit(`${n}`, { stream, events })))
    }
    const { position: checkpoint } = await store.loadCheckpoint('p')
    told.set(await store.head(), { events: (await store.readAll(everything)).events, checkpoint })
  }
  const { examined, checksum } = await store.readAll(everything)
  const end = { position: examined, checksum }
  return { file: await readFile(path), log: await readFile(`${path}-wal`), told, end }
}

const framesOf = (log: Buffer): number => (log.length - headerSize) / frameSize
const frameAt = (frame: number): number => headerSize + frame * frameSize

/** The number of transactions that end at or after a frame. */
const endsFrom = (log: Buffer, frame: number): number =>
  Array.from({ length: framesOf(log) }, (_, i) => i).filter((i) => i >= frame && log.readUInt32BE(frameAt(i) + 4) > 0)
    .length

/**
 * Opens the files, and checks that the log is a whole prefix of what was acknowledged. @returns the warnings of the
 * store, and its end
 */
async function look(path: string, { told, end }: Left, options: { readonly mayLoseOnPowerFailure: boolean }) {
  const warnings: StoreWarning[] = []
  const warn = (warning: StoreWarning) => warnings.push(warning)
  const store = await sqlite(path, options).open({ warn, now: () => 0 })
  try {
    const head = await store.head()
    await isPrefix(store, { told, end, head })
    const again = await store.append([simpleCommit('again')])
    assert.partialDeepStrictEqual(again, [{ status: 'stored', position: head + 1 }])
    const cut = warnings.filter(({ code }) => code === 'TORN_TAIL_CUT').map(({ message }) => message)
    return { head, cut }
  } finally {
    await store.close()
  }
}

async function isPrefix(
  store: Store,
  { told, end, head }: Pick<Left, 'told' | 'end'> & { readonly head: number },
): Promise<void> {
  const known = told.get(head)
  assert.ok(known, `no commit ended at ${head}`)
  const { events } = await store.readAll(everything)
  assert.deepEqual(events, known.events)
  assert.deepEqual((await store.readAll(everything, { tags: ['all'] })).events, events)
  assert.deepEqual((await store.readAll(everything, { types })).events, events)
  for (const stream of streams) {
    const own = events.filter((event) => event.stream.id === stream.id)
    assert.deepEqual(await store.readStream(stream, everything), own)
    for (const { commitId, position } of told
      .get(end.position)!
      .events.filter((event) => event.stream.id === stream.id)) {
      const found = await store.findCommit(stream, commitId)
      assert.equal(found !== undefined, position <= head)
    }
  }
  assert.ok((await store.loadCheckpoint('p')).position <= known.checkpoint)
  // A reader that knows a missing event gets an error.
  const goneOn = store.readAll({ from: end.position + 1, to: Number.POSITIVE_INFINITY }, { behind: end })
  if (head < end.position) await assert.rejects(goneOn, { code: 'LOG_REPLACED' })
  else assert.deepEqual((await goneOn).events, [])
}

/** Puts files in place as after a failure. */
async function put(path: string, { file }: Left, log: Buffer): Promise<void> {
  await rm(`${path}-shm`, { force: true })
  await writeFile(path, file)
  await writeFile(`${path}-wal`, log)
}

function zeroed(log: Buffer, from: number, to: number): Buffer {
  return Buffer.from(log).fill(0, from, to)
}

for (const mayLoseOnPowerFailure of [true, false]) {
  const now = mayLoseOnPowerFailure ? '' : ', also when it is opened without that option'
  test(`after a power failure at any page, a store that may lose opens with a whole prefix and counts what was cut${now}`, async (context) => {
    const before = await left(context, true)
    const { log } = before
    const path = await freshPath(context)
    const options = { mayLoseOnPowerFailure }
    for (let frame = 0; frame < framesOf(log); frame += mayLoseOnPowerFailure ? sized(1, 7) : sized(5, 20)) {
      await put(path, before, zeroed(log, frameAt(frame), frameAt(frame + 1)))
      const { head, cut } = await look(path, before, options)
      const count = endsFrom(log, frame + 1)
      assert.equal(cut.length, 1, `frame ${frame}`)
      assert.match(cut[0]!, new RegExp(`ends at position ${head}: ${count === 0 ? 'a part' : `${count} transaction`}`))
      const reached = /at least to position (\d+)/.exec(cut[0]!)?.[1]
      if (reached !== undefined) assert.ok(Number(reached) > head && Number(reached) <= before.end.position)
      // If a whole transaction with events comes after, its end is reported.
      if (endsFrom(log, frame) > 4) assert.equal(Number(reached), before.end.position)
      if (frame % 5 === 0) await (await sqlite(path, options).open({ warn: isNoCut, now: () => 0 })).close()
    }
  })
}

const isNoCut = ({ code }: StoreWarning): void => assert.ok(code !== 'TORN_TAIL_CUT', 'it is told once')

test('a log that was cut at any page opens with a whole prefix; transactions that are completely missing are not counted', async (context) => {
  const before = await left(context, true)
  const { log } = before
  const path = await freshPath(context)
  let quiet = 0
  for (let frame = 0; frame < framesOf(log); frame += sized(1, 7)) {
    for (const torn of frame % 4 === 0 ? [0, 24, 1000] : [0]) {
      await put(path, before, log.subarray(0, frameAt(frame) + torn))
      const { cut } = await look(path, before, { mayLoseOnPowerFailure: true })
      const isPart = frame > 0 && log.readUInt32BE(frameAt(frame - 1) + 4) === 0
      assert.equal(cut.length, isPart ? 1 : 0, `frame ${frame}`)
      if (isPart) assert.match(cut[0]!, /a part of a transaction/)
      else quiet++
    }
  }
  assert.ok(quiet > 0)
})

test('a log whose commits were on the disk is refused, and not changed, if several transactions come after damage', async (context) => {
  const before = await left(context, false)
  const { log, file } = before
  const path = await freshPath(context)
  let refused = 0
  for (let frame = 0; frame < framesOf(log); frame += sized(1, 7)) {
    const damaged = Buffer.from(log)
    damaged[frameAt(frame) + 24 + ((frame * 37) % 4096)]! ^= 1
    await put(path, before, damaged)
    const opened = sqlite(path).open({ warn: () => {}, now: () => 0 })
    if (endsFrom(log, frame) > 1) {
      await assert.rejects(opened, { code: 'STORE_CORRUPT', message: /write-ahead log/ })
      assert.ok(damaged.equals(await readFile(`${path}-wal`)) && file.equals(await readFile(path)))
      refused++
    } else {
      await (await opened).close()
      await put(path, before, damaged)
      const { cut } = await look(path, before, { mayLoseOnPowerFailure: false })
      assert.equal(cut.length, 1)
    }
  }
  assert.ok(refused > sized(10, 1))
  assert.deepEqual((await readdir(dirname(path))).sort(), ['log.db'])
})

test('a store whose tables were in a log that was cut is made again with a warning', async (context) => {
  const path = await freshPath(context)
  const store = await openStore(context, path, { mayLoseOnPowerFailure: true })
  for (const id of ['a', 'b']) await store.append([simpleCommit(id)])
  const [file, log] = [await readFile(path), await readFile(`${path}-wal`)]
  const copy = await freshPath(context)
  await writeFile(copy, file)
  await writeFile(`${copy}-wal`, zeroed(log, frameAt(0), frameAt(1)))
  const messages: string[] = []
  const again = await openStore(context, copy, {}, ({ message }) => messages.push(message))
  assert.equal(await again.head(), 0)
  assert.match(messages[0]!, /position 0: 4 transactions/)
})

test('a log whose header is damaged is not taken for an empty one', async (context) => {
  const before = await left(context, false)
  const path = await freshPath(context)
  await put(path, before, zeroed(before.log, 0, headerSize))
  const opened = sqlite(path).open({ warn: () => {}, now: () => 0 })
  await assert.rejects(opened, { code: 'STORE_CORRUPT', message: /its header/ })
  const other = await left(context, true)
  await put(path, other, zeroed(other.log, 0, headerSize))
  const { head, cut } = await look(path, other, { mayLoseOnPowerFailure: true })
  assert.equal(head, 0)
  assert.match(cut[0]!, /position 0: 8 transactions .* at least to position 13/)
})

test('a log whose end was removed after it had been moved to the file is refused', async (context) => {
  const path = await freshPath(context)
  const store = await openStore(context, path)
  for (let n = 1; n <= 5; n++) await store.append([simpleCommit(`${n}`)])
  const log = await readFile(`${path}-wal`)
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  const other = new DatabaseSync(path)
  other.exec('PRAGMA wal_checkpoint(PASSIVE)')
  const [file, copy] = [await readFile(path), await freshPath(context)]
  other.close()
  const shorter = log.subarray(0, frameAt(framesOf(log) - 12))
  await writeFile(copy, file)
  await writeFile(`${copy}-wal`, shorter)
  await assert.rejects(sqlite(copy).open({ warn: () => {}, now: () => 0 }), {
    code: 'STORE_CORRUPT',
    message: /position/,
  })
  assert.ok(file.equals(await readFile(copy)) && shorter.equals(await readFile(`${copy}-wal`)))
})

test('a store that another process writes to, or that was killed, is opened without such a warning', async (context) => {
  const path = await freshPath(context)
  const writer = await openStore(context, path)
  const warnings: StoreWarning['code'][] = []
  let n = 0
  const writing = async () => {
    while (n < 200) await writer.append([simpleCommit(`${n++}`, { stream: streams[n % 3]! })])
  }
  const opening = async () => {
    while (n < 200) await (await sqlite(path).open({ warn: ({ code }) => warnings.push(code), now: () => 0 })).close()
  }
  await Promise.all([writing(), opening()])
  assert.deepEqual(warnings, [])
  const copy = await freshPath(context)
  for (const suffix of ['', '-wal']) await writeFile(`${copy}${suffix}`, await readFile(`${path}${suffix}`))
  const again = await openStore(context, copy, {}, ({ message }) => assert.fail(message))
  assert.equal(await again.head(), 200)
})
