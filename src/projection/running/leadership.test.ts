/**
 * Which process leads, and since when without a break: by the store's lease, measured by a clock that cannot be set.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { watched } from '../../../test/support/kernel/rig.ts'
import type { Environment } from '../../runtime/environment.ts'
import type { LeaseStore } from '../../store/store.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'
import { Leadership } from './leadership.ts'

const durationMs = 1000

async function leaders() {
  const [watch, environment] = [watched(), manualEnvironment()]
  const store = await watch.store.open({ now: environment.now, warn: () => {} })
  const leader = (owner: string) =>
    new Leadership({ store, environment, name: 'lease', owner, durationMs, isFenced: true })
  return { watch, environment, store, first: leader('first'), second: leader('second') }
}

describe('A lease', () => {
  test('is renewed in time by a process whose clock was set back, so no other process leads meanwhile', async () => {
    const { environment, watch, first } = await leaders()
    assert.ok(await first.keep())
    environment.setClock('2025-12-31T23:00:00Z')
    await environment.advance(durationMs / 2)
    assert.ok(await first.keep())
    assert.equal(watch.count('acquireLease'), 2)
  })

  test('is not ended by a release that arrives late, when it is held again', async () => {
    const { environment, store, first, second } = await leaders()
    let arrive = async () => {}
    const late: LeaseStore = {
      acquireLease: (...args) => store.acquireLease(...args),
      async releaseLease(...args) {
        arrive = () => store.releaseLease(...args)
        throw new Error('no answer')
      },
    }
    const leader = new Leadership({
      store: late,
      environment,
      name: 'lease',
      owner: 'late',
      durationMs,
      isFenced: false,
    })
    assert.ok(await leader.keep())
    await assert.rejects(leader.release(), /no answer/)
    await environment.advance(durationMs)
    assert.ok(await leader.keep())
    await arrive()
    assert.ok(leader.isSafe)
    assert.deepEqual([await first.keep(), await second.keep()], [false, false])
  })

  test('is had again at once after it could not be given back, if something else fences the work', async () => {
    const { store, environment } = await leaders()
    const failing: LeaseStore = {
      acquireLease: (...args) => store.acquireLease(...args),
      releaseLease: () => Promise.reject(new Error('no answer')),
    }
    const options = { store: failing, environment, name: 'lease', owner: 'fenced', durationMs, isFenced: true }
    const leader = new Leadership(options)
    assert.ok(await leader.keep())
    await assert.rejects(leader.release(), /no answer/)
    assert.ok(await leader.keep())
  })

  test('is held without a break as long as it is renewed in time', async () => {
    const { environment, first, second } = await leaders()
    await first.keep()
    const { tenure } = first
    for (let i = 0; i < 5; i++) {
      await environment.advance(durationMs * 0.6)
      assert.deepEqual([await first.keep(), await second.keep(), first.tenure], [true, false, tenure])
    }
  })

  test('that was renewed too late has a break, whether or not another process had it', async () => {
    for (const isTaken of [true, false]) {
      const { environment, first, second } = await leaders()
      await first.keep()
      const { tenure } = first
      await environment.advance(durationMs)
      if (isTaken) {
        assert.ok(await second.keep())
        assert.equal(await first.keep(), false)
        await second.release()
      }
      assert.ok(await first.keep())
      assert.notEqual(first.tenure, tenure)
    }
  })

  test('whose renewal was answered too late has a break', async () => {
    const { environment, watch, first } = await leaders()
    await first.keep()
    const { tenure } = first
    await environment.advance(durationMs * 0.6)
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'acquireLease' ? gate.promise : undefined))
    const keeping = first.keep()
    await environment.advance(durationMs)
    gate.resolve()
    assert.deepEqual([await keeping, first.tenure === tenure], [true, false])
  })

  test('is asked for once, however many calls want to know', async () => {
    const { environment, watch, first } = await leaders()
    await first.keep()
    const { tenure } = first
    await environment.advance(durationMs * 0.6)
    assert.deepEqual(await Promise.all([first.keep(), first.keep(), first.keep()]), [true, true, true])
    assert.deepEqual([watch.count('acquireLease'), first.tenure], [2, tenure])
  })

  test('that is doubted is asked for again, and has a break', async () => {
    const { watch, first } = await leaders()
    await first.keep()
    const { tenure } = first
    first.doubt()
    assert.ok(await first.keep())
    assert.deepEqual([watch.count('acquireLease'), first.tenure === tenure], [2, false])
  })

  test('is renewed as long as work is in progress, and not after it', async () => {
    const { watch, environment, first, second } = await leaders()
    await first.keep()
    const { tenure } = first
    const gate = Promise.withResolvers<void>()
    const work = first.during(() => gate.promise)
    await environment.advance(10 * durationMs)
    assert.deepEqual([await second.keep(), first.held, first.tenure], [false, true, tenure])
    assert.equal(watch.count('acquireLease'), 2 + 20)
    gate.resolve()
    await work
    await environment.advance(2 * durationMs)
    assert.ok(await second.keep())
    assert.equal(environment.timers, 0)
  })

  test('is renewed as long as work is in progress, by timers that fire a moment early', async () => {
    const environment = manualEnvironment()
    const early: Environment = {
      ...environment,
      after: (ms, callback) => environment.after(ms > 1 ? ms - 0.5 : ms, callback),
    }
    const store = await watched().store.open({ now: environment.now, warn: () => {} })
    const leader = new Leadership({
      store,
      environment: early,
      name: 'lease',
      owner: 'early',
      durationMs,
      isFenced: true,
    })
    await leader.keep()
    const { tenure } = leader
    const gate = Promise.withResolvers<void>()
    const work = leader.during(() => gate.promise)
    await environment.advance(10 * durationMs)
    assert.deepEqual([await leader.keep(), leader.tenure], [true, tenure])
    gate.resolve()
    await work
  })

  test('is not asked for by work that finds it lost', async () => {
    const { watch, environment, first } = await leaders()
    await first.keep()
    const gate = Promise.withResolvers<void>()
    const work = first.during(() => gate.promise)
    first.doubt()
    await environment.advance(10 * durationMs)
    gate.resolve()
    await work
    assert.deepEqual([watch.count('acquireLease'), environment.timers], [1, 0])
  })

  test('costs quick work one timer in each half of its time, however often there is such work', async () => {
    const { environment, first } = await leaders()
    await first.keep()
    let timers = 0
    const after = environment.after
    const counting: Environment = {
      ...environment,
      after: (...args) => {
        timers++
        return after(...args)
      },
    }
    const store = await watched().store.open({ now: environment.now, warn: () => {} })
    const leader = new Leadership({
      store,
      environment: counting,
      name: 'lease',
      owner: 'counted',
      durationMs,
      isFenced: true,
    })
    await leader.keep()
    for (let i = 0; i < 1000; i++) {
      await leader.during(async () => {})
      await environment.advance(1)
      await leader.keep()
    }
    assert.ok(timers <= 3, `${timers} timers`)
  })

  test('whose renewal fails while work is in progress is asked for again before it expires', async () => {
    const { watch, environment, first, second } = await leaders()
    await first.keep()
    const { tenure } = first
    const gate = Promise.withResolvers<void>()
    const work = first.during(() => gate.promise)
    let failures = 0
    watch.disturb(({ method }) => (method === 'acquireLease' && failures++ < 2 ? 'before' : undefined))
    await environment.advance(1.5 * durationMs)
    assert.ok(failures > 2)
    assert.deepEqual([await second.keep(), await first.keep(), first.tenure], [false, true, tenure])
    gate.resolve()
    await work
  })

  test('that is given back while a renewal is in progress stays given back', async () => {
    const { watch, environment, first, second } = await leaders()
    await first.keep()
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'acquireLease' ? gate.promise : undefined))
    void first.during(() => new Promise(() => {}))
    await environment.advance(durationMs / 2)
    const releasing = first.release()
    watch.disturb(() => undefined)
    gate.resolve()
    await releasing
    assert.deepEqual([first.held, await second.keep(), environment.timers], [false, true, 0])
  })
})
