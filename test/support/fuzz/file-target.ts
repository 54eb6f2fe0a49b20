/**
 * Files whose lines fit their checksums and are not what the store wrote: a person edited them, or another program
 * did. The store refuses them with a code, or shows a log that could have been stored. Lines that were only moved,
 * doubled or exchanged change no answer.
 */
import assert from 'node:assert/strict'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { checkedFactory } from '../../../src/store/checked-store.ts'
import { nodeDisk } from '../../../src/store/file/database/disk.ts'
import { openStore } from '../../../src/store/file/opening/open-store.ts'
import { commitTo, readLog, snapshotOf, stream, testPlace } from '../../../src/store/file/test-place.fixture.ts'
import type { Store, StoredEvent } from '../../../src/store/store.ts'
import { at } from '../../../src/testing/checkpoint-at.ts'
import type { Random } from '../../../src/testing/random.ts'
import type { FuzzTarget } from './fuzz-target.ts'
import { mutateJson } from './json-mutation.ts'
import { checkBeside, checkLog, said } from './well-formed.ts'

const streams = ['a', 'b'].map(stream)
const journals = ['projections.jsonl', 'snapshots.jsonl', 'leases.jsonl']
const lineFeed = 10
const prefixBytes = 9

type Files = ReadonlyMap<string, Buffer>

/** Opens a store behind its door, without a lock of an earlier one. */
function open(directory: string): Promise<Store> {
  const settings = { disk: nodeDisk, directory, segmentBytesMax: 1500, compactBytesMin: 2000 }
  const factory = checkedFactory({
    name: 'file',
    open: (options) => openStore({ ...settings, mayLoseOnPowerFailure: false }, options),
  })
  return factory.open({ now: () => 5, warn: () => undefined })
}

async function fill(store: Store): Promise<void> {
  for (let n = 0; n < 6; n++) {
    const events = [
      {
        type: 'Happened',
        data: { n, list: [1, 'two', null], text: '日' },
        metadata: { by: 'me' },
        tags: ['red', 'blue'],
      },
      { type: 'Grew', data: n },
    ]
    const command = { name: 'do', digest: n }
    const both = streams.map(({ id }) => commitTo(id, `c${n}`, n % 2 === 0 ? { events, command } : {}))
    await store.append(both)
    const rows = [
      { key: `row ${n}`, value: { n } },
      { key: 'last', value: n },
    ]
    await store.saveStep('p', { from: at(n, Math.min(n, 1)), to: at(n + 1, 1), rows })
    await store.saveSnapshot(snapshotOf(stream('a'), n + 1, { n }), { keep: 2 })
    await store.acquireLease('l', `owner ${n}`, 1000)
    await store.releaseLease('l', `owner ${n}`)
  }
  await store.acquireLease('l', 'last owner', 1000)
}

/** The files of a closed store, by name. The locks are left out: a copy has none. */
async function filesOf(directory: string): Promise<Files> {
  const names = (await readdir(directory)).filter((name) => !name.startsWith('lock-'))
  return new Map(await Promise.all(names.map(async (name) => [name, await readFile(join(directory, name))] as const)))
}

const linesOf = (bytes: Buffer): string[] => bytes.toString().split(/(?<=\n)/)
const jsonOf = (line: string): string => line.slice(prefixBytes, -1)

/** Lines with checksums that fit. Those of a journal continue each other. */
function lined(texts: readonly string[], seed: number | undefined): string {
  let before = seed ?? 0
  return texts
    .map((text) => {
      const checksum = crc32(Buffer.from(text), seed === undefined ? 0 : before)
      before = checksum
      return `${checksum.toString(16).padStart(8, '0')} ${text}\n`
    })
    .join('')
}

/** One line with other content, and its checksum. */
function forgedLine(bytes: Buffer, seed: number | undefined, random: Random): Buffer {
  const texts = linesOf(bytes).map(jsonOf)
  const at = random.below(texts.length)
  texts[at] = mutateJson(texts[at]!, random)
  return Buffer.from(lined(texts, seed))
}

/** The index with another header, and its checksum. */
function forgedIndex(bytes: Buffer, random: Random): Buffer {
  const end = bytes.indexOf(lineFeed)
  const body = Buffer.from(bytes.subarray(end, -4))
  const isHeader = random.chance(0.6)
  if (!isHeader)
    for (let left = random.int(1, 4); left > 0; left--) body[random.int(1, body.length - 1)] = random.below(256)
  const header = bytes.toString('utf8', 0, end)
  const changed = Buffer.concat([Buffer.from(isHeader ? mutateJson(header, random) : header), body])
  const trailer = Buffer.alloc(4)
  trailer.writeUInt32LE(crc32(changed))
  return Buffer.concat([changed, trailer])
}

