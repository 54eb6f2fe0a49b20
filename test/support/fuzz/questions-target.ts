/**
 * Odd arguments to the methods of a store: ids, ranges, limits and cursors. A store refuses them with the same code as
 * the store in memory, or gives the same answer.
 */
import assert from 'node:assert/strict'
import { MnemeError } from '../../../src/domain/error.ts'
import { memory } from '../../../src/index.ts'
import { commit } from '../../../src/store/commit.ts'
import type { Store, StoreFactory } from '../../../src/store/store.ts'
import { at } from '../../../src/testing/checkpoint-at.ts'
import type { Random } from '../../../src/testing/random.ts'
import type { FuzzTarget } from './fuzz-target.ts'
import { mostly, oddRecord, unusualIds } from './odd-values.ts'

const opening = { now: () => 0, warn: () => {} }
const aggregates = ['thing', 'Thing', '__proto__']
const types = ['Happened', 'toString']
const tags = ['red', 'redder', '%']
const projection = 'p'

async function fill(store: Store): Promise<void> {
  for (const [i, id] of unusualIds.entries()) {
    const stream = { aggregate: aggregates[i % aggregates.length]!, id }
    const events = Array.from({ length: 1 + (i % 3) }, (_, n) => ({
      type: types[(i + n) % types.length]!,
      data: { i, n },
      tags: tags.slice(0, (i + n) % 4),
    }))
    await store.append([commit({ stream, expected: 'none', id, recordedAt: i, events })])
    await store.saveSnapshot(
      { stream, sequence: 1, stateRevision: 1, checksum: 0, fingerprint: 'f', takenAt: 0, state: i },
      { keep: 1 },
    )
  }
  const rows = unusualIds.map((key, i) => ({ key, value: { i, key } }))
  await store.saveStep(projection, { from: at(0), to: at(1), rows })
}

/** A question that two stores are asked. The answers are brought into the form in which they have to be the same. */
type Question = (store: Store) => Promise<unknown>

const kinds: readonly ((random: Random) => Question)[] = [
  (random) => {
    const [stream, range, options] = [oddStream(random), oddRange(random), oddReading(random)]
    return async (store) => (await store.readStream(stream, range, options)).map(({ checksum: _, ...event }) => event)
  },
  (random) => {
    const [range, options] = [oddRange(random), { ...oddReading(random), ...oddFilters(random) }]
    return async (store) => {
      const { events } = await store.readAll(range, options)
      return events.map(({ position }) => position)
    }
  },
  (random) => {
    const [aggregate, query] = [mostly(random, aggregates), oddQuery(random, {})]
    return (store) => wholeList(store, async () => store.listStreams(aggregate, query), query, aggregate)
  },
  (random) => {
    const [name, query] = [
      mostly(random, [projection]),
      oddQuery(random, { prefix: ['', 'a', '\u0001', ...unusualIds] }),
    ]
    return (store) => wholeRows(store, name, query)
  },
  (random) => {
    const [stream, id] = [oddStream(random), mostly(random, unusualIds)]
    return async (store) => {
      const found = await store.findCommit(stream, id)
      return found && [found.position, found.sequence]
    }
  },
  (random) => {
    const streams = mostly(random, [[oddStream(random)], [oddStream(random), oddStream(random)], []])
    return async (store) => (await store.streamEnds(streams)).map(({ sequence }) => sequence)
  },
  (random) => {
    const [name, keys] = [mostly(random, [projection, 'other']), mostly(random, [[mostly(random, unusualIds)], []])]
    return (store) => store.loadRows(name, keys)
  },
  (random) => {
    const [stream, options] = [oddStream(random), oddRecord(random, { atOrBefore: [0, 1, 2, Infinity] })]
    return async (store) => (await store.loadSnapshot(stream, options))?.state
  },
  (random) => {
    const [name, owner, ms] = [mostly(random, ['l']), mostly(random, ['me']), mostly(random, [1, 0.5, 1000])]
    return async (store) => {
      const lease = await store.acquireLease(name, owner, ms)
      await store.releaseLease(name, owner)
      return lease.owner
    }
  },
  (random) => {
    const [streams, writer, ms] = [[oddStream(random)], mostly(random, ['me']), mostly(random, [0, 1, 1000])]
    return async (store) => {
      const given = await store.reserve(streams, writer, ms)
      await store.reserve(streams, writer, 0)
      return given
    }
  },
]

const oddStream = (random: Random): any =>
  random.chance(0.05)
    ? mostly(random, [], 1)
    : { aggregate: mostly(random, aggregates), id: mostly(random, unusualIds) }
