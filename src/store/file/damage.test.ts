/**
 * Random damage to the files of a closed store: the store gives true answers, or refuses with a coded error. Rows may
 * be those of an earlier step and snapshots may be missing, because both can be made again from the log. The log itself
 * is complete or refused.
 */
import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { sized } from '../../../test/support/size.ts'
import { MnemeError } from '../../domain/error.ts'
import { at } from '../../testing/checkpoint-at.ts'
import { Random } from '../../testing/random.ts'
import { everything } from '../range.ts'
import type { Store, StoredEvent } from '../store.ts'
import { commitTo, readLog, snapshotOf, stream, type TestPlace, testPlace } from './test-place.fixture.ts'

/** More with `MNEME_DAMAGES=20000`. */
const damages = Number(process.env['MNEME_DAMAGES'] ?? sized(120, 30))
const settings = { segmentBytesMax: 3000 }
const streams = ['a', 'b', 'c']
const steps = 12

async function fill(store: Store, from: number): Promise<void> {
  for (let n = from; n < from + steps; n++) {
    const command = { name: 'do', digest: n }
    const commits = streams.map((id, i) => {
      const events = Array.from({ length: 1 + ((n + i) % 3) }, (_, k) => ({
        type: 'Happened',
        data: { n, k, é: '日' },
      }))
      return commitTo(id, `c${n}`, { events, command })
    })
    await store.append(commits)
    const rows = [0, 1, 2].map((i) => ({ key: `row ${i}`, value: { n, i } }))
    await store.saveStep('p', {
      from: at(n, Math.min(n, 1)),
      to: at(n + 1, 1),
      rows: [...rows, { key: `only ${n}`, value: n }],
    })
    await store.saveSnapshot(snapshotOf(stream('a'), n + 1, { n: n + 1 }), { keep: 2 })
    await store.acquireLease('l', `owner ${n}`, 1)
    await store.releaseLease('l', `owner ${n}`)
  }
}

interface Log {
  readonly all: readonly StoredEvent[]
  readonly head: number
  readonly rest: unknown
}

/** All questions to the log. */
async function logOf(store: Store): Promise<Log> {
  const all = await readLog(store)
  const ends = await store.streamEnds(streams.map(stream))
  const ofStreams: unknown[] = []
  for (const id of streams) {
    ofStreams.push(await store.readStream(stream(id), everything))
    for (let n = 0; n < 2 * steps; n++) ofStreams.push(await store.findCommit(stream(id), `c${n}`))
  }
  return { all, head: await store.head(), rest: { ends, ofStreams } }
}

/** Checks that rows and checkpoint are of the same step, and that a snapshot is unchanged. */
async function checkDocuments(store: Store): Promise<void> {
  const { position: step, term } = await store.loadCheckpoint('p')
  const { rows } = await store.listRows('p', { limit: 1000 })
  const only = Array.from({ length: step }, (_, n) => ({ key: `only ${n}`, value: n }))
  const last = step === 0 ? [] : [0, 1, 2].map((i) => ({ key: `row ${i}`, value: { n: step - 1, i } }))
  const expected = [...only, ...last].sort((a, b) => (a.key < b.key ? -1 : 1))
  assert.deepEqual(rows, expected)
  assert.equal(term, step === 0 ? 0 : 1)
  const snapshot = await store.loadSnapshot(stream('a'))
  if (snapshot !== undefined)
    assert.deepEqual(snapshot, snapshotOf(stream('a'), snapshot.sequence, { n: snapshot.sequence }))
}

/** The answer, or undefined if it is refused with a code. */
async function said<Answer>(ask: () => Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof MnemeError) return undefined
    throw error
  }
}

interface Base {
  readonly files: ReadonlyMap<string, Buffer>
  /** The same files at an earlier closing. */
  readonly earlier: ReadonlyMap<string, Buffer>
}

