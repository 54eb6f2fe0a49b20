/** The studio shows what strangers have written and what unfinished code does. Neither may break or fool it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { describe, type TestContext, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import { TransferBank } from '../../../examples/transfer/bank.ts'
import {
  type AnyAggregate,
  aggregate,
  commit,
  domain,
  event,
  memory,
  type Personal,
  type StoreFactory,
} from '../../../src/index.ts'
import { filledStore, studioPlace } from '../../../test/support/tools/studio-place.ts'
import { Steps } from '../../page/steps.ts'
import { changedStore } from '../inspection/changed-store.ts'
import type { EventsView, EventView, ReasonsView, StepsView } from './views.ts'

const Counted = event('Counted', z.object({ n: z.number() }))
const counter = (initial: () => unknown, evolve: (state: any, n: number) => unknown) =>
  aggregate('counter', initial)
    .on(Counted, (state, { n }) => evolve(state, n) as typeof state)
    .command('count', z.object({ n: z.number() }), (_, data) => Counted(data))

const good = counter(
  () => ({ n: 0 }),
  (_, n) => ({ n }),
)

/** A studio that shows four events of good code by other code. */
async function shownBy(t: TestContext, other: AnyAggregate) {
  const store = memory()
  {
    await using counters = await domain({ aggregates: { counter: good } }).start({ store })
    for (const n of [1, 2, 3, 4]) await counters.counter('a').count({ n })
  }
  const { ask } = await studioPlace(t, { store, domain: domain({ aggregates: { counter: other } }) })
  const response = await ask('/api/steps?aggregate=counter&id=a')
  assert.equal(response.status, 200, await response.clone().text())
  return (await response.json()) as StepsView
}

/** A store of one event for each data. */
async function storeOf(...all: readonly { readonly type?: string; readonly data: {} }[]): Promise<StoreFactory> {
  const store = memory()
  const opened = await store.open({ warn() {}, now: Date.now })
  for (const [i, { type = 'Noted', data }] of all.entries()) {
    const events = [{ type, revision: 1, data, metadata: {}, tags: [] }]
    await opened.append([
      commit({ stream: { aggregate: 'pad', id: 'a' }, expected: 'any', id: `c${i}`, recordedAt: 1, events }),
    ])
  }
  return { name: 'memory', open: async () => changedStore(opened, { close: async () => {} }) }
}

