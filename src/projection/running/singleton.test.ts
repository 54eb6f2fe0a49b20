/** Work that one process at a time does. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { domain, memory } from '../../index.ts'
import { type Environment, sleep } from '../../runtime/environment.ts'
import type { Warning } from '../../runtime/warning.ts'
import type { LeaseStore } from '../../store/store.ts'
import { faultyStore } from '../../testing/faulty-store.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'
import { Singleton, type SingletonWork } from './singleton.ts'

const leaseMs = 3000
const pollIntervalMs = 300

/** Work that goes on until it is told to end. */
const untilAborted: SingletonWork = (signal) =>
  new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))

/** Lets promises settle that wait for nothing from outside. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await setImmediate()
}

/** Processes on one store, and how many of them do the work. */
async function processes() {
  const environment = manualEnvironment()
  const warnings: Warning[] = []
  let isLost = false
  const faulty = faultyStore(memory(), ({ method }) => (isLost && method === 'acquireLease' ? 'before' : undefined))
  const shared = { environment, warn: (warning: Warning) => void warnings.push(warning), leaseMs, pollIntervalMs }
  const store = await faulty.open({ now: environment.now, warn: () => {} })
  let atWork = 0
  let most = 0
  const counted = (work: SingletonWork) => async (signal: AbortSignal) => {
    most = Math.max(most, ++atWork)
    try {
      return await work(signal)
    } finally {
      atWork--
    }
  }
  const start = (
    owner: string,
    work = untilAborted,
    betterPlace?: () => string | undefined,
    own: Environment = environment,
  ) => new Singleton({ ...shared, environment: own, store, name: 'work', owner, work: counted(work), betterPlace })
  const lose = (now: boolean) => {
    isLost = now
  }
  return { environment, warnings, start, lose, atWork: () => atWork, most: () => most }
}

