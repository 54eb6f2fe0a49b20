/** The log and the streams of aggregates by the Durable Streams protocol, as `http` serves them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Bank } from '../../../examples/bank/bank.ts'
import { assertProblem, requests } from '../../../test/support/http/client.ts'
import { http } from '../index.ts'
import { cursorAfter, offsetOf, placeOf } from './offset.ts'

const fill = async (bank: Awaited<ReturnType<typeof Bank.start>>, deposits: number) => {
  await bank.account('ada').open({ owner: 'Ada' })
  for (let amount = 1; amount <= deposits; amount++) await bank.account('ada').deposit({ amount })
}

for (const path of ['/streams', '/streams/account/ada']) {
  test(`${path} is read in pages, and from where it was left`, async () => {
    await using bank = await Bank.start()
    await fill(bank, 9)
    const { get, send } = requests(http(bank, { pageSizeMax: 4 }))
    const sequences: number[] = []
    let offset = '-1'
    const pages: string[] = []
    while (true) {
      const { headers, body } = await get(`${path}?offset=${offset}`)
      sequences.push(...body.map(({ sequence }: { sequence: number }) => sequence))
      const next = headers.get('stream-next-offset')!
      assert.ok(offset === '-1' || next > offset, 'offsets grow as texts')
      offset = next
      pages.push(headers.get('stream-up-to-date') ?? '')
      if (headers.get('stream-up-to-date') === 'true') break
    }
    assert.deepEqual(
      sequences,
      Array.from({ length: 10 }, (_, i) => i + 1),
    )
    assert.deepEqual(pages.slice(0, 3), ['', '', 'true'])
    assert.equal((await send(path, { method: 'HEAD' })).headers.get('stream-next-offset'), offset)
    assert.deepEqual((await get(`${path}?offset=${offset}`)).body, [])
    const polling = get(`${path}?offset=${offset}&live=long-poll`)
    await bank.account('ada').deposit({ amount: 10 })
    assert.deepEqual(
      (await polling).body.map(({ sequence }: { sequence: number }) => sequence),
      [11],
    )
  })

  test(`${path} is 304 only if its bytes are the same`, async () => {
    await using bank = await Bank.start()
    await fill(bank, 1)
    const { get } = requests(http(bank))
    const etag = (await get(path)).headers.get('etag')!
    assert.equal((await get(path, { 'If-None-Match': etag })).status, 304)
    const shown = requests(http(bank, { showMetadata: true }))
    await bank.account('ada').deposit({ amount: 5 }, { metadata: { user: 'u' } })
    const [hidden, open] = [(await get(path)).headers.get('etag')!, (await shown.get(path)).headers.get('etag')!]
    assert.notEqual(hidden, open)
    assert.equal((await get(path, { 'If-None-Match': open })).status, 200)
  })

  test(`${path} refuses an offset of another log, and one that is none`, async () => {
    await using bank = await Bank.start()
    await fill(bank, 3)
    const { get } = requests(http(bank))
    for (const place of [
      { at: 2, checksum: 1 },
      { at: 99, checksum: 1 },
    ]) {
      assertProblem(await get(`${path}?offset=${offsetOf(place)}`), 410, 'LOG_REPLACED')
    }
    for (const query of ['offset=1', 'offset=', 'offset=x', 'live=sse', 'live=x&offset=-1', 'offset=-1&offset=-1']) {
      assertProblem(await get(`${path}?${query}`), 400, 'REQUEST_MALFORMED')
    }
    assertProblem(await requests(http(bank, { mayRead: () => false })).get(path), 403, 'REQUEST_FORBIDDEN')
  })

  test(`${path} is followed by server-sent events`, async () => {
    await using bank = await Bank.start()
    await fill(bank, 1)
    const left = new AbortController()
    const request = new Request(`http://bank.example${path}?offset=-1&live=sse`, { signal: left.signal })
    const { body } = await http(bank)(request)
    await bank.account('ada').deposit({ amount: 2 })
    let text = ''
    for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
      text += chunk
      if (text.includes('"sequence":3') && text.endsWith('}\n\n')) break
    }
    left.abort()
    const data = Array.from(text.matchAll(/^event: data\ndata:(.*)$/gm), ([, json]) => JSON.parse(json!)).flat()
    assert.deepEqual(
      data.map(({ sequence }) => sequence),
      [1, 2, 3],
    )
    assert.match(
      text,
      /event: control\ndata:\{"streamNextOffset":"0{15}3_[0-9a-f]+","streamCursor":"\d+","upToDate":true\}\n\n$/,
    )
  })
}

test('an aggregate without events has no stream, but the log has one', async () => {
  await using bank = await Bank.start()
  const { get } = requests(http(bank))
  assertProblem(await get('/streams/account/nobody'), 404, 'ROUTE_UNKNOWN')
  assertProblem(await get('/streams/nothing/ada'), 404, 'ROUTE_UNKNOWN')
  const log = await get('/streams')
  assert.deepEqual([log.status, log.body, log.headers.get('stream-up-to-date')], [200, [], 'true'])
})

test('offsets are ordered as their places, and read back', () => {
  const place = fc.record({ at: fc.nat(), checksum: fc.nat() }, { noNullPrototype: true })
  fc.assert(
    fc.property(place, place, (one, two) => {
      assert.deepEqual(placeOf(offsetOf(one)), one)
      if (one.at !== two.at) assert.equal(offsetOf(one) < offsetOf(two), one.at < two.at)
    }),
  )
})

test('a cursor never goes back', () => {
  const now = Date.UTC(2026, 0, 1)
  const current = Number(cursorAfter(undefined, now))
  for (const given of ['0', `${current - 1}`, 'x']) assert.equal(cursorAfter(given, now), String(current))
  for (const given of [current, current + 1000]) assert.ok(Number(cursorAfter(`${given}`, now)) > given)
})
