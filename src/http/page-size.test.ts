/** Pages of events with large data: they end before they are too large, and nothing is lost or doubled between them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { requests } from '../../test/support/http/client.ts'
import { aggregate, domain, event, memory } from '../index.ts'
import { faultyStore } from '../testing/index.ts'
import { http } from './index.ts'

const Scanned = event('Scanned', z.object({ image: z.string() }))
const Scan = aggregate('scan', () => ({ count: 0 }))
  .on(Scanned, ({ count }) => ({ count: count + 1 }))
  .command('scan', z.object({ count: z.int() }), (_, { count }) =>
    Array.from({ length: count }, () => Scanned({ image: 'x'.repeat(100_000) })),
  )

const all = Array.from({ length: 120 }, (_, i) => i + 1)
const sequencesOf = (events: readonly { readonly sequence: number }[]) => events.map(({ sequence }) => sequence)

/** A service of 120 events with 100,000 characters each, and how many events its store was asked for at once. */
async function start() {
  const limits: number[] = []
  const store = faultyStore(memory(), ({ method, args }) => {
    const { limit } = ((method === 'readStream' ? args[2] : method === 'readAll' ? args[1] : undefined) ?? {}) as {
      limit?: number
    }
    if (limit !== undefined) limits.push(limit)
    return undefined
  })
  const scans = await domain({ aggregates: { scan: Scan } }).start({ store })
  for (let n = 0; n < 6; n++) await scans.scan('1').scan({ count: 20 })
  limits.length = 0
  return { scans, limits, ...requests(http(scans)) }
}

test('a history ends its pages where they are large enough, both ways', async () => {
  const { scans, limits, get } = await start()
  for (const direction of ['forward', 'backward']) {
    const pages: number[][] = []
    for (let next: Record<string, string> | undefined = {}; next !== undefined; ) {
      const parameters = new URLSearchParams({ direction, limit: '1000', ...next })
      const { body } = await get(`/aggregates/scan/1/events?${parameters}`)
      pages.push(sequencesOf(body.events))
      next = body.next
    }
    assert.equal(pages.length, 2, direction)
    assert.deepEqual(pages.flat(), direction === 'forward' ? all : all.toReversed())
  }
  assert.ok(Math.max(...limits) <= 50, 'a few events are read at once')
  await scans.stop()
})

for (const path of ['/streams', '/streams/scan/1']) {
  test(`${path} ends its pages where they are large enough`, async () => {
    const { scans, limits, get } = await start()
    const pages: number[][] = []
    for (let [offset, isLast] = ['-1', false]; !isLast; ) {
      const { headers, body } = await get(`${path}?offset=${offset}`)
      pages.push(sequencesOf(body))
      offset = headers.get('stream-next-offset')!
      isLast = headers.has('stream-up-to-date')
    }
    assert.equal(pages.length, 2)
    assert.deepEqual(pages.flat(), all)
    assert.ok(Math.max(...limits) <= 51, 'a few events are read at once')
    await scans.stop()
  })
}