/** Whole lines that are moved, doubled, exchanged, left out, or come from another file. */
function movedLine(bytes: Buffer, others: Files, random: Random): Buffer {
  const lines = linesOf(bytes)
  const [one, other] = [random.below(lines.length), random.below(lines.length)]
  const foreign = random.pick(linesOf(random.pick([...others.values()])))
  const line = lines[one]!
  const kinds: (() => string[])[] = [
    () => lines.toSpliced(one, 1).toSpliced(other, 0, line),
    () => lines.toSpliced(other, 0, line),
    () => lines.with(one, lines[other]!).with(other, line),
    () => lines.toSpliced(one, 1),
    () => lines.toSpliced(one, 0, foreign),
    () => lines.with(one, foreign),
    () => [...lines.slice(other), ...lines.slice(0, other)],
  ]
  return Buffer.from(random.pick(kinds)().join(''))
}

interface Forgery {
  readonly name: string
  readonly bytes: Buffer
  /** Whether the index is left out, so that the log is read. */
  readonly isKilled: boolean
}

function forge(files: Files, logId: string, random: Random): Forgery {
  const name = random.pick([...files.keys(), ...journals])
  const bytes = files.get(name)!
  const isKilled = name !== 'index.bin' && random.chance(0.8)
  if (name === 'index.bin') return { name, bytes: forgedIndex(bytes, random), isKilled }
  if (name === 'format.json') return { name, bytes: Buffer.from(mutateJson(bytes.toString().trim(), random)), isKilled }
  const seed = journals.includes(name) ? crc32(`${logId} ${name}`) : undefined
  return { name, bytes: forgedLine(bytes, seed, random), isKilled }
}

/** A store with some files, and others without the index. Calls `ask` with it, unless it refuses to open. */
async function withCopy(
  files: Files,
  { name, bytes, isKilled }: Forgery,
  ask: (store: Store) => Promise<void>,
): Promise<boolean> {
  await using copy = await testPlace()
  for (const [path, content] of files) await writeFile(join(copy.directory, path), content)
  await writeFile(join(copy.directory, name), bytes)
  if (isKilled) await rm(join(copy.directory, 'index.bin'))
  const opened = await said(() => open(copy.directory))
  if (opened === undefined) return false
  try {
    await ask(opened.answer)
  } finally {
    await said(() => opened.answer.close())
  }
  return true
}

async function filled(): Promise<{ files: Files; log: readonly StoredEvent[]; logId: string }> {
  await using place = await testPlace()
  const store = await open(place.directory)
  await fill(store)
  const log = await readLog(store)
  await store.close()
  const files = await filesOf(place.directory)
  const { log: logId } = JSON.parse(files.get('format.json')!.toString()) as { log: string }
  return { files, log, logId }
}

let whole: ReturnType<typeof filled> | undefined

/** One line, the index or the format with other content. */
export const forgedLines: FuzzTarget = {
  name: 'lines of file',
  async run(random) {
    whole ??= filled()
    const { files, logId } = await whole
    const isOpen = await withCopy(files, forge(files, logId, random), async (store) => {
      await checkLog(store, streams)
      await said(() => store.append([commitTo('new', 'new')]))
      await checkLog(store, streams)
      await checkBeside(store, 'p', stream('a'))
    })
    return isOpen ? 'answered' : 'refused'
  },
}

/** Whole lines in other places. */
export const movedLines: FuzzTarget = {
  name: 'moved lines of file',
  async run(random) {
    whole ??= filled()
    const { files, log } = await whole
    const segments = new Map([...files].filter(([name]) => name.startsWith('log-')))
    const name = random.pick([...segments.keys()])
    const bytes = movedLine(files.get(name)!, segments, random)
    let isAnswered = false
    await withCopy(files, { name, bytes, isKilled: random.chance(0.5) }, async (store) => {
      const events = await checkLog(store, streams)
      if (events === undefined) return
      isAnswered = true
      assert.deepEqual(events, log.slice(0, events.length))
    })
    return isAnswered ? 'answered' : 'refused'
  },
}
