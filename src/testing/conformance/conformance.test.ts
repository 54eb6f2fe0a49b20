/**
 * The kit itself: a store that breaks a promise fails the cases of that promise. Stores with fewer capabilities are
 * tested for what they can do. Each fault changes one method of the memory store, or of the SQLite store for
 * transactions.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Alter, altered, expectFound, sqlitePlace } from '../../../test/support/stores/altered-store.ts'
import { StoreError } from '../../domain/error.ts'
import type { Json } from '../../domain/json.ts'
import { memory } from '../../store/memory/memory.ts'
import type { Condition, Row, RowPage, RowQuery, Store, StoreFactory } from '../../store/store.ts'
import { at } from '../checkpoint-at.ts'
import { createRig } from './kit.ts'
import { groups, storeConformance } from './store-conformance.ts'

/** A memory store that can be open only once at a time. */
const locked = (): StoreFactory => {
  const inner = memory()
  let held = false
  return {
    name: 'locked',
    open: async (options) => {
      if (held) throw new StoreError('STORE_LOCKED', { store: 'locked', owner: 'another' })
      held = true
      const store = await inner.open(options)
      const close = store.close.bind(store)
      return Object.assign(store, {
        close: async () => {
          await close()
          held = false
        },
      })
    },
  }
}

/** Replaces the rows that a store lists. */
const listing = (
  change: (query: RowQuery, list: (query: RowQuery) => Promise<readonly Row[]>) => Promise<readonly Row[]>,
) =>
  ((store) => ({
    listRows: async (of, query) => {
      let page: RowPage | undefined
      const rows = await change(query, async (other) => {
        page = await store.listRows(of, other)
        return page.rows
      })
      return { ...page, rows }
    },
  })) satisfies Alter

/** A listing that leaves out rows which do not pass. */
const leavingOut = (passes: (row: Row, condition: Condition) => boolean) =>
  listing(async (page, list) =>
    (await list(page)).filter((row) => (page.where ?? []).every((condition) => passes(row, condition))),
  )

const fieldOf = ({ value }: Row, field: string) => (value as Readonly<Record<string, Json>> | null)?.[field]

