/** Steps of a handler: what was done outside is not done again once its result is stored. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { recorder, settled, until, watched, withoutLeases } from '../../../test/support/kernel/rig.ts'
import { Pot, Put } from '../../../test/support/read-side/pots.ts'
import {
  aggregate,
  domain,
  hasCode,
  memory,
  type Reaction,
  reaction,
  reject,
  type StartOptions,
  type StepTools,
} from '../../index.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'

const Charging = reaction('charging', { pot: Pot })
type Charges = Reaction<'charging', { pot: typeof Pot }>

const startWith = (charging: Charges, options: StartOptions = {}) =>
  domain({ aggregates: { pot: Pot }, reactions: { charging } }).start({
    projections: 'manual',
    log: recorder(),
    ...options,
  })

/** The rows of stored answers that are left. */
async function answersIn(store: ReturnType<typeof memory>): Promise<number> {
  const opened = await store.open({ now: () => 0, warn: () => {} })
  return (await opened.listRows('reaction charging', { prefix: 'answer ', limit: 100 })).rows.length
}

describe('A step', () => {
  test('is done once although its handler fails after it, and its result is forgotten with the event', async () => {
    const [store, calls, seen] = [memory(), [] as string[], [] as unknown[]]
    const handler = Charging.on(Put, async ({ data: { amount } }, { step }) => {
      const paid = await step('charge', ({ id }) => {
        calls.push(id)
        return { amount, at: new Date(5), by: new Map([['k', 7n]]), nothing: undefined }
      })
      seen.push(paid)
      if (seen.length < 3) throw new RangeError('not yet')
    }).onFailure({ retries: 0 })
    for (let i = 0; i < 3; i++) {
      await using bank = await startWith(handler, { store })
      if (i === 0) await bank.pot('a').put({ amount: 3 })
      await bank.reactions.runOnce('charging').catch(() => {})
    }
    assert.deepEqual(calls, ['~charging:1:charge:step'])
    const paid = { amount: 3, at: new Date(5), by: new Map([['k', 7n]]) }
    assert.deepEqual(seen, [paid, paid, paid])
    assert.equal(await answersIn(store), 0)
  })

  test('of one name is another one each time, and may return nothing', async () => {
    const [ids, seen] = [[] as string[], [] as unknown[]]
    const handler = Charging.on(Put, async (_, { step }) => {
      const run = ({ id }: StepTools) => {
        ids.push(id)
        return ids.length === 1 ? undefined : null
      }
      seen.push(await step('mail', run), await step('mail', run), await step('mail:2', run))
    })
    await using bank = await startWith(handler)
    await bank.pot('a').put({ amount: 1 })
    await bank.reactions.runOnce('charging')
    assert.deepEqual(ids, ['~charging:1:mail:step', '~charging:1:mail:step:2', '~charging:1:mail%3A2:step'])
    assert.deepEqual(seen, [undefined, null, null])
  })

  test('that fails is tried again within the handler, and then by the policy of the reaction', async () => {
    const [environment, calls] = [manualEnvironment(), [] as string[]]
    const handler = Charging.on(Put, async (_, { step }) => {
      const run = ({ id }: StepTools) => {
        calls.push(id)
        if (calls.length < 5) throw new RangeError('the gateway is down')
      }
      await step('charge', run, { retries: 1 })
    }).onFailure({ retries: 3, pauseFirstMs: 10, pauseMaxMs: 10 })
    await using bank = await startWith(handler, { environment })
    await bank.pot('a').put({ amount: 1 })
    let isOver = false
    const run = bank.reactions.runOnce('charging').then(() => {
      isOver = true
    })
    for (let i = 0; i < 100 && !isOver; i++) {
      await environment.advance(10)
      await settled()
    }
    await run
    assert.equal(calls.length, 5)
    assert.equal(new Set(calls).size, 1)
  })

  test('has a time for each try, and its signal is aborted when that is over', async () => {
    const environment = manualEnvironment()
    const reasons: unknown[] = []
    const handler = Charging.on(Put, async (_, { step }) => {
      const run = ({ signal }: StepTools) =>
        new Promise<void>(() => signal.addEventListener('abort', () => reasons.push(signal.reason)))
      await step('charge', run, { timeoutMs: 5000, retries: 1 })
    }).onFailure({ retries: 0, pauseFirstMs: 1, pauseMaxMs: 1 })
    await using bank = await startWith(handler, { environment, leaseMs: 3_600_000 })
    await bank.pot('a').put({ amount: 1 })
    let failure: unknown
    const run = bank.reactions.runOnce('charging').catch((error: unknown) => {
      failure = error
    })
    for (let i = 0; i < 100 && failure === undefined; i++) {
      await environment.advance(1000)
      await settled()
    }
    await run
    assert.ok(hasCode(failure, 'PROJECTION_FAILED') && hasCode(failure.cause, 'STEP_TIMED_OUT'))
    const facts = { reaction: 'charging', step: 'charge', position: 1, timeoutMs: 5000 }
    assert.deepEqual(failure.cause.facts, facts)
    assert.equal(reasons.length, 2)
    assert.ok(reasons.every((reason) => hasCode(reason, 'STEP_TIMED_OUT')))
  })

  test('is aborted when the domain stops, and done again by the next process, with the same id', async () => {
    const [store, ids] = [memory(), [] as string[]]
    let isAborted = false
    const hanging = Charging.on(Put, async (_, { step }) => {
      await step('charge', ({ id, signal }) => {
        ids.push(id)
        return new Promise<void>((_, reject) =>
          signal.addEventListener('abort', () => {
            isAborted = true
            reject(signal.reason)
          }),
        )
      })
    })
    {
      await using bank = await startWith(hanging, { store, projections: 'automatic' })
      await bank.pot('a').put({ amount: 1 })
      await until('the step is under way', () => ids.length > 0)
    }
    assert.ok(isAborted)
    const quick = Charging.on(Put, async (_, { step }) => {
      await step('charge', ({ id }) => void ids.push(id))
    })
    await using bank = await startWith(quick, { store })
    await bank.reactions.runOnce('charging')
    assert.equal(ids.length, 2)
    assert.equal(ids[0], ids[1])
  })

  test('that goes on while the domain stops is waited for, and its result is kept', async () => {
    const [store, ids] = [memory(), [] as string[]]
    const gate = Promise.withResolvers<void>()
    const slow = Charging.on(Put, async (_, { step }) => {
      await step('charge', async ({ id }) => {
        ids.push(id)
        await gate.promise
      })
    })
    const bank = await startWith(slow, { store, projections: 'automatic' })
    await bank.pot('a').put({ amount: 1 })
    await until('the step is under way', () => ids.length > 0)
    const stopped = bank.stop()
    await settled()
    gate.resolve()
    await stopped
    await using again = await startWith(slow, { store })
    await again.reactions.runOnce('charging')
    assert.equal(ids.length, 1)
  })

  test('keeps its result while its event is parked, also over a reset that keeps what was before', async () => {
    const [store, ids] = [memory(), [] as string[]]
    let isSick = true
    const handler = Charging.on(Put, async (_, { step }) => {
      await step('charge', ({ id }) => void ids.push(id))
      if (isSick) throw new RangeError('not yet')
    }).onFailure({ retries: 0, giveUp: 'park' })
    await using bank = await startWith(handler, { store })
    await bank.pot('a').put({ amount: 1 })
    await bank.reactions.runOnce('charging')
    await bank.reactions.reset('charging', { from: 2, keep: true })
    isSick = false
    assert.deepEqual(await bank.reactions.retryParked('charging'), { handled: 1, parked: 0 })
    assert.equal(ids.length, 1)
    assert.equal(await answersIn(store), 0)
  })

  test('is not an answer of an aggregate that is called "step"', async () => {
    const Step = aggregate('step', () => 0).command('go', z.object({}), () => reject('NotNow'))
    const handler = reaction('charging', { step: Step, pot: Pot })
      .on(Put, async (_, { step, dispatch }) => {
        await step('charge', () => 1)
        await dispatch({ aggregate: 'step', id: 'a', name: 'go', data: {} })
        throw new RangeError('not yet')
      })
      .onFailure({ retries: 0, giveUp: 'park' })
    const options = { projections: 'manual', log: recorder() } as const
    const Steps = domain({ aggregates: { pot: Pot, step: Step }, reactions: { charging: handler } })
    await using bank = await Steps.start({ ...options, store: memory() })
    await bank.pot('a').put({ amount: 1 })
    await bank.reactions.runOnce('charging')
    const { waiting } = await bank.reactions.waiting('charging')
    assert.deepEqual(
      waiting.map((one) => one.stepsDone),
      [['charge']],
    )
  })

  test('gives a handler that runs again what it was given first, whatever call to the store is lost', async () => {
    for (let n = 1; ; n++) {
      const [watch, effects, seen] = [watched(memory()), [] as string[], [] as number[]]
      let calls = 0
      const handler = Charging.on(Put, async ({ stream: { id } }, { step, dispatch }) => {
        if (id !== 'a') return
        const nth = await step('charge', (tools) => effects.push(tools.id))
        seen.push(nth)
        await dispatch({ aggregate: 'pot', id: `paid ${nth}`, name: 'put', data: { amount: nth } })
      }).onFailure({ retries: 5, pauseFirstMs: 1, pauseMaxMs: 1 })
      await using bank = await startWith(handler, { store: watch.store })
      await bank.pot('a').put({ amount: 1 })
      watch.disturb(() => (++calls === n ? (n % 2 === 0 ? 'before' : 'after') : undefined))
      await bank.reactions.runOnce('charging').catch(() => {})
      const isMet = calls >= n
      watch.disturb(() => undefined)
      await bank.reactions.runOnce('charging')
      assert.ok(effects.length <= 2 && new Set(effects).size === 1, `${effects}, the fault at call ${n}`)
      // Whoever acted on a result, acted on the one that was stored.
      const paid = await Promise.all([1, 2].map(async (nth) => (await bank.pot(`paid ${nth}`).state()).count))
      assert.deepEqual(paid.sort(), [0, 1], `the fault at call ${n}`)
      if (!isMet) break
      assert.ok(n < 100)
    }
  })

  test('does not begin in a process that was overtaken', async () => {
    const store = withoutLeases(memory())
    const began: string[] = []
    const notes: string[] = []
    const gate = Promise.withResolvers<void>()
    const handlerOf = (process: string, waits: boolean) =>
      Charging.on(Put, async ({ stream: { id } }, { step }) => {
        if (waits) await gate.promise
        const by = await step('charge', () => {
          began.push(`${process} ${id}`)
          return process
        })
        notes.push(`${process} ${id} by ${by}`)
      })
    await using slow = await startWith(handlerOf('slow', true), { store })
    await using fast = await startWith(handlerOf('fast', false), { store })
    await slow.pot('a').put({ amount: 1 })
    const running = slow.reactions.runOnce('charging')
    await settled()
    await fast.reactions.runOnce('charging')
    gate.resolve()
    await running
    assert.deepEqual(began, ['fast a'])
    assert.deepEqual(notes, ['fast a by fast'])
  })

  test('that nobody awaits fails the event if it fails, and none begins after the handler', async () => {
    const late = Promise.withResolvers<() => Promise<unknown>>()
    const handler = Charging.on(Put, (_, { step }) => {
      void step('charge', async () => {
        await settled()
        throw new RangeError('it failed')
      })
      late.resolve(() => step('late', () => 1).catch((error: unknown) => error))
    }).onFailure({ retries: 0, giveUp: 'skip' })
    const log = recorder()
    await using bank = await startWith(handler, { log })
    await bank.pot('a').put({ amount: 1 })
    await bank.reactions.runOnce('charging')
    assert.deepEqual(log.codes(), ['REACTION_SKIPPED'])
    const begin = await late.promise
    assert.ok(hasCode(await begin(), 'HANDLER_OVER'))
  })

  test('needs a name, a function, options that there are, and a result that can be stored', async () => {
    const codes: unknown[] = []
    const handler = Charging.on(Put, async (_, { step }) => {
      const tries: (readonly [name: unknown, run: unknown, options?: object])[] = [
        ['', () => 1],
        [7, () => 1],
        ['a', undefined],
        ['a', 'run'],
        ['a', () => 1, { timeoutMs: 0 }],
        ['a', () => 1, { retries: -1 }],
        ['a', () => 1, { timeout: 1 }],
        ['a', () => () => {}],
      ]
      for (const [name, run, options] of tries) {
        const code = await step(name as never, run as never, options).then(
          () => 'ok',
          (error: { code: string }) => error.code,
        )
        codes.push(code)
      }
    })
    await using bank = await startWith(handler)
    await bank.pot('a').put({ amount: 1 })
    await bank.reactions.runOnce('charging')
    const noCommand = Charging.on(Put, async (_, { dispatch, schedule }) => {
      const tries = [() => dispatch(null as never), async () => schedule(undefined as never, { afterMs: 1 })]
      for (const each of tries) codes.push(await each().catch((error: { code: string }) => error.code))
    })
    await using other = await startWith(noCommand)
    await other.pot('a').put({ amount: 1 })
    await other.reactions.runOnce('charging')
    assert.deepEqual(codes.splice(-2), ['COMMAND_MALFORMED', 'COMMAND_MALFORMED'])
    const invalid = Array.from({ length: 5 }, () => 'OPTION_INVALID')
    assert.deepEqual(codes, ['ID_INVALID', 'ID_INVALID', ...invalid, 'DATA_NOT_JSON'])
  })
})