describe('The studio', () => {
  test('goes on behind the last event of a browser that has lost its connection', async (t) => {
    const { origin, token } = await studioPlace(t, { store: await filledStore() })
    const headers = { authorization: `Bearer ${token}`, 'last-event-id': '8' }
    const asked = get(`${origin}/api/live?from=1`, { headers }).on('error', () => {})
    const [response] = (await once(asked, 'response')) as [IncomingMessage]
    const [text] = (await once(response.setEncoding('utf8'), 'data')) as [string]
    assert.match(text, /^id: 9\n/)
    asked.destroy()
    const head = await fetch(`${origin}/api/live`, { method: 'HEAD', headers })
    assert.equal(head.headers.get('content-type'), 'text/event-stream')
  })

  test('refuses a last event that is none, before it answers as a stream', async (t) => {
    const { origin, token } = await studioPlace(t, { store: await filledStore() })
    const answerTo = async (id: string) => {
      const headers = { authorization: `Bearer ${token}`, 'last-event-id': id }
      const response = await fetch(`${origin}/api/live`, { headers, signal: t.signal })
      return [response.status, response.ok ? '' : await response.text()] as const
    }
    for (const id of ['x', '-1', '9007199254740992']) {
      const [status, text] = await answerTo(id)
      assert.equal(status, 400, id)
      assert.match(text, /"USAGE".*Last-Event-ID/)
    }
    for (const id of ['1000', '9007199254740991']) {
      const [status, text] = await answerTo(id)
      assert.equal(status, 500, id)
      assert.match(text, /"LOG_REPLACED"/)
    }
  })

  test('tells a head with a page of the log so that nothing is missed after it', async (t) => {
    const store = await filledStore()
    await using bank = await TransferBank.start({ store, projections: 'manual' })
    const busy: StoreFactory = {
      name: 'busy',
      async open(options) {
        const opened = await store.open(options)
        return changedStore(opened, {
          async readAll(...args) {
            const page = await opened.readAll(...args)
            await bank.account('bob').deposit({ amount: 1 })
            return page
          },
        })
      },
    }
    const { ask } = await studioPlace(t, { store: busy })
    for (const query of ['', '?type=MoneyDeposited']) {
      const page = (await (await ask(`/api/events${query}`)).json()) as EventsView
      const seen = page.events[0]!.position
      assert.ok(page.head <= seen, `an event between ${seen} and ${page.head} is neither here nor live`)
    }
  })

  test('shows an evolve that changes its state in place as the failure that it is', async (t) => {
    const page = await shownBy(
      t,
      counter(
        () => ({ all: [] as number[] }),
        (state, n) => {
          state.all.push(n)
          return state
        },
      ),
    )
    assert.match(page.failure!, /^At sequence 1: .*(extensible|read only)/)
    assert.deepEqual([page.base, page.steps.length], [{ all: [] }, 4])
  })

  test('shows the events where the state is nothing, a cycle, or fails to be shown', async (t) => {
    const endless: { self?: object; other?: object } = {}
    endless.self = endless
    endless.other = endless
    const failing = {
      get value(): number {
        throw new Error('not now')
      },
    }
    const initial = () => ({ n: 0 })
    const none = await shownBy(
      t,
      counter(initial, () => undefined),
    )
    assert.match(none.failure!, /^At sequence 1: .*undefined/)
    const cycle = await shownBy(
      t,
      counter(initial, () => endless),
    )
    assert.deepEqual(cycle.steps[0]!.changes.length, 3)
    const getter = await shownBy(
      t,
      counter(initial, (_, n) => (n === 3 ? failing : { n })),
    )
    assert.match(getter.failure!, /^At sequence 3: not now/)
    const unborn = await shownBy(
      t,
      counter(
        () => {
          throw new Error('no beginning')
        },
        (_, n) => ({ n }),
      ),
    )
    assert.deepEqual([unborn.failure, unborn.steps.length], ['no beginning', 4])
  })

  test('shows no personal value that was stored as plain text, by states, stored data or errors', async (t) => {
    const data = z.object({ person: z.string(), email: z.string(), note: z.string() })
    const Before = event('Joined', data)
    const member = aggregate('member', () => ({}) as unknown)
    const store = memory()
    {
      const was = member.on(Before, () => ({})).command('join', data, (_, joined) => Before(joined))
      await using members = await domain({ aggregates: { member: was } }).start({ store })
      await members.member('m1').join({ person: 'ada', email: 'ada@example.org', note: '[personal]' })
    }
    const subject = ({ person }: { readonly person: string }) => person
    const After = event('Joined', data).personal({ subject, fields: ['email'] })
    for (const evolve of [
      ({ email }: { readonly email: Personal<string> }) => ({ email: email.value }),
      ({ email }: { readonly email: Personal<string> }) => {
        throw new Error(String(email.value))
      },
    ]) {
      const is = member.on(After, (_, joined): unknown => evolve(joined))
      const { ask } = await studioPlace(t, { store, domain: domain({ aggregates: { member: is } }) })
      const steps = (await (await ask('/api/steps?aggregate=member&id=m1')).json()) as StepsView
      assert.match(steps.failure!, /personal/)
      for (const path of ['events', 'event?position=1', 'steps?aggregate=member&id=m1']) {
        const text = await (await ask(`/api/${path}`)).text()
        assert.ok(!text.includes('ada@'), text)
      }
    }
  })

  test('cuts what is huge in lists, and shows it alone', async (t) => {
    const text = 'x'.repeat(200_000)
    const list = Array.from({ length: 50_000 }, (_, i) => i)
    const store = await storeOf(...Array.from({ length: 60 }, () => ({ data: { text, list } })))
    const { ask } = await studioPlace(t, { store, domain: undefined })
    for (const path of ['events', 'steps?aggregate=pad&id=a']) {
      const answer = await (await ask(`/api/${path}`)).text()
      assert.ok(answer.length < 1_000_000, `${path}: ${answer.length}`)
    }
    const page = (await (await ask('/api/events?limit=1')).json()) as EventsView
    assert.equal(page.events[0]!.isCut, true)
    const alone = (await (await ask('/api/event?position=1')).json()) as EventView
    assert.equal((alone.data as { readonly text: string }).text, text)
    assert.equal((await ask('/api/event?position=61')).status, 500)
  })

  test('sends large states in parts, which the page asks for one after the other', async (t) => {
    const text = 'x'.repeat(700_000)
    const store = memory()
    const large = counter(
      () => ({ n: 0, text }),
      (_, n) => ({ n, text: `${n}${text}` }),
    )
    const counters = domain({ aggregates: { counter: large } })
    {
      await using running = await counters.start({ store })
      for (let n = 1; n <= 12; n++) await running.counter('a').count({ n })
    }
    const { ask } = await studioPlace(t, { store, domain: counters })
    const first = (await (await ask('/api/steps?aggregate=counter&id=a')).json()) as StepsView
    assert.ok(first.steps.length < 5, `${first.steps.length}`)
    const steps = await stepsOf(t, ask)
    for (const sequence of [12, 7, 1, 12, 0]) {
      steps.moveTo(sequence)
      await shownAt(steps, sequence)
      assert.equal((steps.shown.value!.state as { readonly n: number }).n, sequence)
    }
    const why = await ask('/api/reasons?aggregate=counter&id=a&path=["text"]&sequence=12')
    const { reasons } = (await why.json()) as ReasonsView
    assert.equal(reasons.length, 12)
    assert.ok(JSON.stringify(reasons).length < 200_000)
  })

  test('shows the versions of a stream that grows while somebody looks', async (t) => {
    const store = memory()
    await using counters = await domain({ aggregates: { counter: good } }).start({ store })
    for (let n = 1; n <= 3; n++) await counters.counter('a').count({ n })
    const { ask } = await studioPlace(t, { store, domain: domain({ aggregates: { counter: good } }) })
    const steps = await stepsOf(t, ask)
    assert.equal(steps.end.value, 3)
    for (let n = 4; n <= 150; n++) await counters.counter('a').count({ n })
    await steps.lookAtEnd()
    for (const sequence of [150, 4, 100]) {
      steps.moveTo(sequence)
      await shownAt(steps, sequence)
      assert.deepEqual(steps.shown.value!.state, { n: sequence })
    }
  })
})

