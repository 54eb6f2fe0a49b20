/** The server of the studio: whom it answers, and what it answers. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { get as ask, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { TransferBank } from '../../../examples/transfer/bank.ts'
import { aggregate, domain, event, memory, personal, projection } from '../../../src/index.ts'
import { sqlite } from '../../../src/store/sqlite/index.ts'
import { FormerBank } from '../../../test/support/tools/former-bank.ts'
import { filledStore, studioPlace, watching } from '../../../test/support/tools/studio-place.ts'
import { applyChanges } from '../../page/apply-changes.ts'
import { openInspection, stateAt } from '../inspection/index.ts'
import { startStudio } from './index.ts'
import type { CatalogueView, EventsView, FollowerView, ParkedView, ReasonsView, StepsView, TraceView } from './views.ts'

/** The status of a request with headers that `fetch` does not let anybody set. */
function knock(address: string, headers: Readonly<Record<string, string>>, method = 'GET'): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(address, { method, headers }, (response) => {
      response.resume()
      resolve(response.statusCode!)
    })
    asked.on('error', reject).end()
  })
}

const json = async <Body>(response: Response): Promise<Body> => {
  assert.equal(response.status, 200, await response.clone().text())
  return (await response.json()) as Body
}

describe('The studio', () => {
  test('gives its page to everybody on this machine, and what it shows only with the token', async (t) => {
    const { studio, origin, ask } = await studioPlace(t, { store: memory() })
    const page = await fetch(studio.address, { redirect: 'manual' })
    assert.deepEqual([page.status, page.headers.get('set-cookie')], [200, null], 'other servers would get a cookie too')
    assert.match(page.headers.get('content-security-policy')!, /^default-src 'none'; script-src 'self';/)
    assert.match(await page.text(), /<script type="module" src="\/studio\.js">/)
    for (const path of ['/', '/studio.js', '/studio.css']) assert.equal((await fetch(origin + path)).status, 200, path)
    for (const path of ['/api/info', '/api/live', '/api/nothing', '/index.html'])
      assert.equal((await fetch(origin + path)).status, 401, path)
    assert.equal((await fetch(origin, { method: 'POST' })).status, 401)
    assert.equal((await ask('/api/info')).status, 200)
  })

  test('answers nobody without the token, from another page, by another name, or who wants to write', async (t) => {
    const { origin, token } = await studioPlace(t, { store: memory() })
    const { host, port } = new URL(origin)
    const authorization = `Bearer ${token}`
    const address = `${origin}/api/info`
    const wrong: readonly (readonly [status: number, headers: Readonly<Record<string, string>>, method?: string])[] = [
      [401, { host }],
      [401, { host, authorization: `Bearer ${token}x` }],
      [401, { host, authorization: 'Bearer ' }],
      [401, { host, cookie: `mneme_studio_${port}=${token}; token=${token}` }],
      [403, { authorization, host: `evil.example:${port}` }],
      [403, { authorization, host: '127.0.0.1' }],
      [403, { authorization, host: `127.0.0.1:${port}.evil.example` }],
      [403, { authorization, host, origin: 'http://evil.example' }],
      [403, { authorization, host, origin: 'null' }],
      [403, { authorization, host, origin: `http://localhost:${port}` }],
      [403, { authorization, host, 'sec-fetch-site': 'cross-site' }],
      [403, { authorization, host, 'sec-fetch-site': 'same-site' }],
      [405, { authorization, host }, 'POST'],
      [405, { authorization, host }, 'DELETE'],
    ]
    for (const [status, headers, method] of wrong)
      assert.equal(await knock(address, headers, method), status, JSON.stringify([headers, method]))
    for (const [status, headers] of wrong)
      if (status === 403) assert.equal(await knock(`${origin}/`, headers), 403, `the page: ${JSON.stringify(headers)}`)
    assert.equal(await knock(`${origin}/api/info?token=${token}`, { host }), 401, 'only the page takes it')
    for (const name of ['127.0.0.1', 'localhost', '[::1]', 'LOCALHOST'])
      assert.equal(await knock(address, { authorization, host: `${name}:${port}` }), 200, name)
    const own = { authorization, host, origin, 'sec-fetch-site': 'same-origin' }
    assert.equal(await knock(address, own), 200)
  })

  test('shows the log in pages, filtered, newest first', async (t) => {
    const { ask } = await studioPlace(t, { store: await filledStore() })
    const all = await json<EventsView>(await ask('/api/events?limit=4'))
    assert.deepEqual([all.events.map(({ position }) => position), all.head], [[10, 9, 8, 7], 10])
    const { from, to } = all.next!
    const next = await json<EventsView>(await ask(`/api/events?limit=4&from=${from}&to=${to}`))
    assert.deepEqual(
      next.events.map(({ position }) => position),
      [6, 5, 4, 3],
    )
    const some = await json<EventsView>(
      await ask('/api/events?type=MoneyDeposited&type=MoneyWithdrawn&aggregate=account'),
    )
    assert.deepEqual(
      some.events.map(({ type, id, data }) => [type, id, data]),
      [
        ['MoneyDeposited', 'bob', { amount: 5 }],
        ['MoneyWithdrawn', 'ada', { amount: 5 }],
        ...[3, 2, 1].map((amount) => ['MoneyDeposited', 'ada', { amount }]),
      ],
    )
    assert.deepEqual(some.events.at(-1)!.metadata, { user: 'eve' })
    assert.deepEqual((await json<EventsView>(await ask('/api/events?type=Nothing'))).events, [])
  })

  test('gives each event of a stream what it changed, from which the page makes the states', async (t) => {
    const store = await filledStore(2_300)
    const { ask } = await studioPlace(t, { store })
    await using inspection = await openInspection({ store, domain: TransferBank })
    const stream = { aggregate: 'account', id: 'ada' }
    // In no order, as somebody moves a slider.
    for (const from of [2_201, 1, 950, 2_000, 1_001]) {
      const page = await json<StepsView>(await ask(`/api/steps?aggregate=account&id=ada&from=${from}&count=100`))
      assert.deepEqual([page.from, page.end, page.steps.length], [from, 2_302, 100])
      assert.deepEqual(page.base, (await stateAt(inspection, stream, { sequence: from - 1 })).state)
      let state = page.base
      for (const { changes, event } of page.steps) {
        state = applyChanges(state, changes)
        if (event.sequence % 33 === 0)
          assert.deepEqual(state, (await stateAt(inspection, stream, { sequence: event.sequence })).state)
      }
    }
    const nothing = await json<StepsView>(await ask('/api/steps?aggregate=account&id=nobody'))
    assert.deepEqual([nothing.end, nothing.steps, nothing.base], [0, [], { status: 'none', balance: 0 }])
  })

  test('says which events made a value what it is, newest first, in pages', async (t) => {
    const store = await filledStore(2_300)
    const { ask } = await studioPlace(t, { store })
    const reasonsAt = async (path: string, sequence: number) =>
      json<ReasonsView>(
        await ask(`/api/reasons?aggregate=account&id=ada&path=${encodeURIComponent(path)}&sequence=${sequence}`),
      )
    const of = ({ reasons }: ReasonsView) => reasons.map(({ event, before, after }) => [event.sequence, before, after])
    const newest = await reasonsAt('["balance"]', 9_999)
    assert.deepEqual(of(newest).slice(0, 2), [
      [2_302, 2_646_150, 2_646_145],
      [2_301, 2_643_850, 2_646_150],
    ])
    assert.deepEqual([newest.reasons.length, newest.next], [20, 2_282])
    // The whole way, page by page: each event but the first changed the balance.
    const found: unknown[] = []
    for (let next: number | undefined = 50; next !== undefined; ) {
      const page: ReasonsView = await reasonsAt('["balance"]', next)
      found.push(...page.reasons.map(({ event }) => event.sequence))
      next = page.next
    }
    assert.deepEqual(
      found,
      Array.from({ length: 49 }, (_, i) => 50 - i),
    )
    const status = await reasonsAt('["status"]', 2_302)
    assert.deepEqual([of(status), status.next], [[[1, 'none', 'open']], undefined])
    assert.deepEqual(await reasonsAt('["nothing",0]', 2_302), { reasons: [] })
    for (const path of ['', 'balance', '[{}]', '{}'])
      assert.equal((await ask(`/api/reasons?aggregate=account&id=ada&path=${path}&sequence=1`)).status, 400, path)
  })

  test('shows the events where the code fails, and says where', async (t) => {
    const Counted = event('Counted', z.object({ n: z.number() }))
    const counter = (limit: number) =>
      domain({
        aggregates: {
          counter: aggregate('counter', () => ({ n: 0 }))
            .on(Counted, (_, { n }) => {
              if (n > limit) throw new Error('too many')
              return { n }
            })
            .command('count', z.object({ n: z.number() }), (_, data) => Counted(data)),
        },
      })
    const store = memory()
    {
      await using good = await counter(9).start({ store })
      for (const n of [1, 2, 3, 4]) await good.counter('a').count({ n })
    }
    const { ask } = await studioPlace(t, { store, domain: counter(2) })
    const page = await json<StepsView>(await ask('/api/steps?aggregate=counter&id=a'))
    assert.deepEqual(
      page.steps.map(({ changes }) => changes.length),
      [1, 1, 0, 0],
    )
    assert.match(page.failure!, /^At sequence 3: /)
    const later = await json<StepsView>(await ask('/api/steps?aggregate=counter&id=a&from=4'))
    assert.deepEqual([later.base, later.steps.length], [undefined, 1])
    assert.match(later.failure!, /too many/)
  })

  test('shows only stored events without the code of the domain', async (t) => {
    const { ask } = await studioPlace(t, { store: await filledStore(), domain: undefined })
    const page = await json<StepsView>(await ask('/api/steps?aggregate=account&id=ada'))
    assert.deepEqual([page.end, page.base, page.steps.length], [5, undefined, 5])
    assert.deepEqual(await json(await ask('/api/catalogue')), {})
    assert.deepEqual(await json(await ask('/api/followers')), { followers: [] })
  })

  test('shows causes, the catalogue, and how far everything is, and stores nothing', async (t) => {
    const store = await filledStore()
    const { ask } = await studioPlace(t, { store })
    const { trace } = await json<{ readonly trace: TraceView }>(await ask('/api/trace?id=the%20request'))
    assert.deepEqual([trace.commands, trace.roots.length, trace.roots[0]!.effects.length], [5, 1, 2])
    assert.deepEqual(await json(await ask('/api/trace?id=the%20request&near=8')), { trace })
    assert.deepEqual(await json(await ask('/api/trace?id=nothing')), { trace: null })
    const { catalogue } = await json<{ readonly catalogue: CatalogueView }>(await ask('/api/catalogue'))
    assert.deepEqual(
      catalogue.aggregates.map(({ name, commands }) => [name, commands.length]),
      [
        ['account', 3],
        ['transfer', 5],
      ],
    )
    const [opened] = catalogue.aggregates[0]!.events
    assert.deepEqual(opened, { type: 'AccountOpened', revision: 1, handledBy: ['projection balances'] })
    assert.deepEqual(catalogue.reactions, [{ name: 'move money', sendsTo: ['account', 'transfer'] }])
    const { followers } = await json<{ readonly followers: readonly FollowerView[] }>(await ask('/api/followers'))
    assert.deepEqual(
      followers.map(({ kind, name, position, head }) => [kind, name, position === head]),
      [
        ['projection', 'balances', true],
        ['reaction', 'move money', true],
      ],
    )
  })

  test('does not say where rows are that a newer program has made, and what it can tell of others stays', async (t) => {
    const store = await filledStore()
    const { ask } = await studioPlace(t, { store, domain: FormerBank })
    const { followers } = await json<{ readonly followers: readonly FollowerView[] }>(await ask('/api/followers'))
    assert.deepEqual(
      followers.map(({ name, position, parked, failure }) => [name, position, parked, failure !== undefined]),
      [
        ['balances', undefined, undefined, true],
        ['greet', 0, 0, false],
      ],
    )
    assert.deepEqual(await json(await ask('/api/parked')), { parked: [] })
  })

  test('stores nothing of projections and reactions that have never run', async (t) => {
    const store = memory()
    {
      await using bank = await TransferBank.start({ store, projections: 'manual' })
      await bank.account('ada').open({ owner: 'ada' })
    }
    const writes: string[] = []
    const { ask } = await studioPlace(t, { store: watching(store, writes) })
    for (const path of ['/api/followers', '/api/catalogue', '/api/events', '/api/steps?aggregate=account&id=ada'])
      await json(await ask(path))
    assert.deepEqual(writes, [])
  })

  test('shows parked events, and why', async (t) => {
    const Noted = event('Noted', z.object({ n: z.number() }))
    const Picky = projection('picky', () => ({ count: 0 }))
      .on(Noted, ({ count }, { n }) => {
        if (n === 2) throw new Error('not two')
        return { count: count + 1 }
      })
      .onFailure({ giveUp: 'park' })
    const Pad = aggregate('pad', () => ({}))
      .on(Noted, (state) => state)
      .command('note', z.object({ n: z.number() }), (_, data) => Noted(data))
    const Pads = domain({ aggregates: { pad: Pad }, projections: { picky: Picky } })
    const store = memory()
    {
      await using pads = await Pads.start({ store, projections: 'manual', log: { warn() {} } })
      for (const n of [1, 2]) await pads.pad('a').note({ n })
      await pads.projections.runOnce('picky')
    }
    const { ask } = await studioPlace(t, { store, domain: Pads })
    const { parked } = await json<{ readonly parked: readonly ParkedView[] }>(await ask('/api/parked'))
    assert.deepEqual(
      parked.map(({ projection: name, position, aggregate: of, id, type }) => [name, position, of, id, type]),
      [['picky', 2, 'pad', 'a', 'Noted']],
    )
    assert.match(parked[0]!.reason, /not two/)
  })

  test('a question beyond the end of a stream is one for its end, and spoils no later state', async (t) => {
    const store = await filledStore()
    const { ask } = await studioPlace(t, { store })
    const beyond = await json<StepsView>(await ask('/api/steps?aggregate=account&id=ada&from=900000000'))
    assert.deepEqual([beyond.from, beyond.end, beyond.steps], [6, 5, []])
    await using bank = await TransferBank.start({ store, projections: 'manual' })
    await Promise.all(Array.from({ length: 1100 }, () => bank.account('ada').deposit({ amount: 1 })))
    const { base } = await json<StepsView>(await ask('/api/steps?aggregate=account&id=ada&from=1001&count=1'))
    assert.deepEqual(base, await bank.account('ada').state({ sequence: 1000 }))
  })

  test('masks personal data, and reads the events that have them on a real store', async (t) => {
    const data = z.object({ person: z.string(), email: z.email() })
    const fields = { subject: ({ person }: { readonly person: string }) => person, fields: ['email'] } as const
    const Joined = event('Joined', data).personal(fields)
    const Member = aggregate('member', () => ({ emails: [] as readonly unknown[] }))
      .on(Joined, ({ emails }, { email }) => ({ emails: [...emails, email] }))
      .command('join', personal(data, fields), (_, joined) => Joined(joined))
    const Members = domain({ aggregates: { member: Member } })
    const folder = mkdtempSync(join(tmpdir(), 'mneme-studio-'))
    t.after(() => rmSync(folder, { recursive: true, force: true }))
    // Only a store that gives its events as text shows whether their values can be read without keys.
    const store = sqlite(join(folder, 'members.db'))
    {
      await using members = await Members.start({ store })
      await members.member('m1').join({ person: 'ada', email: 'ada@example.org' })
    }
    const { ask } = await studioPlace(t, { store, domain: Members })
    for (const path of ['/api/events', '/api/steps?aggregate=member&id=m1']) {
      const text = await (await ask(path)).text()
      assert.ok(text.includes('[personal]') && !text.includes('ada@'), text)
      assert.ok(!text.includes('unreadable') && !text.includes('failure'), text)
    }
    const { base, steps } = await json<StepsView>(await ask('/api/steps?aggregate=member&id=m1'))
    assert.deepEqual(applyChanges(base, steps[0]!.changes), { emails: ['[personal]'] })
  })

  test('masks personal data that were stored before their field was declared as personal', async (t) => {
    const data = z.object({ person: z.string(), email: z.string() })
    const fields = { subject: ({ person }: { readonly person: string }) => person, fields: ['email'] } as const
    const Before = event('Joined', data)
    const member = aggregate('member', () => ({}))
    const store = memory()
    {
      const was = member.on(Before, () => ({})).command('join', data, (_, joined) => Before(joined))
      await using members = await domain({ aggregates: { member: was } }).start({ store })
      await members.member('m1').join({ person: 'ada', email: 'ada@example.org' })
    }
    const is = member.on(event('Joined', data).personal(fields), () => ({}))
    const { ask } = await studioPlace(t, { store, domain: domain({ aggregates: { member: is } }) })
    const text = await (await ask('/api/events')).text()
    assert.ok(text.includes('[personal]') && !text.includes('ada@'), text)
  })

  test('sends new events as they are stored, filtered', async (t) => {
    const store = memory()
    const { origin, token } = await studioPlace(t, { store })
    await using bank = await TransferBank.start({ store, projections: 'manual' })
    await bank.account('ada').open({ owner: 'ada' })
    const told: { readonly type: string; readonly position: number }[] = []
    const got = Promise.withResolvers<void>()
    const path = `${origin}/api/live?type=MoneyDeposited&from=1`
    const asked = ask(path, { headers: { authorization: `Bearer ${token}` } }, (response) => {
      assert.equal(response.headers['content-type'], 'text/event-stream')
      response.setEncoding('utf8').on('data', (text: string) => {
        for (const [, data] of text.matchAll(/^data: (.*)$/gm)) told.push(JSON.parse(data!))
        if (told.length === 2) got.resolve()
      })
      response.on('error', () => {})
    })
    asked.on('error', () => {})
    for (const amount of [1, 2]) await bank.account('ada').deposit({ amount })
    await got.promise
    asked.destroy()
    assert.deepEqual(
      told.map(({ type, position }) => [type, position]),
      [
        ['MoneyDeposited', 2],
        ['MoneyDeposited', 3],
      ],
    )
  })

  test('says what is wrong with a question', async (t) => {
    const { ask } = await studioPlace(t, { store: await filledStore() })
    for (const [path, status, code] of [
      ['/api/events?from=-1', 400, 'USAGE'],
      ['/api/events?limit=1e3', 400, 'USAGE'],
      ['/api/steps?aggregate=account', 400, 'USAGE'],
      ['/api/steps?aggregate=nothing&id=a', 400, 'AGGREGATE_UNKNOWN'],
      ['/api/trace', 400, 'USAGE'],
      ['/api/nothing', 404, 'NOT_FOUND'],
      ['/..%2f..%2fetc/passwd', 404, 'NOT_FOUND'],
      ['//evil.example/api/info', 404, 'NOT_FOUND'],
      ['/__proto__', 404, 'NOT_FOUND'],
    ] as const) {
      const response = await ask(path)
      const body = (await response.json()) as { readonly error: { readonly code: string } }
      assert.deepEqual([response.status, body.error.code], [status, code], path)
    }
  })

  test('does not start in production, on a port that is taken, or without its page', async (t) => {
    const { origin } = await studioPlace(t, { store: memory() })
    await using inspection = await openInspection({ store: memory() })
    const environment = { NODE_ENV: 'production' }
    const unfit = { code: 'STUDIO_UNFIT' }
    await assert.rejects(startStudio(inspection, { port: 0, environment }), unfit)
    const page = new URL('./nowhere/', import.meta.url)
    await assert.rejects(startStudio(inspection, { port: 0, page, environment: {} }), unfit)
    const port = Number(new URL(origin).port)
    await assert.rejects(studioPlace(t, { store: memory() }, { port }), unfit)
    const allowed = await studioPlace(t, { store: memory() }, { environment, isAllowedInProduction: true })
    assert.equal((await allowed.ask('/api/info')).status, 200)
  })
})
