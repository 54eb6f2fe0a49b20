/**
 * The stores on servers when the process that uses them is killed, at any moment. The server lives on, with all that
 * was under way.
 */
import { test } from 'node:test'
import type { Random } from '../../src/testing/random.ts'
import { type KillPlan, killPlanOf } from '../support/crash/kill-plan.ts'
import { runRounds } from '../support/crash/rounds.ts'
import { serverKinds, serverPlace } from '../support/crash/server-place.ts'
import type { Place } from '../support/crash/writer-protocol.ts'
import { onServer } from '../support/servers/server.ts'
import { sized } from '../support/size.ts'

/**
 * The stand-ins for MongoDB search where it seeks, so a log that is looked at again and again is kept short there. What
 * a round costs is the looking: each account of the bank is loaded by each writer, and looked at in five ways after it.
 */
const settings = {
  postgres: { rounds: sized(20, 4), answersMax: 400, callers: { least: 20, most: 80 } },
  nats: { rounds: sized(10, 4), answersMax: 400, callers: { least: 20, most: 80 } },
  mongodb: { rounds: sized(10, 4), answersMax: 30, callers: { least: 3, most: 8 }, accounts: 6 },
} as const

function planWithin(answersMax: number): (random: Random, place: Place) => KillPlan {
  return (random, place) => {
    const plan = killPlanOf(random, place)
    return 'answers' in plan ? { ...plan, answers: Math.min(plan.answers, random.int(1, answersMax)) } : plan
  }
}

for (const { store, name, find } of serverKinds) {
  await onServer(name, find, (server) => {
    const { answersMax, ...sizes } = settings[store]
    test(`a bank on ${name} that is killed loses nothing that was acknowledged and doubles nothing`, {
      timeout: 1_100_000,
    }, async (context) => {
      const placeAt = () => serverPlace(context, server, store)
      await runRounds(context, `killed on ${store}`, { placeAt, ...sizes, planOf: planWithin(answersMax) })
    })
  })
}