test('the page of the studio reads ahead of a slider that moves, each page once', async (t) => {
  const end = 1000
  const asked: number[] = []
  const step = (sequence: number) => ({ event: { sequence }, changes: [], more: 0 }) as unknown as StepsView['steps'][0]
  const steps = new Steps({
    async steps(from, count) {
      asked.push(from)
      return { from, end, base: { n: from }, steps: Array.from({ length: count }, (_, i) => step(from + i)) }
    },
    end: async () => end,
  })
  t.after(() => steps.close())
  await steps.open(150)
  for (let sequence = 150; sequence <= 350; sequence++) {
    steps.moveTo(sequence)
    // What is asked for here comes before the next frame.
    await setImmediate()
    assert.equal(steps.shown.value?.sequence, sequence, 'it is there already')
  }
  assert.deepEqual(asked, [101, 201, 301])
  for (let sequence = 349; sequence >= 90; sequence--) {
    steps.moveTo(sequence)
    await setImmediate()
  }
  assert.deepEqual(asked, [101, 201, 301, 1])
})

/** The steps as the page has them. */
async function stepsOf(t: TestContext, ask: (path: string) => Promise<Response>): Promise<Steps> {
  const read = async <Body>(path: string) => (await (await ask(`/api/${path}aggregate=counter&id=a`)).json()) as Body
  const steps = new Steps({
    steps: (from, count) => read<StepsView>(`steps?from=${from}&count=${count}&`),
    end: async () => (await read<{ readonly end: number }>('end?')).end,
  })
  t.after(() => steps.close())
  await steps.open(undefined)
  return steps
}

function shownAt(steps: Steps, sequence: number): Promise<void> {
  return new Promise((resolve) => {
    steps.shown.subscribe((shown) => {
      if (shown?.sequence === sequence) resolve()
    })
  })
}
