/**
 * A cluster of three NATS servers that keeps everything three times: each server is killed in turn under load, then one
 * stands still for a while, then all are killed at once. The bank recovers without help, and nothing that was
 * acknowledged is lost or doubled.
 */
import { test } from 'node:test'
import { ordeal } from '../support/crash/ordeal.ts'
import { serverPlace } from '../support/crash/server-place.ts'
import type { ServerPlace } from '../support/crash/writer-protocol.ts'
import { withSeed } from '../support/seed.ts'
import { findNatsCluster } from '../support/servers/nats-server.ts'
import { onServer } from '../support/servers/server.ts'
import { sized } from '../support/size.ts'

const rounds = sized(4, 1)
const pausedMs = sized(10_000, 3_000)
/** Shorter than the pause, so that calls are given up. */
const timeoutMs = sized(5_000, 2_000)
const pace = { callers: 16, backlogMax: 200 }

const after = (delayMs: number): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>()
  setTimeout(resolve, delayMs)
  return promise
}

await onServer('A cluster of NATS', findNatsCluster, (cluster) => {
  const placeIn = (context: Parameters<typeof serverPlace>[0]): ServerPlace => {
    const place = serverPlace(context, cluster, 'nats', { timeoutMs })
    return place.store === 'nats' ? { ...place, replicas: 3 } : place
  }

  test('a bank survives that each server is killed in turn', { timeout: 1_100_000 }, (context) =>
    withSeed(async (random) => {
      await ordeal(context, { place: placeIn(context), pace, random }, async (bank) => {
        for (let round = 1; round <= rounds; round++) {
          for (const server of cluster.servers) {
            await bank.answered(random.int(1, 30))
            await server.kill()
            // Two servers are a majority, so the bank goes on.
            await bank.answered(8)
            await server.start()
          }
          await bank.recovered()
        }
      })
    }),
  )

  test('a bank survives that each server stands still for a while', { timeout: 1_100_000 }, (context) =>
    withSeed(async (random) => {
      await ordeal(context, { place: placeIn(context), pace, random }, async (bank) => {
        for (const server of cluster.servers) {
          await bank.answered(random.int(1, 30))
          server.pause()
          try {
            await after(pausedMs)
          } finally {
            server.resume()
          }
        }
        await bank.recovered()
      })
    }),
  )

  test('a bank survives that all servers are killed at once', { timeout: 1_100_000 }, (context) =>
    withSeed(async (random) => {
      await ordeal(context, { place: placeIn(context), pace, random }, async (bank) => {
        for (let round = 1; round <= rounds; round++) {
          await bank.answered(random.int(1, 30))
          await cluster.control!.kill()
          await cluster.control!.start()
          await bank.recovered()
        }
      })
    }),
  )
})
