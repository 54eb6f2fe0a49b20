import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { inspect } from 'node:util'
import { isDate } from 'node:util/types'
import { z } from 'zod'
import { aggregate, domain, event, memory, projection, reject } from '../../src/index.ts'
import { type EndOfRun, SimulationFailed, seeds, simulate } from '../../src/testing/index.ts'
import { faultNames } from '../../src/testing/simulation/faults.ts'
import { markNames } from '../../src/testing/simulation/marks.ts'
import { bugTableOf } from '../support/simulation/bug-table.ts'
import { type Counts, countRuns, missedMarks, namesInTable } from '../support/simulation/coverage.ts'
import { scenarioNamed, scenarioOf, scenarios } from '../support/simulation/scenarios.ts'
import { leftOut, sized } from '../support/size.ts'

const page = readFileSync(new URL('../../docs/testing.md', import.meta.url), 'utf8')
/** Runs that have found a planted bug, and few others have. */
const rareRuns = [...bugTableOf(page).values()].filter(({ seed }) => seed > 30)

/** What random runs have found, beside the planted bugs. */
const foundBefore = [
  // Commands of events that are gone were sent.
  ['seats', 1949716415],
  // A state was answered without an event that was readable already.
  ['transfers', 256268829],
  // A reaction took both ways: its command was decided on what the same round was about to store.
  ['transfers', 164309435],
  // A late append arrived after a reservation for which its repetition was refused: a yes to what it had done itself.
  ['people', 663738345],
  // A process that had stopped went on to try for its keys, or waited for others that have them.
  ['people', 821],
  ['people', 1686382083],
  // Who was stopped while it forgot somebody said that it was done.
  ['people', 528873527],
  // Who asked a process that stopped was told that others had changed the keys.
  ['people', 1235005215],
  // A journal with a line that begins with a minus could never be opened again.
  ['disks', 469975104],
  // The check believed in batches that a backup does not have, and that a damaged end cannot prove.
  ['disks', 1567137472],
  ['disks', 1552629544],
] as const

/** Beyond so many seeds, a mark counts as missed. */
const seedsMax = 4000

const Counted = event('Counted', z.object({ by: z.number() }))
const one = z.object({ by: z.number() })

/** A counter whose decision and fold can be given. */
const counterOf = (decide: (by: number) => number, fold: (n: number, by: number) => number = (n, by) => n + by) =>
  aggregate('counter', () => ({ n: 0 }))
    .on(Counted, ({ n }, { by }) => ({ n: fold(n, by) }))
    .command('count', one, (_, { by }) => (by > 0 ? Counted({ by: decide(by) }) : reject('TooSmall')))

const count = (by: number) => ({ aggregate: 'counter', id: 'a', name: 'count', data: { by } }) as const

