/**
 * The way to the server breaks: connections are cut at any byte of a request or an answer, all of them at once again
 * and again, and by the server itself. A command whose answer was lost has one effect, and its sender learns the truth.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Random } from '../../src/testing/random.ts'
import { ordeal } from '../support/crash/ordeal.ts'
import { placeBy, serverKinds, serverPlace, withPostgres } from '../support/crash/server-place.ts'
import type { ServerPlace } from '../support/crash/writer-protocol.ts'
import { withSeed } from '../support/seed.ts'
import { CuttingProxy } from '../support/servers/cutting-proxy.ts'
import { onServer } from '../support/servers/server.ts'
import { leftOut, sized } from '../support/size.ts'

/** Connections are cut that often before the bank is left in peace. */
const cuts = { postgres: sized(40, 8), mongodb: sized(20, 10), nats: sized(40, 8) } as const
const behindBytes = { least: 100, most: 60_000 }
const roundsOfAll = sized(6, 1)

/** The proxy's URL for a client that takes no other way, whatever the server says of where it is. */
const wayOf = ({ store }: ServerPlace, url: string): string =>
  store === 'mongodb' ? `${url}${url.includes('?') ? '&' : '?'}directConnection=true` : url

/**
 * Small numbers come up as often as large ones: the first request of a connection is to be hit as well as the
 * hundredth.
 */
function cutBehind(random: Random): number {
  const { least, most } = behindBytes
  return Math.round(least * (most / least) ** random.next())
}

for (const { store, name, find, pace } of serverKinds) {
  await onServer(name, find, (server) => {
    for (const way of ['to the server', 'to the client'] as const) {
      const skip = way === 'to the server' ? undefined : leftOut
      test(`connections to ${name} that are cut anywhere on the way ${way}`, { skip, timeout: 1_100_000 }, (context) =>
        withSeed(async (random) => {
          const direct = serverPlace(context, server, store)
          const proxy = await CuttingProxy.before(server.url)
          context.after(() => proxy.close())
          const place = placeBy(direct, wayOf(direct, proxy.url))
          await ordeal(context, { place, direct, pace, random }, async (bank) => {
            await bank.recovered()
            proxy.cutOf = () => ({ way, behindBytes: cutBehind(random) })
            proxy.cutAll()
            const enough = proxy.cuts + cuts[store]
            await bank.until(() => proxy.cuts >= enough, `${cuts[store]} cuts`)
            proxy.cutOf = () => undefined
            await bank.recovered()
          })
        }),
      )
    }

    test(`connections to ${name} that are all cut at once`, { timeout: 1_100_000 }, (context) =>
      withSeed(async (random) => {
        const direct = serverPlace(context, server, store)
        const proxy = await CuttingProxy.before(server.url)
        context.after(() => proxy.close())
        const place = placeBy(direct, wayOf(direct, proxy.url))
        await ordeal(context, { place, direct, pace, random }, async (bank) => {
          for (let round = 1; round <= roundsOfAll; round++) {
            await bank.answered(random.int(1, 30))
            // A client with one connection may be without it at this moment.
            await bank.until(() => proxy.open > 0, 'a connection')
            proxy.cutAll()
          }
          await bank.recovered()
          assert.ok(proxy.cuts >= roundsOfAll, 'connections were cut')
        })
      }),
    )

    if (store !== 'postgres') return

    test('connections that PostgreSQL ends in the middle of their work', { timeout: 1_100_000 }, (context) =>
      withSeed(async (random, seed) => {
        const direct = serverPlace(context, server, store)
        const application = `ordeal-${seed}`
        const place = placeBy(direct, `${server.url}?application_name=${application}`)
        await withPostgres(direct, (client) =>
          ordeal(context, { place, direct, pace, random }, async (bank) => {
            let ended = 0
            for (let round = 1; round <= 5 * roundsOfAll; round++) {
              const { rowCount } = await client.query(
                'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1',
                [application],
              )
              ended += rowCount ?? 0
              if (round % 5 === 0) await bank.answered(random.int(1, 20))
            }
            assert.ok(ended >= roundsOfAll, 'connections were ended')
            await bank.recovered()
          }),
        )
      }),
    )
  })
}
