/** The cost of projections that have caught up: one question about the end of the log, however long it is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { stands, until } from '../../../test/support/kernel/rig.ts'
import { Added, Vault } from '../../../test/support/kernel/vault.ts'
import { domain, memory, projection } from '../../index.ts'
import { commit } from '../../store/commit.ts'
import type { Store, StoreFactory } from '../../store/store.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'

const names = Array.from({ length: 100 }, (_, i) => `sum${i}`)
const pollIntervalMs = 1000
const leaseMs = 10_000
/** The number of intervals that are measured. */
const polls = 30

const Idlers = domain({
  aggregates: { vault: Vault },
  projections: Object.fromEntries(
    names.map((name) => [name, projection(name, () => 0).on(Added, (sum, { amount }) => sum + amount)]),
  ),
})

/** The calls that a store got. */
interface Counts {
  heads: number
  pages: number
  events: number
  writes: number
  leases: number
  checkpoints: number
}

/** A store that counts reads of the log, writes of rows and calls for leases. It gives hints only if a test says so. */
function counted(inner: StoreFactory, counts: Counts, hints = false): StoreFactory {
  const open: StoreFactory['open'] = async (options) => {
    const store: Store = await inner.open(options)
    const { head, readAll, saveStep, acquireLease, loadCheckpoint } = store
    store.head = () => {
      counts.heads++
      return head.call(store)
    }
    store.readAll = async (...args) => {
      const page = await readAll.apply(store, args)
      counts.pages++
      counts.events += page.events.length
      return page
    }
    store.saveStep = (...args) => {
      counts.writes++
      return saveStep.apply(store, args)
    }
    store.acquireLease = (...args) => {
      counts.leases++
      return acquireLease.apply(store, args)
    }
    store.loadCheckpoint = (...args) => {
      counts.checkpoints++
      return loadCheckpoint.apply(store, args)
    }
    if (!hints) store.onAppend = () => () => {}
    return store
  }
  return { name: inner.name, open }
}

/** Appends events, with a number of events in each commit. */
async function fill(factory: StoreFactory, events: number, each = 1000): Promise<void> {
  const store = await factory.open({ warn: () => {}, now: () => 0 })
  const batch = Array.from({ length: each }, () => ({ type: 'Added', data: { amount: 1 } }))
  for (let n = 0; n < events; n += each) {
    const stream = { aggregate: 'vault', id: `vault ${n} of ${events}` }
    await store.append([commit({ stream, expected: 'any', id: `${n}`, recordedAt: 0, events: batch })])
  }
  await store.close()
}

const none: Counts = { heads: 0, pages: 0, events: 0, writes: 0, leases: 0, checkpoints: 0 }

/** Projections at the end of a log, and the calls they make from now on. They get no hints. */
async function idling(events: number) {
  const counts = { ...none }
  const inner = memory()
  await fill(inner, events)
  const environment = manualEnvironment()
  const options = { environment, leaseMs, pollIntervalMs, projections: 'manual' } as const
  const idlers = await Idlers.start({ ...options, store: counted(inner, counts) })
  for (const name of names) await idlers.projections.start(name, { from: events + 1 })
  await environment.advance(pollIntervalMs)
  for (const name of names) assert.equal((await idlers.projections.status(name)).lag.events, 0)
  Object.assign(counts, none)
  return { idlers, environment, counts, inner }
}

async function costOfIdling(events: number): Promise<Counts> {
  const { idlers, environment, counts } = await idling(events)
  await environment.advance(polls * pollIntervalMs)
  const cost = { ...counts }
  await idlers.stop()
  return cost
}

test('100 projections that have caught up share one question where the log ends, and read nothing', async () => {
  const cost = await costOfIdling(1000)
  assert.ok(cost.heads > 0 && cost.heads <= polls, `${cost.heads} looks in ${polls} intervals`)
  assert.deepEqual([cost.pages, cost.events, cost.writes], [0, 0, 0])
  assert.deepEqual(await costOfIdling(100_000), cost, 'a log that is a hundred times as long costs the same')
})

test('an event without a hint wakes all projections that handle it, at the next poll', async () => {
  const { idlers, environment, counts, inner } = await idling(1000)
  await fill(inner, 1, 1)
  await environment.advance(pollIntervalMs)
  assert.equal(counts.events, names.length)
  for (const name of names) assert.deepEqual((await idlers.projections.status(name)).position, 1001)
  await idlers.stop()
})

test('a standby asks for the leases at intervals, whatever is appended, and reads checkpoints only for waiting readers', async () => {
  const counts = { ...none }
  const inner = memory()
  await fill(inner, 1000)
  const environment = manualEnvironment()
  const options = { environment, leaseMs, pollIntervalMs, projections: 'manual' } as const
  const leading = await Idlers.start({ ...options, store: inner })
  const standby = await Idlers.start({ ...options, store: counted(inner, counts, true) })
  for (const idlers of [leading, standby]) for (const name of names) await idlers.projections.start(name)
  const stateOf = async (idlers: typeof leading) => (await idlers.projections.status(names[0]!)).state
  await until('one leads, the other does not', async () => (await stateOf(standby)) === 'standby')
  await environment.advance(pollIntervalMs)
  Object.assign(counts, none)
  for (let events = 11; events < 16; events++) await fill(inner, events, 1)
  assert.deepEqual([counts.leases, counts.checkpoints, counts.pages], [0, 0, 0], 'what is appended is not its business')
  await environment.advance(3 * pollIntervalMs)
  assert.deepEqual([counts.leases, counts.checkpoints, counts.pages], [3 * names.length, 0, 0])
  const { position } = await leading.vault('a').add({ amount: 7 })
  const answer = standby['sum0']!.get('a', { atLeast: position })
  // If it looks before the other one has handled the event, it looks again when time has passed.
  while ((await stands(answer)) === 'pending') await environment.advance(pollIntervalMs)
  assert.equal(await answer, 7)
  assert.ok(counts.checkpoints > 0 && counts.checkpoints < 10, `${counts.checkpoints} looks for one who waits`)
  await leading.stop()
  await standby.stop()
})