describe('A singleton', () => {
  test('works in one process, and in another one when that one stops', async () => {
    const { environment, start, most } = await processes()
    const [one, other] = [start('one'), start('other')]
    await environment.advance(10 * leaseMs)
    assert.deepEqual([one.isHere, other.isHere], [true, false])
    await one.stop()
    await environment.advance(pollIntervalMs)
    assert.deepEqual([one.isHere, other.isHere], [false, true])
    await other.stop()
    assert.equal(most(), 1)
  })

  test('ends its work before another process can have the lease, if the store is lost', async () => {
    const { environment, start, lose, atWork } = await processes()
    const one = start('one')
    await environment.advance(leaseMs)
    lose(true)
    await environment.advance(leaseMs)
    assert.deepEqual([one.isHere, atWork()], [false, 0])
    lose(false)
    await environment.advance(pollIntervalMs)
    assert.ok(one.isHere)
    await one.stop()
  })

  test('does not begin its work if the answer about the lease comes when the lease is over', async () => {
    const environment = manualEnvironment()
    const store = await memory().open({ now: environment.now, warn: () => {} })
    let isSlow = true
    const slow: LeaseStore = {
      async acquireLease(...args) {
        const lease = await store.acquireLease(...args)
        if (isSlow) await sleep(environment, leaseMs)
        return lease
      },
      releaseLease: (...args) => store.releaseLease(...args),
    }
    let begun = 0
    const work: SingletonWork = (signal) => {
      begun++
      return untilAborted(signal)
    }
    const options = { environment, warn() {}, leaseMs, pollIntervalMs, betterPlace: undefined }
    const one = new Singleton({ ...options, store: slow, name: 'work', owner: 'one', work })
    await environment.advance(3 * leaseMs)
    assert.equal(begun, 0)
    isSlow = false
    await environment.advance(2 * leaseMs)
    assert.equal(begun, 1)
    await one.stop()
  })

  test('does not begin its work when it is stopped while it asks for the lease', async () => {
    const environment = manualEnvironment()
    const store = await memory().open({ now: environment.now, warn: () => {} })
    const answer = Promise.withResolvers<void>()
    const slow: LeaseStore = {
      async acquireLease(...args) {
        await answer.promise
        return store.acquireLease(...args)
      },
      releaseLease: (...args) => store.releaseLease(...args),
    }
    let begun = 0
    const work = () => {
      begun++
    }
    const options = { environment, warn() {}, leaseMs, pollIntervalMs, betterPlace: undefined }
    const one = new Singleton({ ...options, store: slow, name: 'work', owner: 'one', work })
    await environment.advance(1)
    const stopped = one.stop()
    answer.resolve()
    await stopped
    assert.equal(begun, 0)
    assert.equal((await store.acquireLease('singleton work', 'other', leaseMs)).owner, 'other')
  })

  test('is told to end its work after another process has had the lease, although it has it again', async () => {
    const { environment, start } = await processes()
    const held: (() => void)[] = []
    let isFrozen = false
    const after: typeof environment.after = (delayMs, callback, options) =>
      environment.after(delayMs, () => void (isFrozen ? held.push(callback) : callback()), options)
    const signals: AbortSignal[] = []
    const work: SingletonWork = (signal) => {
      signals.push(signal)
      return untilAborted(signal)
    }
    const one = start('one', work, undefined, { ...environment, after })
    // It stands still just before it renews the lease.
    await environment.advance(leaseMs / 2 - 1)
    isFrozen = true
    const other = start('other')
    await environment.advance(2 * leaseMs)
    assert.ok(other.isHere)
    await other.stop()
    isFrozen = false
    for (const callback of held.splice(0)) {
      callback()
      await settled()
    }
    await environment.advance(pollIntervalMs)
    assert.ok(signals.length > 0 && signals[0]!.aborted)
    assert.ok(one.isHere)
    await one.stop()
  })

  test('keeps the lease while its work does not end although it should', async () => {
    const { environment, start, most } = await processes()
    const end = Promise.withResolvers<void>()
    const one = start('one', () => end.promise)
    await environment.advance(pollIntervalMs)
    const stopped = one.stop()
    const other = start('other')
    await environment.advance(10 * leaseMs)
    assert.deepEqual([one.isHere, other.isHere], [true, false])
    end.resolve()
    await stopped
    await environment.advance(pollIntervalMs)
    assert.ok(other.isHere)
    await other.stop()
    assert.equal(most(), 1)
  })

  test('is called again after it has returned or failed, and a failure is told', async () => {
    const { environment, warnings, start } = await processes()
    let calls = 0
    const one = start('one', () => {
      if (++calls === 2) throw new RangeError('Too much')
    })
    await environment.advance(10_000)
    assert.ok(calls > 3, `${calls} calls`)
    assert.deepEqual(
      warnings.map(({ code, message, ...facts }) => [code, message, 'cause' in facts && String(facts.cause)]),
      [['SINGLETON_FAILED', 'The singleton work has failed, and is called again in 1 s', 'RangeError: Too much']],
    )
    await one.stop()
  })

  test('moves once to the process that should have it, and stays where it is if that one does not take it', async () => {
    const { environment, start, most } = await processes()
    let better: string | undefined
    const [one, other] = [start('one', untilAborted, () => better), start('other')]
    await environment.advance(leaseMs)
    assert.ok(one.isHere)
    better = 'other'
    await environment.advance(leaseMs)
    assert.deepEqual([one.isHere, other.isHere], [false, true])
    await other.stop()
    await environment.advance(leaseMs)
    assert.ok(one.isHere)
    better = 'a third one'
    await environment.advance(10 * leaseMs)
    assert.ok(one.isHere)
    await one.stop()
    assert.equal(most(), 1)
  })
})

test('a singleton that is stopped twice does not take the name of the next one', async () => {
  const environment = manualEnvironment()
  await using running = await domain({ aggregates: {} }).start({ environment, store: memory() })
  const begin = () => running.cluster.singleton('work', () => {})
  const first = begin()
  await first.stop()
  begin()
  await first.stop()
  assert.throws(begin, { code: 'DEFINITION_INVALID' })
})
