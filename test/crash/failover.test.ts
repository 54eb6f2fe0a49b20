/**
 * The primary is lost under load, with its disk, and its standby takes its place, several times. The new primary has no
 * standby at first, so its commits wait. The bank recovers without help, since what was acknowledged was on both.
 */
import { test } from 'node:test'
import { type Ordeal, ordeal } from '../support/crash/ordeal.ts'
import type { ServerPlace } from '../support/crash/writer-protocol.ts'
import { withSeed } from '../support/seed.ts'
import { findPostgresPair, type PostgresPair } from '../support/servers/postgres-pair.ts'
import { inFull, onServer } from '../support/servers/server.ts'

const rounds = 4
/** So many connections reach the standby before it becomes the primary, where clients are led there so early. */
const earlyConnections = 30
/** About what a standby takes to start, so that some calls are given up and others are not. */
const timeoutMs = 2_000

/** Ways to lose a primary. */
const losses: Readonly<Record<string, (pair: PostgresPair, bank: Ordeal) => Promise<void>>> = {
  'in mid-commit': async (pair) => {
    await pair.losePrimary()
    pair.address.leadTo(pair.standby.url)
  },
  'and clients are led to the standby before it takes over': async (pair, bank) => {
    await pair.losePrimary()
    pair.address.leadTo(pair.standby.url)
    const enough = pair.address.accepted + earlyConnections
    await bank.until(() => pair.address.accepted >= enough, `${earlyConnections} connections to the standby`)
  },
  // What was sent to it and not written is lost too, so this tells whether an acknowledgement has waited for its disk.
  'while its standby is down': async (pair) => {
    await pair.standby.kill()
    await pair.commitsWait()
    await pair.losePrimary()
    await pair.standby.start()
    pair.address.leadTo(pair.standby.url)
  },
}

await onServer('A standby that takes over', inFull(findPostgresPair), (pair) => {
  for (const [how, lose] of Object.entries(losses)) {
    test(`a bank survives ${rounds} times that the primary is lost ${how}`, { timeout: 1_100_000 }, (context) =>
      withSeed(async (random, seed) => {
        const place: ServerPlace = { store: 'postgres', url: pair.url, schema: `bank-${seed}`, timeoutMs }
        await ordeal(context, { place, pace: { callers: 16, backlogMax: 200 }, random }, async (bank) => {
          for (let round = 1; round <= rounds; round++) {
            await bank.recovered()
            await bank.answered(random.int(1, 30))
            await lose(pair, bank)
            await pair.promote()
            await pair.commitsWait()
            await pair.addStandby()
          }
          await bank.recovered()
        })
      }),
    )
  }
})
