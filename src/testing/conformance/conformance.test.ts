/**
 * The kit itself: a store that breaks one promise fails the cases of that promise, and stores with fewer capabilities are
 * judged by what they can do. The faults are put in front of the memory store, one method at a time.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { StoreError } from '../../domain/error.ts'
import { memory } from '../../store/memory/memory-store.ts'
import type { Store, StoreFactory } from '../../store/store.ts'
import { type ConformanceCase, createRig, type StoreCapabilities } from './kit.ts'
import { groups, storeConformance } from './store-conformance.ts'

/** A memory store, some of whose methods are others. */
const altered = (alter: (store: Store) => Partial<Store>): StoreFactory => {
  const inner = memory()
  return {
    name: 'altered',
    open: async (options) => {
      const store = await inner.open(options)
      const changed: Partial<Store> = alter(store)
      return new Proxy(store, {
        get: (target, key) => {
          if (key in changed) return changed[key as keyof Store]
          const value = target[key as keyof Store]
          return typeof value === 'function' ? value.bind(target) : value
        },
      })
    },
  }
}

/** A memory store that one may open at a time. */
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

const find = (sentence: string): ConformanceCase => {
  const found = groups.flatMap(({ cases }) => Object.entries(cases)).find(([name]) => name === sentence)
  assert.ok(found, `there is no case "${sentence}"`)
  return found[1]
}

/** Runs one case on a store of its own. */
async function run(sentence: string, factory: StoreFactory, capabilities: StoreCapabilities = {}): Promise<void> {
  const { kit, openShared, closeShared } = createRig(async () => ({ factory }), capabilities)
  await openShared()
  try {
    await find(sentence)(kit)
  } finally {
    await closeShared()
  }
}

const faults: Readonly<Record<string, readonly [string, (store: Store) => Partial<Store>]>> = {
  'forgets a commit': [
    'of many streams stores every commit and answers in order',
    (store) => ({
      append: async (commits) => [...(await store.append(commits.slice(1))), ...(await store.append([]))],
    }),
  ],
  'splits a batch, so that a chain is not broken': [
    'an exact expectation on the same stream conflicts though the number would fit',
    (store) => ({ append: async (commits) => (await Promise.all(commits.map((one) => store.append([one])))).flat() }),
  ],
  'looks at the limit before the filter': [
    'applies after the filter',
    (store) => ({
      readAll: async (range, { types, ...options } = {}) => {
        const page = await store.readAll(range, options)
        return { ...page, events: page.events.filter(({ type }) => types?.includes(type) ?? true) }
      },
    }),
  ],
  'says that it has examined what is not stored yet': [
    'of more than there are has examined to the end',
    (store) => ({ readAll: async (...args) => ({ ...(await store.readAll(...args)), examined: args[0].to }) }),
  ],
  'ignores a signal': [
    'whose signal is aborted already ends with its reason',
    (store) => ({ readStream: (stream, range) => store.readStream(stream, range) }),
  ],
  'leaves out an event now and then': [
    '8 writers and 3 readers at the tail: no gap, no double, no event of a conflict',
    (store) => ({
      readAll: async (...args) => {
        const page = await store.readAll(...args)
        return { ...page, events: page.events.filter(({ position }) => position % 97 !== 0) }
      },
    }),
  ],
  'lets anybody have a lease': [
    'are refused to others while they are held',
    () => ({ acquireLease: async (_, owner, durationMs) => ({ owner, expiresAt: durationMs }) }),
  ],
  'moves a checkpoint without looking': [
    'cannot be moved back by a second runner',
    (store) => ({
      saveStep: async (of, step) => store.saveStep(of, { ...step, from: await store.loadCheckpoint(of) }),
    }),
  ],
}

describe('The kit finds a store that', () => {
  for (const [fault, [sentence, alter]] of Object.entries(faults)) {
    test(fault, async () => {
      await run(
        sentence,
        altered(() => ({})),
      )
      await assert.rejects(run(sentence, altered(alter)), assert.AssertionError)
    })
  }
})

test('no two cases of a group share a sentence, and there are at least 300', () => {
  const sentences = groups.flatMap(({ title, cases }) => Object.keys(cases).map((sentence) => `${title} ${sentence}`))
  assert.equal(new Set(sentences).size, sentences.length)
  assert.ok(sentences.length >= 300)
})

test('places are cleaned up after their stores are closed', async () => {
  const log: string[] = []
  const makeStore = async () => ({
    factory: altered((store) => ({
      close: async () => {
        log.push('close')
        await store.close()
      },
    })),
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
  { severalWriters: false, injectedClock: false },
)