const oddRange = (random: Random): any => oddRecord(random, { from: [0, 1, 2, 5, 40], to: [0, 1, 3, 20, Infinity] })
const oddReading = (random: Random): any =>
  oddRecord(random, { limit: [0, 1, 5, Infinity], direction: ['forward', 'backward'] })
const oddFilters = (random: Random): any =>
  oddRecord(random, {
    types: [['Happened'], types, []],
    aggregates: [['thing'], aggregates, []],
    tags: [['red'], tags, []],
  })
const oddQuery = (random: Random, more: Readonly<Record<string, readonly unknown[]>>): any => {
  const query = oddRecord(random, { after: unusualIds, ...more })
  return random.chance(0.9) && typeof query === 'object' && query !== null && !Array.isArray(query)
    ? { ...query, limit: mostly(random, [1, 2, 10, Infinity]) }
    : query
}

interface ListPage {
  readonly ids: readonly string[]
  readonly next?: string | undefined
}

/**
 * All pages from a cursor on. Stores have orders of their own, so what they list after a cursor differs; that it is the
 * end of the whole list, and begins behind the cursor, holds for each.
 */
async function wholeList(
  store: Store,
  first: () => Promise<ListPage>,
  query: { readonly after?: string; readonly limit: number },
  aggregate: string,
): Promise<unknown> {
  const pageFrom = (after: string | undefined) =>
    store.listStreams(aggregate, { limit: query.limit, ...(after !== undefined && { after }) })
  const begun = await first()
  const all = await pages(await pageFrom(undefined), pageFrom)
  checkEnd(await pages(begun, pageFrom), all, query.after)
  return all.toSorted()
}

async function wholeRows(store: Store, name: string, query: any): Promise<unknown> {
  const asked = async (more: object): Promise<ListPage> => {
    const { rows, next } = await store.listRows(name, more as never)
    return { ids: rows.map(({ key, value }) => `${key}\n${JSON.stringify(value)}`), next }
  }
  const first = await asked(query)
  const { after, ...others } = query
  const pageFrom = (next: string | undefined) => asked({ ...others, ...(next !== undefined && { after: next }) })
  const all = await pages(await pageFrom(undefined), pageFrom)
  const keys = (listed: readonly string[]) => listed.map((each) => each.slice(0, each.lastIndexOf('\n')))
  checkEnd(keys(await pages(first, pageFrom)), keys(all), after)
  assert.ok(query.prefix === undefined || keys(all).every((key) => key.startsWith(query.prefix)))
  return all.toSorted()
}

async function pages(first: ListPage, pageFrom: (after: string) => Promise<ListPage>): Promise<readonly string[]> {
  const listed = [...first.ids]
  for (let page = first; page.next !== undefined; ) {
    page = await pageFrom(page.next)
    listed.push(...page.ids)
  }
  return listed
}

function checkEnd(listed: readonly string[], all: readonly string[], after: string | undefined): void {
  assert.deepEqual(listed, all.slice(all.length - listed.length))
  const place = after === undefined ? -1 : all.indexOf(after)
  if (after === undefined || place >= 0) assert.equal(listed.length, all.length - 1 - place)
  const isAscii = [...all, after ?? ''].every((id) => /^[\0-\x7f]*$/.test(id))
  if (isAscii && after !== undefined)
    assert.deepEqual(
      listed,
      all.filter((id) => id > after),
    )
}

/** The answer, or the code of the refusal. */
async function saidBy(store: Store, question: Question): Promise<unknown> {
  try {
    return { answer: await question(store) }
  } catch (error) {
    if (error instanceof MnemeError) return { code: error.code }
    throw error
  }
}

/** @param open opens an empty store; it stays open */
export function questionsTarget(name: string, open: () => Promise<StoreFactory>): FuzzTarget & AsyncDisposable {
  const filled = async (factory: StoreFactory) => {
    const store = await factory.open(opening)
    await fill(store)
    return store
  }
  let stores: Promise<readonly [reference: Store, store: Store]> | undefined
  return {
    name: `questions to ${name}`,
    async run(random) {
      stores ??= Promise.all([filled(memory()), open().then(filled)])
      const [reference, store] = await stores
      const question = random.pick(kinds)(random)
      const said = await saidBy(store, question)
      assert.deepEqual(said, await saidBy(reference, question))
      return 'code' in (said as object) ? 'refused' : 'answered'
    },
    async [Symbol.asyncDispose]() {
      for (const store of (await stores) ?? []) await store.close()
    },
  }
}
