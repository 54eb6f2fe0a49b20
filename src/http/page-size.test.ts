/** Pages of large events and rows: they end before they are too large, and nothing is lost or doubled between them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { requests } from '../../test/support/http/client.ts'
import { aggregate, domain, event, memory, projection } from '../index.ts'
import { faultyStore } from '../testing/index.ts'
import { http } from './index.ts'

const Scanned = event('Scanned', z.object({ image: z.string() }))
const Scan = aggregate('scan', () => ({ count: 0 }))
  .on(Scanned, ({ count }) => ({ count: count + 1 }))
  .command('scan', z.object({ count: z.int() }), (_, { count }) =>
    Array.from({ length: count }, () => Scanned({ image: 'x'.repeat(100_000) })),
  )

/** A row of 100,000 characters for each scan, with an index and a field that has none. */
const Images = projection('images', () => ({ n: 0, other: 0, image: '' }))
  .on(Scanned, (_, { image }, { sequence }) => ({ n: sequence, other: -sequence, image }))
  .by(({ sequence }) => `${sequence}`)
  .indexed('n')

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
  const handle = http(scans)
  return { scans, limits, handle, ...requests(handle) }
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

for (const [name, orderBy] of [
  ['an index', ['n']],
  ['an index, with a filter on another field', ['n']],
  ['no index', [['other', 'descending']]],
] as const) {
  test(`rows end their pages where they are large enough: ${name}`, async () => {
    const loads: number[] = []
    const store = faultyStore(memory(), ({ method, args }) => {
      if (method === 'loadRows') loads.push((args[1] as readonly string[]).length)
      return undefined
    })
    const scans = await domain({ aggregates: { scan: Scan }, projections: { images: Images } }).start({ store })
    let position = 0
    for (let n = 0; n < 6; n++) ({ position } = await scans.scan('1').scan({ count: 20 }))
    await scans.images.find({ limit: 1 }, { atLeast: position })
    loads.length = 0
    const { get } = requests(http(scans))
    const where = name.includes('filter') ? { other: { lte: -2 } } : {}
    const pages: number[][] = []
    for (let after: string | undefined = ''; after !== undefined; ) {
      const parameters = { where: JSON.stringify(where), orderBy: JSON.stringify(orderBy), limit: '1000' }
      const next: object = after === '' ? {} : { after }
      const { body } = await get(`/projections/images?${new URLSearchParams({ ...parameters, ...next })}`)
      pages.push(body.rows.map(({ row }: { row: { n: number } }) => row.n))
      after = body.next
    }
    assert.deepEqual([pages.length, pages[0]!.length], [2, 80])
    assert.deepEqual(
      pages.flat(),
      all.filter((n) => !name.includes('filter') || n > 1),
    )
    assert.ok(Math.max(0, ...loads) <= 80, 'so many rows are loaded at once as fit a page')
    const few = await get('/projections/images?limit=3')
    assert.deepEqual([few.body.rows.length, typeof few.body.next], [3, 'string'])
    await scans.stop()
  })
}

for (const path of ['/events', '/aggregates/scan/1/events']) {
  test(`${path}, followed live, reads a few events at once, and no more for a client that takes nothing`, async () => {
    const { scans, limits, handle } = await start()
    const gone = new AbortController()
    const headers = { Accept: 'text/event-stream' }
    const response = await handle(new Request(`http://bank.example${path}`, { headers, signal: gone.signal }))
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let messages = 0
    const takeUntil = async (count: number) => {
      while (messages < count) messages += (await reader.read()).value!.split('\n\n').length - 1
    }
    await takeUntil(1)
    const read = limits.reduce((sum, limit) => sum + limit, 0)
    assert.ok(read < all.length, `${read} events were asked for, and one was taken`)
    await takeUntil(all.length)
    gone.abort()
    // A read of a stream asks for one more, to know whether there are more.
    assert.ok(Math.max(...limits) <= 21, `${Math.max(...limits)} events were asked for at once`)
    await scans.stop()
  })
}
