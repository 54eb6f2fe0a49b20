/**
 * Damage to the indexes of a file that is too large to be checked when it is opened: an entry that is lost, or points
 * elsewhere, makes no answer wrong. SQLite itself notices a page that is destroyed, but not such an entry.
 */
import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { sized } from '../../../test/support/size.ts'
import { MnemeError } from '../../domain/error.ts'
import { Random } from '../../testing/random.ts'
import { type Commit, commit, type Expected } from '../commit.ts'
import { everything } from '../range.ts'
import type { ReadAllOptions, Store } from '../store.ts'
import { sqlite } from './index.ts'
import { freshPath, openStore, withDatabase } from './sqlite-test.fixture.ts'

type Below = (below: number) => number

const damages = sized(30, 5)
const pageSize = 4096
/** Up to this size a file is checked completely when it is opened. */
const goneThroughMax = 4 * 1024 * 1024
const unlimited = { limit: Number.POSITIVE_INFINITY }
const opening = { warn: () => {}, now: () => 0 }
const [streamCount, commitCount] = [150, 3000]
const streams = Array.from({ length: streamCount }, (_, i) => ({ aggregate: `a${i % 2}`, id: `stream ${i}` }))
const commits: readonly Commit[] = Array.from({ length: commitCount }, (_, n) => {
  const events = Array.from({ length: 1 + (n % 2) }, (_, i) => ({
    type: (n + i) % 701 === 0 ? 'Seldom' : ['Opened', 'Deposited', 'Withdrawn'][(n + i) % 3]!,
    data: { n, text: 'x'.repeat(900) },
    tags: [`of ${n % 40}`, ...(n % 5 === 0 ? ['fifth'] : [])],
  }))
  return commit({ stream: streams[n % streamCount]!, expected: 'any', id: `commit ${n}`, recordedAt: n, events })
})
const filters: readonly ReadAllOptions[] = [
  ...['Seldom', 'Opened', 'Deposited', 'Withdrawn'].map((type) => ({ types: [type] })),
  ...['a0', 'a1'].map((aggregate) => ({ aggregates: [aggregate] })),
  ...['fifth', 'of 7', 'of 20'].map((tag) => ({ tags: [tag] })),
  { tags: ['fifth', 'of 20'], types: ['Opened', 'Deposited'] },
  { types: ['Seldom'], direction: 'backward' },
]

/** Random whole numbers from 0 to below a bound, the same for the same seed. */
function randomOf(seed: number): Below {
  const random = new Random(seed)
  return (below) => random.below(below)
}

/** All questions, each with a short text of the answer. */
function questions(): ReadonlyMap<string, (store: Store) => Promise<string>> {
  const all = new Map<string, (store: Store) => Promise<string>>()
  for (const filter of filters) {
    all.set(JSON.stringify(filter), async (store) => {
      const { events, examined } = await store.readAll(everything, { ...unlimited, ...filter })
      return [examined, ...events.map(({ position, checksum }) => `${position}:${checksum}`)].join()
    })
  }
  for (const aggregate of ['a0', 'a1']) {
    all.set(`the streams of ${aggregate}`, async (store) =>
      JSON.stringify(await store.listStreams(aggregate, unlimited)),
    )
  }
  for (const stream of streams) {
    all.set(`the end of ${stream.id}`, async (store) => JSON.stringify(await store.streamEnds([stream])))
    all.set(stream.id, async (store) =>
      (await store.readStream(stream, everything, unlimited)).map(({ checksum }) => checksum).join(),
    )
  }
  for (const { stream, id } of commits) {
    all.set(id, async (store) => JSON.stringify(await store.findCommit(stream, id)) ?? 'none')
  }
  return all
}

/** The answer, or undefined if it is refused with a code. */
async function said<Answer>(answer: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof MnemeError && error.code === 'STORE_CORRUPT') return undefined
    throw error
  }
}

/** Removes one entry from a page. The page is still valid afterwards. */
function lose(page: Buffer, random: Below): void {
  const header = page[0] === 2 ? 12 : 8
  const cells = page.readUInt16BE(3)
  const lost = header + 2 * random(cells)
  page.copyWithin(lost, lost + 2, header + 2 * cells)
  page.writeUInt16BE(cells - 1, 3)
}