const faults: Readonly<Record<string, readonly [string, Alter]>> = {
  'forgets a commit': [
    'of many streams stores every commit and answers in order',
    (store) => ({
      append: async (commits) => [...(await store.append(commits.slice(1))), ...(await store.append([]))],
    }),
  ],
  'splits a batch, so that a chain is not broken': [
    'an exact expectation on the same stream conflicts even if the number would match',
    (store) => ({ append: async (commits) => (await Promise.all(commits.map((one) => store.append([one])))).flat() }),
  ],
  'applies the limit before the filter': [
    'applies after the filter',
    (store) => ({
      readAll: async (range, { types, ...options } = {}) => {
        const page = await store.readAll(range, options)
        return { ...page, events: page.events.filter(({ type }) => types?.includes(type) ?? true) }
      },
    }),
  ],
  'claims to have examined events that are not stored yet': [
    'of more than there are has examined everything',
    (store) => ({ readAll: async (...args) => ({ ...(await store.readAll(...args)), examined: args[0].to }) }),
  ],
  'ignores a signal': [
    'whose signal is already aborted ends with its reason',
    (store) => ({ readStream: (stream, range) => store.readStream(stream, range) }),
  ],
  'sometimes leaves out an event': [
    '3 readers that follow 8 writers see no gap, no duplicate and no event of a conflict',
    (store) => ({
      readAll: async (...args) => {
        const page = await store.readAll(...args)
        return { ...page, events: page.events.filter(({ position }) => position % 97 !== 0) }
      },
    }),
  ],
  'gives a lease to anybody': [
    'are refused to others while they are held',
    () => ({ acquireLease: async (_, owner, durationMs) => ({ owner, expiresAt: durationMs }) }),
  ],
  'moves a checkpoint without comparing': [
    'cannot be moved back by a second runner',
    (store) => ({
      saveStep: async (of, step) => store.saveStep(of, { ...step, from: await store.loadCheckpoint(of) }),
    }),
  ],
  'lists streams that have no events': [
    'lacks a stream whose only commit was not stored, and one that is only reserved',
    (store) => {
      const seen = new Set<string>()
      return {
        append: (commits) => {
          for (const { stream } of commits) seen.add(stream.id)
          return store.append(commits)
        },
        listStreams: async () => ({ ids: [...seen].sort() }),
      }
    },
  ],
  'lists the streams that there were at first': [
    'has a stream as soon as its first commit is stored, and its next events change nothing',
    (store) => {
      let first: ReturnType<Store['listStreams']> | undefined
      return { listStreams: (aggregate, query) => (first ??= store.listStreams(aggregate, query)) }
    },
  ],
  'treats the first page of streams as the last': [
    'says after which id the next page begins, and nothing if there is none',
    (store) => ({ listStreams: async (...args) => ({ ids: (await store.listStreams(...args)).ids }) }),
  ],
  'reads rows and their checkpoint one after the other': [
    'are of the same step as it, while steps are saved',
    (store) => ({
      loadRowsWithCheckpoint: async (of, keys) => {
        const values = await store.loadRows(of, keys)
        return { values, checkpoint: await store.loadCheckpoint(of) }
      },
    }),
  ],
  'treats a prefix as a pattern': [
    'are found, and no other rows',
    listing(async ({ prefix = '', ...page }, list) => {
      const pattern = new RegExp(`^${prefix.replaceAll('%', '.*').replaceAll(/[*?+()[\]\\^$|]/g, '\\$&')}`, 'su')
      return (await list(page)).filter(({ key }) => pattern.test(key))
    }),
  ],
  'ignores the case of letters in a prefix': [
    'are found, and no other rows',
    listing(async ({ prefix = '', ...page }, list) =>
      (await list(page)).filter(({ key }) => key.toLowerCase().startsWith(prefix.toLowerCase())),
    ),
  ],
  'stops too early at a prefix': [
    'are found, and no other rows',
    listing(async (page, list) => (await list(page)).filter(({ key }) => key < `${page.prefix ?? ''}\uffff`)),
  ],
  'starts again at the prefix on each page': [
    'are listed after any key, with the prefix or not',
    listing(({ after, ...page }, list) =>
      list(page.prefix === undefined && after !== undefined ? { after, ...page } : page),
    ),
  ],
  'treats the first page as the last': [
    'are listed page by page',
    (store) => ({ listRows: async (of, query) => ({ rows: (await store.listRows(of, query)).rows }) }),
  ],
  'compares numbers as texts': [
    'are not left out if a number has bounds',
    leavingOut(
      (row, condition) => 'oneOf' in condition || !(`${fieldOf(row, condition.field)}` < `${condition.least}`),
    ),
  ],
  'compares fractions inexactly': [
    'are not left out if a number is wanted',
    leavingOut(
      (row, condition) =>
        !('oneOf' in condition) || condition.oneOf.some((one) => one === Number(Number(fieldOf(row, 'a')).toFixed(6))),
    ),
  ],
  'leaves out numbers that JSON lacks': [
    'are not left out if a number that JSON lacks may be within bounds',
    leavingOut((row, { field }) => typeof fieldOf(row, field) === 'number'),
  ],
  'treats a field as a path': [
    'are found by fields of any name',
    leavingOut((row, { field }) => fieldOf(row, field.split('.')[0]!) !== undefined),
  ],
  'has transactions but says that it has none': ['are not offered', () => ({ transact: async () => {} })],
}