/** Bytes after random damage, or `undefined` for a deleted file. */
function damaged(name: string, bytes: Buffer, { files, earlier }: Base, random: Random): Buffer | undefined {
  const place = random.below(bytes.length + 1)
  const length = random.below(Math.min(bytes.length - place, 200) + 1)
  const between = Buffer.from(bytes.subarray(place, place + length))
  const [before, after] = [bytes.subarray(0, place), bytes.subarray(place + length)]
  const lines = bytes.toString('latin1').split(/(?<=\n)/)
  const [one, other] = [random.below(lines.length), random.below(lines.length)]
  const any = [...files.values()][random.below(files.size)]!
  const kinds: (() => Buffer | undefined)[] = [
    () => flipped(bytes, random),
    () => flipped(flipped(bytes, random), random),
    () => Buffer.concat([before, between.fill(0), after]),
    () => Buffer.concat([before, between.map(() => random.below(256)), after]),
    () => Buffer.concat([before, after]),
    () => Buffer.concat([before, between, between, after]),
    () => before,
    () => Buffer.concat([bytes, between]),
    () => Buffer.from(lines.filter((_, i) => i !== one).join(''), 'latin1'),
    () => Buffer.from(lines.toSpliced(one, 1, lines[other]!).join(''), 'latin1'),
    () => any,
    () => earlier.get(name),
    () => undefined,
  ]
  return kinds[random.below(kinds.length)]!()
}

function flipped(bytes: Buffer, random: Random): Buffer {
  const copy = Buffer.from(bytes)
  if (copy.length > 0) copy[random.below(copy.length)]! ^= 1 << random.below(8)
  return copy
}

/** The time of the last write to all files. The index stores it for the segments and compares it to the last digit. */
const writtenAt = new Date(1_700_000_000_000)

async function setTimes(place: TestPlace): Promise<void> {
  for (const path of await place.segments()) await utimes(path, writtenAt, writtenAt)
  await (await place.open(settings)).close()
}

async function filesOf(directory: string): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>()
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    files.set(path.slice(directory.length + 1), await readFile(path))
  }
  return files
}

/** Damages a copy of some files and asks it all questions. */
async function ask(base: Base, seed: number, check: (log: Log) => void): Promise<'refused' | 'answered'> {
  await using copy = await testPlace()
  for (const [name, bytes] of base.files) {
    await mkdir(dirname(join(copy.directory, name)), { recursive: true })
    await writeFile(join(copy.directory, name), bytes)
    await utimes(join(copy.directory, name), writtenAt, writtenAt)
  }
  const random = new Random(seed)
  const names = [...base.files.keys()]
  const name = names[random.below(names.length)]!
  const path = join(copy.directory, name)
  const bytes = damaged(name, base.files.get(name)!, base, random)
  if (bytes === undefined) await rm(path)
  else await writeFile(path, bytes)
  if (bytes !== undefined && random.below(2) === 0) await utimes(path, writtenAt, writtenAt)
  try {
    const store = await said(() => copy.open(settings))
    if (store === undefined) return 'refused'
    const log = await said(() => logOf(store))
    if (log !== undefined) check(log)
    await said(() => checkDocuments(store))
    await said(() => store.append([commitTo('new', 'new')]))
    return log === undefined ? 'refused' : 'answered'
  } catch (cause) {
    throw new Error(`damage ${seed} to ${name}`, { cause })
  }
}

async function askAll(base: Base, check: (log: Log) => void): Promise<void> {
  const outcomes = { refused: 0, answered: 0 }
  for (let seed = 1; seed <= damages; seed++) outcomes[await ask(base, seed, check)]++
  assert.ok(outcomes.refused > damages / 10 && outcomes.answered > damages / 10, JSON.stringify(outcomes))
}

test(`${damages} random damages to a closed store are refused or change no answer`, async () => {
  await using place = await testPlace()
  const first = await place.open(settings)
  await fill(first, 0)
  await first.close()
  const earlier = await filesOf(place.directory)
  const second = await place.open(settings)
  await fill(second, steps)
  const whole = await logOf(second)
  await second.close()
  await setTimes(place)
  const files = await filesOf(place.directory)
  await askAll({ files, earlier }, (log) => assert.deepEqual(log, whole))
})

test(`${damages} random damages to a killed store remove only the end that no index covers`, async () => {
  await using place = await testPlace()
  const first = await place.open(settings)
  await fill(first, 0)
  const head = await first.head()
  await first.close()
  await setTimes(place)
  const earlier = await filesOf(place.directory)
  const second = await place.open(settings)
  await fill(second, steps)
  const { all } = await logOf(second)
  const files = new Map([...(await filesOf(place.directory))].filter(([name]) => !name.startsWith('lock-')))
  await askAll({ files, earlier }, (log) => {
    assert.ok(log.head >= head)
    assert.deepEqual(log.all, all.slice(0, log.head))
  })
})