/** A page of an index, damaged. */
function damage(bytes: Buffer, pages: readonly number[], random: Below): Buffer {
  const copy = Buffer.from(bytes)
  const [at, other] = [pages[random(pages.length)]!, pages[random(pages.length)]!].map((page) => (page - 1) * pageSize)
  const page = copy.subarray(at!, at! + pageSize)
  const header = page[0] === 2 ? 12 : 8
  const cells = page.readUInt16BE(3)
  const kinds: (() => void)[] = [
    ...Array<() => void>(3).fill(() => lose(page, random)),
    () => {
      page[page.readUInt16BE(5) + random(pageSize - page.readUInt16BE(5))]! ^= 1 << random(8)
    },
    () => page.writeUInt16BE(page.readUInt16BE(header + 2 * random(cells)), header + 2 * random(cells)),
    () => void bytes.copy(page, 0, other!, other! + pageSize),
    () => void page.fill(0, random(pageSize)),
  ]
  kinds[random(kinds.length)]!()
  return copy
}

const indexes = `'events_by_stream', 'events_by_commit', 'events_by_commit_again', 'events_by_kind', 'events_by_kind_again',
  'sqlite_autoindex_streams_1', 'streams_again', 'event_tags', 'event_tags_again'`

async function base(context: TestContext, keepIndexesTwice: boolean) {
  const path = await freshPath(context)
  const store = await openStore(context, path, { keepIndexesTwice })
  for (let at = 0; at < commits.length; at += 500) await store.append(commits.slice(at, at + 500))
  const truth = new Map<string, string>()
  for (const [name, question] of questions()) truth.set(name, await question(store))
  await store.close()
  assert.ok((await stat(path)).size > goneThroughMax)
  const rows = await withDatabase(path, (database) =>
    database.prepare(`SELECT name, pageno FROM dbstat WHERE name IN (${indexes}) AND ncell > 0`).all(),
  )
  const pages = Map.groupBy(rows, ({ name }) => String(name))
  assert.equal(pages.size, keepIndexesTwice ? 9 : 6)
  const byIndex = [...pages.values()].map((own) => own.map(({ pageno }) => Number(pageno)))
  return { path, bytes: await readFile(path), truth, pages, byIndex }
}

test(`${damages} damages to the indexes of a larger file that keeps them twice are refused or change no answer, and store nothing twice`, async (context) => {
  const { path, bytes, truth, byIndex } = await base(context, true)
  const wrong: string[] = []
  let refusals = 0
  for (let seed = 1; seed <= damages; seed++) {
    const random = randomOf(seed)
    const damaged = damage(bytes, byIndex[seed % byIndex.length]!, random)
    await writeFile(path, damaged)
    const store = await said(sqlite(path).open(opening))
    if (store === undefined) {
      refusals++
      assert.ok(damaged.equals(await readFile(path)))
      continue
    }
    const doubted = new Set<string>()
    for (const [name, question] of questions()) {
      const answer = await said(question(store))
      if (answer === undefined) doubted.add(name)
      else if (answer !== truth.get(name)) wrong.push(`${seed}: ${name}`)
    }
    assert.ok(damaged.equals(await readFile(path)), 'nothing was changed')
    if (doubted.size > 0) refusals++
    const again = [...commits.filter(({ id }) => doubted.has(id)).slice(0, 20), commits[random(commitCount)]!]
    for (const each of again) {
      const results = await said(store.append([each]))
      if (results !== undefined && results[0]!.status !== 'duplicate') wrong.push(`${seed}: again ${each.id}`)
    }
    await said(store.close())
  }
  assert.deepEqual(wrong, [])
  assert.ok(refusals > damages / 3, `${refusals}`)
  context.diagnostic(`${refusals} were noticed`)
})

test('a stream that an index of a larger file has lost is never taken for a new one', async (context) => {
  const { path, bytes, truth, pages } = await base(context, false)
  for (const name of ['sqlite_autoindex_streams_1', 'streams_again']) {
    for (let seed = 1; seed <= 3; seed++) {
      const [random, damaged] = [randomOf(seed), Buffer.from(bytes)]
      const leaves = pages
        .get(name)!
        .map(({ pageno }) => (Number(pageno) - 1) * pageSize)
        .filter((at) => bytes[at] === 10)
      const at = leaves[random(leaves.length)]!
      lose(damaged.subarray(at, at + pageSize), random)
      await writeFile(path, damaged)
      const store = await sqlite(path).open(opening)
      let refusals = 0
      for (const stream of streams) {
        const ends = await said(store.streamEnds([stream]))
        const events = [{ type: 'Opened', data: {} }]
        const offer = (expected: Expected) =>
          said(store.append([commit({ stream, expected, id: 'new', recordedAt: 0, events })]))
        const results = await offer(0)
        if (ends === undefined) {
          refusals++
          assert.equal(await offer('exists'), undefined)
        } else assert.equal(JSON.stringify(ends), truth.get(`the end of ${stream.id}`))
        assert.ok(results === undefined ? ends === undefined : results[0]!.status === 'conflict')
      }
      assert.equal(refusals, name === 'streams_again' ? 0 : 1)
      await store.close()
    }
  }
})
