/**
 * Limits: too many commands are refused at once, an abort ends a wait with a true answer, and the event loop can always
 * run.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { codesOf, logOf, recorder, settled, stands, startVaults, watched } from '../../test/support/kernel/rig.ts'
import { CancelledError, OutcomeUnknownError, OverloadError } from '../index.ts'
import { manualEnvironment } from '../testing/manual-environment.ts'

describe('Overload', () => {
  test('of one aggregate is answered with OVERLOADED at once, and ends when the mailbox is empty', async () => {
    const watch = watched()
    await using vaults = await startVaults({ store: watch.store, limits: { mailboxMax: 5 } })
    await vaults.vault('a').look()
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'append' ? gate.promise : undefined))
    const underWay = vaults.vault('a').add({ amount: 1 })
    await settled()
    const waiting = Array.from({ length: 5 }, () => vaults.vault('a').add({ amount: 1 }))
    const refused = vaults.vault('a').add({ amount: 1 })
    await assert.rejects(refused, (error) => {
      assert.ok(error instanceof OverloadError)
      assert.deepEqual(error.facts, { queue: 'mailboxMax', sizeMax: 5 })
      return error.retryable
    })
    const other = vaults.vault('b').add({ amount: 1 })
    watch.disturb(() => undefined)
    gate.resolve()
    await Promise.all([underWay, ...waiting, other])
    assert.equal((await vaults.vault('a').add({ amount: 1 })).sequence, 7)
  })

  test('of the whole kernel is answered with OVERLOADED at once, and ends when other commands are answered', async () => {
    await using vaults = await startVaults({ limits: { commandsInFlightMax: 10 } })
    const all = Array.from({ length: 25 }, (_, i) => vaults.vault(`v${i}`).add({ amount: 1 }))
    assert.equal(vaults.load().commandsInFlight, 10)
    const codes = await codesOf(all)
    assert.deepEqual(codes, [...Array(10).fill('ok'), ...Array(15).fill('OVERLOADED')])
    assert.equal(vaults.load().commandsInFlight, 0)
    assert.equal(vaults.load().liveAggregates, 10, 'a refused command starts nothing')
    await vaults.vault('v24').add({ amount: 1 })
  })

  test('counts no command for ever: rejected, failed, aborted and refused commands are no longer counted', async () => {
    await using vaults = await startVaults({ limits: { commandsInFlightMax: 1000 } })
    const vault = vaults.vault('a')
    const aborted = AbortSignal.abort()
    for (let i = 0; i < 20; i++) {
      await codesOf([
        vault.take({ amount: 1 }),
        vault.fail(),
        vault.spoil(),
        vault.look({}, { signal: aborted }),
        vault.add({ amount: 'x' } as never),
        vault.openOnce({}, { commandId: `c${i}` }),
      ])
    }
    assert.equal(vaults.load().commandsInFlight, 0)
  })
})

describe('An abort', () => {
  test('before the command is sent means ABORTED, and nothing happens', async () => {
    const watch = watched()
    await using vaults = await startVaults({ store: watch.store })
    watch.forget()
    const reason = new Error('not wanted')
    const answer = vaults.vault('a').add({ amount: 1 }, { signal: AbortSignal.abort(reason) })
    await assert.rejects(answer, (error) => {
      assert.ok(error instanceof CancelledError)
      assert.equal(error.code, 'ABORTED')
      assert.equal(error.cause, reason)
      return true
    })
    assert.equal(watch.calls.length, 0)
    assert.equal(vaults.load().liveAggregates, 0)
  })

  test('while the command waits means ABORTED, and it is never decided', async () => {
    const watch = watched()
    await using vaults = await startVaults({ store: watch.store })
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'append' ? gate.promise : undefined))
    const underWay = vaults.vault('a').add({ amount: 1 })
    await settled()
    const controller = new AbortController()
    const waiting = vaults.vault('a').add({ amount: 2 }, { signal: controller.signal })
    const behind = vaults.vault('a').add({ amount: 3 })
    await settled()
    controller.abort()
    assert.deepEqual(await codesOf([waiting]), ['ABORTED'])
    gate.resolve()
    await underWay
    assert.deepEqual((await behind).state.amounts, [1, 3])
  })

  test('while the aggregate is loading means ABORTED', async () => {
    const watch = watched()
    await using vaults = await startVaults({ store: watch.store })
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'readStream' ? gate.promise : undefined))
    const controller = new AbortController()
    const answer = vaults.vault('a').add({ amount: 1 }, { signal: controller.signal })
    await settled()
    controller.abort()
    assert.deepEqual(await codesOf([answer]), ['ABORTED'])
    gate.resolve()
    await settled()
    assert.equal((await logOf(watch.store)).length, 0)
  })

  test('in flight means OUTCOME_UNKNOWN at once: the commit continues, and its id shows later whether it was stored', async () => {
    const watch = watched()
    await using vaults = await startVaults({ store: watch.store })
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'append' ? gate.promise : undefined))
    const controller = new AbortController()
    const options = { commandId: 'c1', signal: controller.signal }
    const answer = vaults.vault('a').add({ amount: 1 }, options)
    const rejected = vaults.vault('a').take({ amount: 99 }, { signal: controller.signal })
    await settled()
    controller.abort()
    await assert.rejects(answer, OutcomeUnknownError)
    await assert.rejects(rejected, OutcomeUnknownError)
    gate.resolve()
    assert.equal((await vaults.vault('a').add({ amount: 1 }, { commandId: 'c1' })).sequence, 1)
    assert.deepEqual((await vaults.vault('a').state()).amounts, [1])
  })

  test('while the stored answer is being read does not claim that the command had no effect', async () => {
    const watch = watched()
    await using vaults = await startVaults({ store: watch.store })
    await vaults.vault('a').openOnce({}, { commandId: 'c1' })
    const gate = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'findCommit' ? gate.promise : undefined))
    const controller = new AbortController()
    const answer = vaults.vault('a').openOnce({}, { commandId: 'c1', signal: controller.signal })
    await settled()
    controller.abort()
    assert.deepEqual(await codesOf([answer]), ['OUTCOME_UNKNOWN'])
    gate.resolve()
  })

  test('after the answer changes nothing, and the signal has no listener any more', async () => {
    await using vaults = await startVaults()
    const controller = new AbortController()
    let listeners = 0
    const { signal } = controller
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)]
    signal.addEventListener = (...args: unknown[]) => {
      listeners++
      ;(add as (...args: unknown[]) => void)(...args)
    }
    signal.removeEventListener = (...args: unknown[]) => {
      listeners--
      ;(remove as (...args: unknown[]) => void)(...args)
    }
    const outcome = await vaults.vault('a').add({ amount: 1 }, { signal })
    await vaults.vault('a').try.take({ amount: 9 }, { signal })
    assert.equal(listeners, 0)
    controller.abort()
    assert.ok(outcome.accepted)
  })
})

describe('The event loop', () => {
  const spin = async (vaults: Awaited<ReturnType<typeof startVaults>>, isOver: () => boolean) => {
    const caller = async (i: number) => {
      for (let n = 0; !isOver() && n < 100_000; n++) await vaults.vault(`v${i % 50}`).look()
      return isOver()
    }
    return Promise.all(Array.from({ length: 1000 }, (_, i) => caller(i)))
  }

  test('runs: a timer fires while a thousand callers keep a store in memory busy', async () => {
    await using vaults = await startVaults()
    let fired = 0
    const timer = setInterval(() => fired++, 1)
    const results = await spin(vaults, () => fired >= 3)
    clearInterval(timer)
    assert.ok(results.every(Boolean), 'the callers were done before a timer could fire')
  })

  test('also runs after the clock was set back', async () => {
    let offsetMs = 0
    await using vaults = await startVaults({ environment: { now: () => Date.now() + offsetMs } })
    await vaults.vault('a').look()
    offsetMs = -3_600_000
    let fired = 0
    const timer = setInterval(() => fired++, 1)
    const results = await spin(vaults, () => fired >= 3)
    clearInterval(timer)
    assert.ok(results.every(Boolean), 'the callers were done before a timer could fire')
  })
})

describe('Stopping', () => {
  test('under load answers all: accepted commands are stored, and stored commands were accepted', async () => {
    const watch = watched()
    const vaults = await startVaults({ store: watch.store })
    const accepted: number[] = []
    const refused: unknown[] = []
    let next = 0
    const callers = Array.from({ length: 100 }, async (_, caller) => {
      for (;;) {
        const amount = ++next
        try {
          await vaults.vault(`v${caller % 7}`).add({ amount })
          accepted.push(amount)
        } catch (error) {
          refused.push(error)
          return
        }
      }
    })
    while (accepted.length < 500) await settled()
    await vaults.stop()
    await Promise.all(callers)
    assert.equal(refused.length, 100)
    for (const error of refused) assert.equal((error as CancelledError).code, 'STOPPED')
    const stored = (await logOf(watch.store)).map(({ data }) => (data as { amount: number }).amount)
    assert.deepEqual(stored.toSorted(), accepted.toSorted())
  })

  test('with a store that hangs ends after stopTimeoutMs, and every caller gets an answer', async () => {
    const watch = watched()
    const environment = manualEnvironment()
    const vaults = await startVaults({ store: watch.store, environment, limits: { stopTimeoutMs: 5000 } })
    await vaults.vault('a').openOnce({}, { commandId: 'old' })
    await vaults.vault('b').look()
    const never = new Promise<void>(() => {})
    watch.disturb(({ method, args }) => {
      const { id } = (args[0] ?? {}) as { readonly id?: string }
      return ['append', 'findCommit'].includes(method) || id === 'cold' ? never : undefined
    })
    const answers = [
      vaults.vault('a').openOnce({}, { commandId: 'old' }),
      vaults.vault('b').add({ amount: 1 }),
      vaults.vault('cold').add({ amount: 1 }),
    ]
    await settled()
    answers.push(vaults.vault('b').add({ amount: 2 }))
    const codes = codesOf(answers)
    const stopped = vaults.stop()
    await environment.advance(4999)
    assert.equal(await stands(stopped), 'pending')
    await environment.advance(1)
    await stopped
    assert.deepEqual(await codes, ['OUTCOME_UNKNOWN', 'OUTCOME_UNKNOWN', 'STOPPED', 'STOPPED'])
    assert.equal(environment.timers, 0)
  })

  test('does not wait for snapshots or projections that hang longer than stopTimeoutMs', async () => {
    const watch = watched()
    const environment = manualEnvironment()
    const options = { snapshotEvery: 1, projections: 'automatic', limits: { stopTimeoutMs: 5000 } } as const
    const vaults = await startVaults({ store: watch.store, environment, ...options })
    await settled()
    const never = new Promise<void>(() => {})
    watch.disturb(({ method }) => (['saveSnapshot', 'readAll'].includes(method) ? never : undefined))
    await vaults.vault('a').add({ amount: 1 })
    await settled()
    const stopped = vaults.stop()
    await environment.advance(4999)
    assert.equal(await stands(stopped), 'pending')
    await environment.advance(1)
    await stopped
    assert.equal(environment.timers, 0)
  })

  test('ends within one limit if commands and projections both hang', async () => {
    const watch = watched()
    const [environment, log] = [manualEnvironment(), recorder()]
    const options = { projections: 'automatic', limits: { stopTimeoutMs: 5000 }, log } as const
    const vaults = await startVaults({ store: watch.store, environment, ...options })
    await settled()
    const never = new Promise<void>(() => {})
    watch.disturb(({ method }) => (method === 'readAll' ? never : undefined))
    await vaults.vault('a').add({ amount: 1 })
    await settled()
    watch.disturb(({ method }) => (['append', 'readAll'].includes(method) ? never : undefined))
    const codes = codesOf([vaults.vault('a').add({ amount: 1 })])
    await settled()
    const stopped = vaults.stop()
    await environment.advance(4999)
    assert.equal(await stands(stopped), 'pending')
    await environment.advance(1)
    await stopped
    assert.deepEqual([await codes, log.codes()], [['OUTCOME_UNKNOWN'], []])
    assert.equal(environment.timers, 0)
  })

  test('waits for a store that cannot be closed only for the rest of the limit', async () => {
    const watch = watched()
    const [environment, log] = [manualEnvironment(), recorder()]
    const vaults = await startVaults({ store: watch.store, environment, limits: { stopTimeoutMs: 5000 }, log })
    const closing = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'close' ? closing.promise : undefined))
    const stopped = vaults.stop()
    await environment.advance(4999)
    assert.equal(await stands(stopped), 'pending')
    await environment.advance(1)
    await stopped
    assert.deepEqual(log.codes(), ['STORE_NOT_CLOSED'])
    closing.reject(new Error('no more'))
    await settled()
    assert.deepEqual(log.codes(), ['STORE_NOT_CLOSED', 'STORE_NOT_CLOSED'])
  })

  test('gives a store a second to close if commands have taken the whole limit', async () => {
    const watch = watched()
    const [environment, log] = [manualEnvironment(), recorder()]
    const vaults = await startVaults({ store: watch.store, environment, limits: { stopTimeoutMs: 5000 }, log })
    await vaults.vault('a').look()
    const closing = Promise.withResolvers<void>()
    const never = new Promise<void>(() => {})
    watch.disturb(({ method }) => (method === 'close' ? closing.promise : method === 'append' ? never : undefined))
    const codes = codesOf([vaults.vault('a').add({ amount: 1 })])
    await settled()
    const stopped = vaults.stop()
    await environment.advance(5999)
    assert.equal(await stands(stopped), 'pending')
    closing.resolve()
    await stopped
    assert.deepEqual([await codes, log.codes()], [['OUTCOME_UNKNOWN'], []])
  })

  test('twice stops once, and later commands get STOPPED', async () => {
    const watch = watched()
    const vaults = await startVaults({ store: watch.store })
    await vaults.vault('a').add({ amount: 1 })
    assert.equal(vaults.stop(), vaults.stop())
    assert.deepEqual(await codesOf([vaults.vault('a').add({ amount: 2 })]), ['STOPPED'])
    await vaults.stop()
    assert.equal(watch.count('close'), 1)
  })

  test('closes both stores even if closing the first fails', async () => {
    const [events, snapshots] = [watched(), watched()]
    const vaults = await startVaults({ events: events.store, snapshots: snapshots.store })
    events.disturb(({ method }) => (method === 'close' ? 'after' : undefined))
    assert.deepEqual(await codesOf([vaults.stop()]), ['STORE_UNAVAILABLE'])
    assert.equal(snapshots.count('close'), 1)
  })
})