for (const { name, run, weight } of scenarios) {
  describe(`The simulated ${name}`, () => {
    test('keep all promises, whatever goes wrong', async () => {
      const seeds = sized(15 * weight, weight)
      const first = 1 + Math.floor(Math.random() * 2 ** 30)
      for (let seed = first; seed < first + seeds; seed++) await run(seed, 40)
    })

    test('keep them for the seeds that have found the rarest planted bugs', async () => {
      // In full, with the other scenarios too.
      const own = rareRuns.filter(({ scenario }) => scenario === name || sized(1, 0) === 1)
      for (const seed of new Set(own.map(({ seed }) => seed))) await run(seed, 40)
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

  test('meets every fault and every mark', { skip: leftOut }, async () => {
    const counts: Counts = { faults: new Map(), marks: new Map() }
    for (let seed = 1; seed === 1 || (seed <= seedsMax && missedMarks(counts).length > 0); seed++) {
      countRuns(counts, await scenarioOf(seed).run(seed, 40))
    }
    assert.deepEqual(missedMarks(counts), [])
  })

  test('has a table of what it meets in docs/testing.md', () => {
    assert.deepEqual(namesInTable(page), [...faultNames, ...markNames])
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
    // What is shown of it has each line once, no empty cause, and the line of the test.
    const shown = inspect(failed)
    assert.equal(shown.split('the store behaves as').length, 2)
    assert.ok(!shown.includes('[cause]'))
    assert.match(shown, /at async .*simulate\.test\.ts:\d+/)
    assert.match(failed.message, /simulate\(\{ \.\.\., seed: 3 \}\)\. If the seeds come from .*MNEME_SEED=3 npm test/)
  })

  const outside: Readonly<Record<string, () => unknown>> = {
    'Math.random': () => Math.random(),
    'Date.now': () => Date.now(),
    'new Date()': () => new Date(),
    'crypto.randomInt': () => randomInt(9),
    'timers.setImmediate': () => setImmediate(),
    'fs.promises.readFile': () => readFile(import.meta.filename),
    'AbortSignal.timeout': () => AbortSignal.timeout(1),
    'process.hrtime': () => process.hrtime(),
    'process.hrtime.bigint': () => process.hrtime.bigint(),
    'process.uptime': () => process.uptime(),
    'fs.writeFileSync': () => writeFileSync('/dev/null', ''),
  }
  for (const [name, use] of Object.entries(outside)) {
    test(`shows who uses the time or the chance of the real world: ${name}`, async () => {
      const Lucky = counterOf((by) => {
        use()
        return by
      })
      const failed = await failureOf(
        simulate({
          domain: domain({ aggregates: { counter: Lucky } }),
          command: () => count(1),
          seed: 1,
          steps: 1,
          minimise: false,
        }),
      )
      assert.ok(failed.message.includes('DECIDE_FAILED') && failed.message.includes(`${name} was used in a simulation`))
      await use()
    })
  }

  test('takes no chance of the real world for what clients ask for', async () => {
    const options = { domain: domain({ aggregates: { counter: Counter } }), seed: 1 }
    const lucky = simulate({ ...options, command: () => count(Math.ceil(9 * Math.random())) })
    await assert.rejects(lucky, /Math\.random was used in a simulation.*in the simulation's options from random/)
  })

  test('tells a mistake in the domain, in a command and in the first commands from a broken promise', async () => {
    const right = { domain: domain({ aggregates: { counter: Counter } }), command: () => count(1), seed: 1, steps: 1 }
    const Broken = counterOf((by) => (by as unknown as { readonly up: { readonly to: number } }).up.to)
    const mistakes = [
      [{ ...right, command: () => ({ ...count(1), name: 'cuont' as never }) }, /no command "cuont"/],
      [{ ...right, first: [{ ...count(1), id: '' }] }, /first\[0\] \(count on counter \)/],
      // The line of the function is named.
      [
        { ...right, domain: domain({ aggregates: { counter: Broken } }) },
        /decide function of count[\s\S]*simulate\.test\.ts/,
      ],
    ] as const
    for (const [options, message] of mistakes) {
      const failed = await failureOf(simulate({ ...(options as typeof right), minimise: false }))
      assert.equal(failed.broken, 'commands are right, and the domain can decide them')
      assert.match(failed.message, message)
      assert.match(failed.message, /The mistake is probably in the domain, or in the options command or first/)
    }
  })

  test("sends a command's metadata, and judges the answer to an expected sequence", async () => {
    let sent = 0
    const command = (expectedSequence?: number) => ({
      ...count(1),
      metadata: { number: ++sent },
      ...(expectedSequence !== undefined && { expectedSequence }),
    })
    const options = { domain: domain({ aggregates: { counter: Counter } }), seed: 1, steps: 10 }
    const isMarked = ({ events }: EndOfRun) =>
      events.length > 0 && events.every(({ metadata }) => typeof metadata['number'] === 'number')
    await simulate({ ...options, command: () => command(), invariants: { 'events have the metadata': isMarked } })
    for (let seed = 1; seed <= 20; seed++) {
      await simulate({ ...options, seed, command: (random) => command(random.int(0, 4)) })
    }
  })

  test('has the seeds from one on, or the one that the environment names', () => {
    assert.deepEqual([...seeds(3)], [1, 2, 3])
    assert.deepEqual([...seeds(2, 7)], [7, 8])
    process.env['MNEME_SEED'] = '17'
    try {
      assert.deepEqual([...seeds(3)], [17])
      process.env['MNEME_SEED'] = 'x'
      assert.throws(() => seeds(3), {
        code: 'OPTION_INVALID',
        message: /MNEME_SEED must be a whole number from 0, not "x"/,
      })
    } finally {
      delete process.env['MNEME_SEED']
    }
    assert.throws(() => seeds(0), { code: 'OPTION_INVALID' })
  })

  test('takes dates of a given time as they are', async () => {
    const isGiven = () => new Date(2026, 1, 2).getFullYear() === 2026 && isDate(new Date(0))
    const Dated = counterOf((by) => by + (isGiven() ? 0 : 1000))
    const report = await simulate({
      domain: domain({ aggregates: { counter: Dated } }),
      command: () => count(1),
      invariants: { 'nothing is added': (end) => [...end.states('counter').values()].every(({ n }) => n < 1000) },
      seed: 1,
      steps: 5,
    })
    assert.ok(report.events > 0)
    assert.ok(new Date() instanceof Date)
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

  test('finds what a newer version reads wrongly, and only then', async () => {
    const versionOf = (fold: (n: number, by: number) => number) =>
      domain({ aggregates: { counter: counterOf((by) => by, fold) } })
    const run = (newer: (n: number, by: number) => number) => {
      const invariants = {
        'the sum is right': (end: EndOfRun) => end.states('counter').get('a').n === end.events.length,
      }
      const versions = { domain: versionOf((n, by) => n + by), upgrades: [versionOf(newer)] }
      return simulate({ ...versions, command: () => count(1), seed: 1, steps: 10, invariants })
    }
    await run((n, by) => n + by)
    const failed = await failureOf(run((n, by) => n + by + 1))
    assert.equal(failed.broken, 'the sum is right')
    assert.match(failed.message, /p\d\.\d starts version 0[\s\S]*starts version 1/)
  })

  test('ends only when every reaction is led: a leader handles what an older version passed over', async () => {
    const { run } = scenarioNamed('upgrades')
    await run(155_938_310, 40)
  })

  test('has a leader that notices a reset by one that had lost its lease, even with nothing to do', async () => {
    const { run } = scenarioNamed('seats')
    await run(1_883_240_707, 40)
  })

  test('empties what handlers write to before each run', async () => {
    let written: number[] = []
    const Archive = projection('archive').handle([Counted], (events) => {
      for (const { position } of events) written.push(position)
    })
    const failed = await failureOf(
      simulate({
        domain: domain({ aggregates: { counter: Counter }, projections: { archive: Archive } }),
        command: () => count(1),
        reset: () => {
          written = []
        },
        invariants: {
          'everything is written': ({ events }) => new Set(written).size === events.length,
          'at most one is written': () => new Set(written).size < 2,
        },
        seed: 1,
        steps: 10,
      }),
    )
    assert.deepEqual([failed.broken, failed.actions], ['at most one is written', 2])
  })

  test('simulates the behaviour of a store that is named, with the processes that it allows', async () => {
    const options = { domain: domain({ aggregates: { counter: Counter } }), command: () => count(1), processes: 3 }
    const servers: readonly string[] = ['postgres', 'mongodb', 'nats']
    for (const profile of ['memory', 'file', 'file-on-disk', 'sqlite', 'postgres', 'mongodb', 'nats'] as const) {
      const faults = { crash: 0.2, freeze: 0.1, loseAnswer: 0.2, partition: 0.1, slow: 0.1 }
      const report = await simulate({ ...options, profile, seed: 1, faults })
      const [crashes, answersLost] = [report.faults['crash'] ?? 0, report.faults['loseAnswer'] ?? 0]
      assert.equal(report.profile, profile)
      assert.equal(crashes > 0, profile !== 'memory', `${crashes} crashes of ${profile}`)
      assert.equal(answersLost > 0, servers.includes(profile), `${answersLost} of ${profile}`)
    }
  })

  test('keeps all promises for the seeds that have found a fault of the library', async () => {
    for (const [scenario, seed] of foundBefore) await scenarioNamed(scenario).run(seed, 40)
  })

  test('an invariant that cannot have been checked is broken: a promise, or a name that the domain does not have', async () => {
    const options = { domain: domain({ aggregates: { counter: Counter } }), command: () => count(1), seed: 1, steps: 1 }
    const check = (holds: (end: EndOfRun) => unknown) =>
      failureOf(simulate({ ...options, minimise: false, invariants: { 'is right': holds } }))
    assert.match((await check(async () => true)).message, /it returns a promise/)
    assert.match((await check(() => Promise.reject(new Error('mine')))).message, /it returns a promise/)
    assert.match((await check((end) => end.states('account'))).message, /no aggregate "account"; it has counter/)
    assert.match(
      (await check((end) => end.rows('balances'))).message,
      /no projection with rows "balances"; it has none/,
    )
  })

  test('refuses options that make no sense', async () => {
    const options = { domain: domain({ aggregates: { counter: Counter } }), command: () => count(1), seed: 1 }
    const refused = { code: 'OPTION_INVALID' }
    await assert.rejects(simulate({ ...options, seed: -1 }), refused)
    await assert.rejects(simulate({ ...options, steps: 0 }), refused)
    await assert.rejects(simulate({ ...options, profile: 'oracle' as never }), refused)
    await assert.rejects(simulate({ ...options, processes: 0.5 }), refused)
    await assert.rejects(simulate({ ...options, cluster: true, profile: 'file' }), refused)
    await assert.rejects(simulate({ ...options, faults: { crash: 2 } }), refused)
    await assert.rejects(simulate({ ...options, faults: { crashes: 0.1 } as never }), refused)
    await assert.rejects(simulate({ ...options, domain: undefined as never }), refused)
    await assert.rejects(simulate({ ...options, upgrades: {} as never }), refused)
    await assert.rejects(simulate({ ...options, upgrades: [undefined as never] }), refused)
    await assert.rejects(simulate({ ...options, reset: true as never }), refused)
    await assert.rejects(simulate({ ...options, command: undefined as never }), refused)
    await assert.rejects(simulate(undefined as never), refused)
    await assert.rejects(simulate({ ...options, first: {} as never }), refused)
    const isNamed = { ...refused, message: /The option first\[1\] must be a command: it is null, not null/ }
    await assert.rejects(simulate({ ...options, first: [count(1), null as never] }), isNamed)
    await assert.rejects(simulate({ ...options, options: { leaseMs: -3 } }), refused)
    await assert.rejects(simulate({ ...options, options: { limits: { mailboxMax: 0 } } }), refused)
    await assert.rejects(simulate({ ...options, invariants: null as never }), refused)
    await assert.rejects(simulate({ ...options, invariants: (() => true) as never }), refused)
    await assert.rejects(simulate({ ...options, invariants: { 'is right': true } as never }), refused)
    await assert.rejects(simulate({ ...options, options: { store: memory() } as never }), refused)
    const nothing = simulate({ ...options, command: (() => undefined) as never })
    await assert.rejects(nothing, { code: 'COMMAND_MALFORMED' })
    const later = simulate({ ...options, command: (async () => count(1)) as never })
    await assert.rejects(later, { code: 'COMMAND_MALFORMED', message: /it is a promise/ })
    for (const own of [{ commandId: 'c' }, { signal: new AbortController().signal }]) {
      const given = simulate({ ...options, command: () => ({ ...count(1), ...own }) })
      await assert.rejects(given, { code: 'COMMAND_MALFORMED', message: /which a simulation gives to its commands/ })
    }
  })
})

async function failureOf(run: Promise<unknown>): Promise<SimulationFailed> {
  const result = await run.catch((error: unknown) => error)
  assert.ok(result instanceof SimulationFailed, `${result}`)
  return result
}
