/**
 * A random test of the rows of a projection: events that fail and recover at any time, events with several keys,
 * retries, skips, stops, starts, runs, restarts and rebuilds in any order. When everything is recovered and retried,
 * the rows are the fold of the log, each key in order.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { memory } from '../../src/index.ts'
import { manualEnvironment } from '../../src/testing/manual-environment.ts'
import { recorder } from '../support/kernel/rig.ts'
import { foldOf, logFrom, type RunningRows, rowsOf, startRows } from '../support/read-side/pots.ts'

type Step =
  | { readonly do: 'put'; readonly keys: readonly string[]; readonly isSick: boolean }
  | { readonly do: 'heal' | 'skip'; readonly which: number }
  | {
      readonly do: 'retry' | 'stop' | 'start' | 'run' | 'rebuild' | 'restart' | 'pass' | 'compare' | 'pause' | 'resume'
    }

const keys = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 2 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('put' as const), keys, isSick: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('heal' as const, 'skip' as const), which: fc.nat(9) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom(
        ...(['retry', 'stop', 'start', 'run', 'rebuild', 'restart', 'pass', 'compare', 'pause', 'resume'] as const),
      ),
    }),
  },
)

/** Errors that calls at any time may cause. */
const expected = new Set(['PARKED_UNKNOWN', 'PROJECTION_ELSEWHERE', 'PROJECTION_PAUSED', 'STOPPED'])

test('rows are the fold of the log when everything is recovered and retried, whatever came before', async () => {
  const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
    const [store, environment, sick] = [memory(), manualEnvironment(), new Set<number>()]
    const skipped = new Set<number>()
    const start = () => startRows({ store, environment, sick, policy: { giveUp: 'park' }, log: recorder() })
    let pots: RunningRows = await start()
    let put = 0
    const all = new Map<number, number>()
    const doing = async (next: Step): Promise<void> => {
      const { projections } = pots
      if (next.do === 'put') {
        const amount = ++put
        if (next.isSick) sick.add(amount)
        const { position } = await pots.pot('p').put({ amount, keys: [...next.keys] })
        all.set(position, amount)
      } else if (next.do === 'heal') {
        const healed = [...sick][next.which % Math.max(sick.size, 1)]
        if (healed !== undefined) sick.delete(healed)
      } else if (next.do === 'skip') {
        const parked = await projections.parked('rows')
        const chosen = parked[next.which % Math.max(parked.length, 1)]
        if (chosen === undefined) return
        await projections.skipParked('rows', chosen.position)
        skipped.add(all.get(chosen.position)!)
      } else if (next.do === 'retry') await projections.retryParked('rows')
      else if (next.do === 'stop') await projections.stop('rows')
      else if (next.do === 'start') await projections.start('rows')
      else if (next.do === 'run') await projections.runOnce('rows')
      else if (next.do === 'rebuild') {
        await projections.rebuild('rows')
        // Everything is folded again, even skipped events.
        skipped.clear()
      } else if (next.do === 'compare') await projections.compare('rows')
      else if (next.do === 'pause') await projections.pause('rows')
      else if (next.do === 'resume') await projections.resume('rows')
      else if (next.do === 'pass') await environment.advance(20_000)
      else {
        await pots.stop()
        pots = await start()
      }
    }
    for (const next of steps) {
      await doing(next).catch((error: { readonly code?: string }) => {
        if (!expected.has(error.code ?? '')) throw error
      })
    }
    sick.clear()
    await pots.projections.resume('rows')
    await environment.advance(20_000)
    await pots.projections.runOnce('rows')
    const { parked } = await pots.projections.retryParked('rows')
    assert.equal(parked, 0)
    const log = await logFrom(pots, put)
    const kept = log.filter(({ data }) => !skipped.has((data as { readonly amount: number }).amount))
    assert.deepEqual(await rowsOf(pots), foldOf(kept))
    await pots.stop()
  })
  await fc.assert(property, { numRuns: 250 })
})
