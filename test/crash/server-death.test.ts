/**
 * The server is killed under load and started again, several times, and is paused for a while. The bank recovers
 * without help. Every answer is true, what was acknowledged is stored once, and callers without an answer are told so.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Ordeal, ordeal } from '../support/crash/ordeal.ts'
import { serverKinds, serverPlace } from '../support/crash/server-place.ts'
import { withSeed } from '../support/seed.ts'
import { onServer } from '../support/servers/server.ts'
import { sized } from '../support/size.ts'

const kills = sized(6, 1)
const killedAfterMsMax = 100
const answersBetweenKills = 8
const roundsBetweenLooks = 5
const pausedMs = sized(10_000, 3_000)
/** Shorter than the pause, so that calls are given up. */
const timeoutMs = sized(5_000, 2_000)

/** A server that is back soon fails no command: what got no answer is repeated in time. */
function assertNoticed({ failures, warned }: Ordeal): void {
  const isRepeated = warned.some((message) => message.includes('APPEND_REPEATED'))
  assert.ok(failures.size > 0 || isRepeated, 'commands failed and were sent again, or appends were repeated')
}

const after = (delayMs: number): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>()
  setTimeout(resolve, delayMs)
  return promise
}

for (const { store, name, find, pace } of serverKinds) {
  await onServer(name, find, (server) => {
    const { control } = server
    const skip = control === undefined && 'this server is somebody else’s'

    test(`a bank survives ${kills} deaths of ${name}`, { skip, timeout: 1_100_000 }, (context) =>
      withSeed(async (random) => {
        const place = serverPlace(context, server, store, { timeoutMs })
        await ordeal(context, { place, pace, random }, async (bank) => {
          for (let round = 1; round <= kills; round++) {
            await (round % roundsBetweenLooks === 0 ? bank.recovered() : bank.answered(answersBetweenKills))
            await after(random.next() * killedAfterMsMax)
            await control!.kill()
            await control!.start()
          }
          await bank.recovered()
          if (store === 'postgres') assertNoticed(bank)
        })
      }),
    )

    test(`a bank waits for ${name} that does not answer`, { skip, timeout: 1_100_000 }, (context) =>
      withSeed(async (random) => {
        const place = serverPlace(context, server, store, { timeoutMs })
        await ordeal(context, { place, pace, random }, async (bank) => {
          await bank.recovered()
          control!.pause()
          try {
            await after(pausedMs)
          } finally {
            control!.resume()
          }
          await bank.recovered()
        })
      }),
    )
  })
}