const transactionFaults: Readonly<Record<string, readonly [string, Alter]>> = {
  'saves what a failed work has written': [
    'leave nothing if the work throws, and reject with its error',
    (store) => ({
      transact: async (of, from, work) => {
        let failure: { readonly error: unknown } | undefined
        await store.transact!(of, from, async (sql) => {
          try {
            return await work(sql)
          } catch (error) {
            failure = { error }
            return { to: { ...from, note: {} }, rows: [] }
          }
        })
        if (failure !== undefined) throw failure.error
      },
    }),
  ],
  'hides the error of a work': [
    'leave nothing if the work throws, and reject with its error',
    (store) => ({
      transact: (...args) =>
        store.transact!(...args).catch((error) => {
          throw new RangeError(error.message)
        }),
    }),
  ],
  'begins at any checkpoint': [
    'conflict before the work is called, and name the stored checkpoint',
    (store) => ({ transact: async (of, _, work) => store.transact!(of, await store.loadCheckpoint(of), work) }),
  ],
  'calls the work before it compares the checkpoint': [
    'conflict before the work is called, and name the stored checkpoint',
    (store) => ({
      transact: async (of, from, work) => {
        let step: Awaited<ReturnType<typeof work>> | undefined
        await store.transact!('another', await store.loadCheckpoint('another'), async (sql) => {
          step = await work(sql)
          return { to: at(0), rows: [] }
        })
        await store.saveStep(of, { from, ...step! })
      },
    }),
  ],
  'saves tables and rows one after the other': [
    'of one projection at the same time have exactly one winner',
    (store) => ({
      transact: async (of, from, work) => {
        let step: Awaited<ReturnType<typeof work>> | undefined
        await store.transact!(of, from, async (sql) => {
          step = await work(sql)
          return { to: { ...from, note: {} }, rows: [] }
        })
        await store.saveStep(of, { from, ...step! })
      },
    }),
  ],
  'accepts statements after the end': [
    'are refused after the end',
    (store) => ({
      transact: (of, from, work) =>
        store.transact!(of, from, (sql) =>
          work({ query: (text, values) => sql.query<any>(text, values).catch(() => []) }),
        ),
    }),
  ],
  'ignores failures that were not awaited': [
    'that fail without being awaited prevent saving',
    (store) => ({
      transact: (of, from, work) =>
        store.transact!(of, from, (sql) =>
          work({
            query: (text, values) => {
              const answer = sql.query<any>(text, values)
              answer.catch(() => {})
              return answer
            },
          }),
        ),
    }),
  ],
  'runs statements in a different order': [
    'are done in the order in which they were asked for, awaited or not',
    (store) => ({
      transact: (of, from, work) =>
        store.transact!(of, from, (sql) => {
          let first: Promise<unknown> = Promise.resolve()
          return work({
            query: (text, values) => {
              if (String(text).startsWith('UPDATE')) return sql.query<any>(text, values)
              first = first.then(() => sql.query<any>(text, values))
              return first as Promise<any>
            },
          })
        }),
    }),
  ],
}

describe('The kit finds a store that', () => {
  for (const [fault, [sentence, alter]] of Object.entries(faults)) {
    test(fault, () => expectFound(sentence, alter, async () => ({ factory: memory() })))
  }
  for (const [fault, [sentence, alter]] of Object.entries(transactionFaults)) {
    test(fault, () => expectFound(sentence, alter, sqlitePlace))
  }
})

test('no two cases of a group share a sentence, and there are at least 340', () => {
  const sentences = groups.flatMap(({ title, cases }) => Object.keys(cases).map((sentence) => `${title} ${sentence}`))
  assert.equal(new Set(sentences).size, sentences.length)
  assert.ok(sentences.length >= 340)
})

test('places are cleaned up after their stores are closed', async () => {
  const log: string[] = []
  const makeStore = async () => ({
    factory: altered(
      (store) => ({
        close: async () => {
          log.push('close')
          await store.close()
        },
      }),
      memory(),
    ),
    cleanUp: async () => {
      log.push('clean up')
    },
  })
  const { kit } = createRig(makeStore, {})
  {
    await using own = await kit.place()
    await own.open()
    await own.open()
  }
  assert.deepEqual(log, ['close', 'close', 'clean up'])
})

storeConformance(
  'with one writer and a clock of its own',
  async () => {
    const inner = locked()
    return { factory: { name: 'locked', open: ({ warn }) => inner.open({ warn, now: Date.now }) } }
  },
  { severalWriters: false, injectedClock: false, transactions: false },
)
