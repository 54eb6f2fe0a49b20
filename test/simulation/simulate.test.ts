import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, projection, reject } from '../../src/index.ts'
import { SimulationFailed, simulate } from '../../src/testing/index.ts'
import { scenarios } from '../support/simulation/scenarios.ts'
import { sized } from '../support/size.ts'

const Counted = event('Counted', z.object({ by: z.number() }))
const one = z.object({ by: z.number() })

/** A counter whose decision and fold can be given. */
const counterOf = (decide: (by: number) => number, fold: (n: number, by: number) => number = (n, by) => n + by) =>
  aggregate('counter', () => ({ n: 0 }))
    .on(Counted, ({ n }, { by }) => ({ n: fold(n, by) }))
    .command('count', one, (_, { by }) => (by > 0 ? Counted({ by: decide(by) }) : reject('TooSmall')))

const count = (by: number) => ({ aggregate: 'counter', id: 'a', name: 'count', data: { by } }) as const

for (const { name, run } of scenarios) {
  describe(`The simulated ${name}`, () => {
    test('keep all promises, whatever goes wrong', async () => {
      const seeds = sized(400, 12)
      const first = 1 + Math.floor(Math.random() * 2 ** 30)
      for (let seed = first; seed < first + seeds; seed++) await run(seed, 40)
    })

    test('keep them for seeds that once were hard', async () => {
      for (const seed of [12, 17, 30, 1812489114, 844981707]) await run(seed, 40)
    })

    test('do the same again for the same seed, and something else for another', async () => {
      const [first, again, other] = [await run(7, 40), await run(7, 40), await run(8, 40)]
      assert.deepEqual(again, first)
      assert.notEqual(other.hash, first.hash)
    })
  })
}

describe('A simulation', () => {
  const Counter = counterOf((by) => by)

  test('meets all of its faults', async () => {
    const faults: Record<string, number> = {}
    for (let seed = 1; seed <= 60; seed++) {
      const report = await scenarios[0]!.run(seed, 40)
      for (const [fault, times] of Object.entries(report.faults)) faults[fault] = (faults[fault] ?? 0) + times
    }
    const all = ['actLater', 'crash', 'duplicate', 'failBefore', 'freeze', 'loseAnswer', 'loseHint']
    assert.deepEqual(Object.keys(faults).sort(), [...all, 'rebuild', 'repeat', 'setClock', 'slow', 'stop'])
  })

  test('says which invariant does not hold, with the smallest run and its seed', async () => {
    const failed = await failureOf(
      simulate({
        domain: domain({ aggregates: { counter: Counter } }),
        command: (random) => count(random.int(1, 3)),
        invariants: { 'nobody counts beyond 20': (end) => end.states('counter').get('a').n <= 20 },
        seed: 3,
        steps: 60,
      }),
    )
    assert.equal(failed.broken, 'nobody counts beyond 20')
    assert.equal(failed.seed, 3)
    assert.ok(failed.actions >= 7 && failed.actions <= 20, `${failed.actions} actions`)
    assert.match(failed.message, /Seed 3 breaks a promise: nobody counts beyond 20/)
    assert.match(failed.message, /client \d+ sends count on counter a to p\d\.\d \{"by":\d\}/)
    assert.match(failed.message, /simulate\(\{ \.\.\., seed: 3 \}\)/)
  })

  test('shows who uses the time or the chance of the real world', async () => {
    const Lucky = counterOf((by) => by + Math.random())
    const failed = await failureOf(
      simulate({
        domain: domain({ aggregates: { counter: Lucky } }),
        command: () => count(1),
        seed: 1,
        steps: 1,
      }),
    )
    assert.match(failed.message, /DECIDE_FAILED[\s\S]*Math\.random was used in a simulation/)
    assert.equal(typeof Math.random(), 'number')
    assert.ok(Date.now() > 0)
  })

  test('finds rows that are not what the events make', async () => {
    // Another row each time that it is folded, which no store is to blame for.
    let folds = 0
    const Sums = projection('sums', () => ({ sum: 0 })).on(Counted, ({ sum }, { by }) => ({
      sum: sum + by + (++folds % 2),
    }))
    const failed = await failureOf(
      simulate({
        domain: domain({ aggregates: { counter: Counter }, projections: { sums: Sums } }),
        command: () => count(1),
        seed: 1,
        steps: 3,
      }),
    )
    assert.equal(failed.broken, 'rows are what the events make')
  })

  test('refuses options that make no sense', async () => {
    const options = { domain: domain({ aggregates: { counter: Counter } }), command: () => count(1), seed: 1 }
    const refused = { code: 'OPTION_INVALID' }
    await assert.rejects(simulate({ ...options, seed: -1 }), refused)
    await assert.rejects(simulate({ ...options, steps: 0 }), refused)
    await assert.rejects(simulate({ ...options, processes: 0.5 }), refused)
    await assert.rejects(simulate({ ...options, faults: { crash: 2 } }), refused)
    await assert.rejects(simulate({ ...options, faults: { crashes: 0.1 } as never }), refused)
    await assert.rejects(simulate({ ...options, domain: undefined as never }), refused)
    await assert.rejects(simulate({ ...options, command: undefined as never }), refused)
    const nothing = simulate({ ...options, command: (() => undefined) as never })
    await assert.rejects(nothing, { code: 'COMMAND_MALFORMED' })
  })
})

async function failureOf(run: Promise<unknown>): Promise<SimulationFailed> {
  const result = await run.catch((error: unknown) => error)
  assert.ok(result instanceof SimulationFailed, `${result}`)
  return result
}
