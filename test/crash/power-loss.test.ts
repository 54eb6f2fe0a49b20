/** The file store after a power failure: a log cut or holed wherever it is not durable, journals cut anywhere. */
import { test } from 'node:test'
import type { Random } from '../../src/testing/random.ts'
import type { KillPlan } from '../support/crash/kill-plan.ts'
import { runRounds } from '../support/crash/rounds.ts'
import type { Place } from '../support/crash/writer-protocol.ts'
import { sized } from '../support/size.ts'

const placeAt = (path: string, random: Random): Place => ({
  store: 'file',
  path,
  segmentBytesMax: random.pick([16_000, 64_000, 1_000_000]),
  compactBytesMin: random.pick([1_000, 20_000]),
  mayLoseOnPowerFailure: false,
})

const underLoad = (random: Random): KillPlan => ({ kill: 'under load', answers: random.int(1, 400) })

test('a file store that a power failure tore has all that was acknowledged, and goes on', {
  timeout: 1_100_000,
}, async (context) => {
  await runRounds(context, 'power lost', {
    rounds: sized(12, 4),
    placeAt,
    planOf: underLoad,
    powerFails: true,
  })
})

test('a file store that may lose on power failure comes back as a prefix of what was told, and goes on', {
  timeout: 1_100_000,
}, async (context) => {
  await runRounds(context, 'power lost, unsynced', {
    rounds: sized(8, 3),
    placeAt: (path, random) => ({ ...placeAt(path, random), mayLoseOnPowerFailure: true }) as Place,
    planOf: underLoad,
    powerFails: true,
    mayLose: true,
  })
})
