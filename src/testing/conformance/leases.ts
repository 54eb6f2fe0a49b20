/** Leases: one owner at a time, until the lease expires by the store's clock or is released. */
import assert from 'node:assert/strict'
import { type ConformanceGroup, type ConformanceKit, until } from './kit.ts'

const durationMs = 30_000

/** Lets a lease expire: moves the clock or, if the store has its own, waits until another owner gets the lease. */
async function runOut({ store, clock, capabilities }: ConformanceKit, lease: string, next: string): Promise<void> {
  if (capabilities.injectedClock) clock.advance(durationMs)
  else await until(async () => (await store.acquireLease(lease, next, durationMs)).owner === next)
}

/** The duration of a lease that has to expire: short if the case has to wait for it. */
const brief = ({ capabilities }: ConformanceKit) => (capabilities.injectedClock ? durationMs : 50)

export const leases: ConformanceGroup = {
  title: 'Leases',
  cases: {
    'are given to the first that asks': async ({ store, name }) => {
      assert.equal((await store.acquireLease(name(), 'a', durationMs)).owner, 'a')
    },
    'are refused to others while they are held': async ({ store, name }) => {
      const lease = name()
      const held = await store.acquireLease(lease, 'a', durationMs)
      assert.deepEqual({ ...(await store.acquireLease(lease, 'b', durationMs)) }, { ...held })
      assert.equal((await store.acquireLease(lease, 'a', durationMs)).owner, 'a')
    },
    'can be renewed by their owner': async ({ store, name, clock, capabilities }) => {
      const lease = name()
      const first = await store.acquireLease(lease, 'a', durationMs)
      if (capabilities.injectedClock) clock.advance(durationMs - 1)
      const renewed = await store.acquireLease(lease, 'a', durationMs)
      assert.equal(renewed.owner, 'a')
      assert.ok(renewed.expiresAt >= first.expiresAt)
      if (capabilities.injectedClock) clock.advance(durationMs - 1)
      assert.equal((await store.acquireLease(lease, 'b', durationMs)).owner, 'a')
    },
    'pass to another when they have expired': async (kit) => {
      const lease = kit.name()
      await kit.store.acquireLease(lease, 'a', brief(kit))
      await runOut(kit, lease, 'b')
      assert.equal((await kit.store.acquireLease(lease, 'b', durationMs)).owner, 'b')
      assert.equal((await kit.store.acquireLease(lease, 'a', durationMs)).owner, 'b')
    },
    'can be taken again by their owner after they expire, if no other has taken them': async (kit) => {
      const lease = kit.name()
      await kit.store.acquireLease(lease, 'a', brief(kit))
      if (kit.capabilities.injectedClock) kit.clock.advance(durationMs * 2)
      assert.equal((await kit.store.acquireLease(lease, 'a', durationMs)).owner, 'a')
    },
    'can be released': async ({ store, name }) => {
      const lease = name()
      await store.acquireLease(lease, 'a', durationMs)
      await store.releaseLease(lease, 'a')
      assert.equal((await store.acquireLease(lease, 'b', durationMs)).owner, 'b')
    },
    'cannot be released by another owner': async ({ store, name }) => {
      const lease = name()
      await store.acquireLease(lease, 'a', durationMs)
      await store.releaseLease(lease, 'b')
      assert.equal((await store.acquireLease(lease, 'b', durationMs)).owner, 'a')
    },
    'that nobody holds can be released without an error': async ({ store, name }) => {
      const lease = name()
      await store.releaseLease(lease, 'a')
      assert.equal((await store.acquireLease(lease, 'b', durationMs)).owner, 'b')
    },
    'cannot be released by an owner that has lost them': async (kit) => {
      const lease = kit.name()
      await kit.store.acquireLease(lease, 'a', brief(kit))
      await runOut(kit, lease, 'b')
      await kit.store.acquireLease(lease, 'b', durationMs)
      await kit.store.releaseLease(lease, 'a')
      assert.equal((await kit.store.acquireLease(lease, 'c', durationMs)).owner, 'b')
    },
    'with different names are independent': async ({ store, name }) => {
      const lease = name()
      const names = [lease, `${lease} `, `${lease}%`, `${lease}/x`, lease.toUpperCase(), `${lease}日本`]
      for (const each of names) assert.equal((await store.acquireLease(each, each, durationMs)).owner, each)
    },
    'have exactly one owner when many ask at the same time': async ({ store, name }) => {
      const lease = name()
      const owners = Array.from({ length: 10 }, (_, i) => `owner ${i}`)
      const answers = await Promise.all(owners.map((owner) => store.acquireLease(lease, owner, durationMs)))
      assert.equal(new Set(answers.map(({ owner }) => owner)).size, 1)
    },
  },
}

export const leaseClock: ConformanceGroup = {
  title: 'Leases by an injected clock',
  needs: 'injectedClock',
  cases: {
    'expire after the requested time': async ({ store, name, clock }) => {
      const lease = await store.acquireLease(name(), 'a', 1234)
      assert.equal(lease.expiresAt, clock.now() + 1234)
    },
    'are held until just before they expire': async ({ store, name, clock }) => {
      const lease = name()
      await store.acquireLease(lease, 'a', 1000)
      clock.advance(999)
      assert.equal((await store.acquireLease(lease, 'b', 1000)).owner, 'a')
    },
    'are free at the moment when they expire': async ({ store, name, clock }) => {
      const lease = name()
      await store.acquireLease(lease, 'a', 1000)
      clock.advance(1000)
      assert.equal((await store.acquireLease(lease, 'b', 1000)).owner, 'b')
    },
    'are renewed from now, not from the time when they were taken': async ({ store, name, clock }) => {
      const lease = name()
      await store.acquireLease(lease, 'a', 1000)
      clock.advance(600)
      assert.equal((await store.acquireLease(lease, 'a', 1000)).expiresAt, clock.now() + 1000)
      clock.advance(600)
      assert.equal((await store.acquireLease(lease, 'b', 1000)).owner, 'a')
    },
    'taken by a clock that was ahead do not block others after the clock is corrected': async ({
      store,
      name,
      clock,
    }) => {
      const lease = name()
      const aheadMs = 3_600_000
      clock.advance(aheadMs)
      await store.acquireLease(lease, 'a', 1000)
      clock.advance(-aheadMs)
      assert.equal((await store.acquireLease(lease, 'b', 1000)).owner, 'b')
      clock.advance(999)
      assert.equal((await store.acquireLease(lease, 'a', 1000)).owner, 'b')
    },
    'are not prolonged by a refused request': async ({ store, name, clock }) => {
      const lease = name()
      await store.acquireLease(lease, 'a', 1000)
      clock.advance(500)
      await store.acquireLease(lease, 'b', 1000)
      clock.advance(500)
      assert.equal((await store.acquireLease(lease, 'b', 1000)).owner, 'b')
    },
  },
}
