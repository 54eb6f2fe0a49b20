/** Commands tried and sent through the studio, and worlds beside the real one. */
import assert from 'node:assert/strict'
import { request } from 'node:http'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, memory, personal } from '../../../src/index.ts'
import { filledStore, studioPlace, watching } from '../../../test/support/tools/studio-place.ts'
import type { CommandsView, Json, OutcomeView, WorldQuestion, WorldView } from './views.ts'

const ada = { aggregate: 'account', id: 'ada' }

const json = async <Body>(response: Response): Promise<Body> => {
  assert.equal(response.status, 200, await response.clone().text())
  return (await response.json()) as Body
}

/** A studio on the bank, and a function that asks it for a world. */
async function bankPlace(t: Parameters<typeof studioPlace>[0], isWritable = false) {
  const writes: string[] = []
  const place = await studioPlace(t, { store: watching(await filledStore(), writes) }, { isWritable })
  const world = async (question: Partial<WorldQuestion>) =>
    json<WorldView>(await place.post('/api/world', { ...ada, sequence: 5, ...question }))
  return { ...place, writes, world }
}

const withdraw = (amount: number) => ({ name: 'withdraw', data: { amount } })

describe('A command that is tried', () => {
  test('shows its events, its rejection or what is wrong with it, and the state, at any version', async (t) => {
    const { world, writes } = await bankPlace(t)
    const now = await world({ commands: [withdraw(1), withdraw(500), withdraw(-1), { name: 'nothing', data: {} }] })
    assert.deepEqual(now.before, { status: 'open', balance: 1 })
    const [accepted, rejected, invalid, unknown] = now.outcomes as [OutcomeView, OutcomeView, OutcomeView, OutcomeView]
    assert.deepEqual(accepted, {
      events: [{ type: 'MoneyWithdrawn', data: { amount: 1 } }],
      sequence: 6,
      state: { status: 'open', balance: 0 },
      changes: [{ path: ['balance'], before: 1, after: 0 }],
      more: 0,
    })
    const details = { balance: 0, requested: 500 }
    assert.deepEqual([rejected.rejection, rejected.sequence], [{ code: 'InsufficientFunds', details }, 6])
    assert.deepEqual([invalid.failure?.code, invalid.rejection], ['COMMAND_INVALID', undefined])
    assert.equal(unknown.failure?.code, 'COMMAND_UNKNOWN')
    // At version 2 there is no money yet, at version 0 no account.
    assert.equal(
      (await world({ sequence: 2, commands: [withdraw(3)] })).outcomes[0]!.rejection?.code,
      'InsufficientFunds',
    )
    assert.equal((await world({ sequence: 0, commands: [withdraw(3)] })).outcomes[0]!.rejection?.code, 'NotOpen')
    assert.deepEqual((await world({ sequence: 999 })).before, { status: 'open', balance: 1 })
    assert.deepEqual(writes, [])
  })

  test('has a form from its schema', async (t) => {
    const { ask } = await bankPlace(t)
    const { commands } = await json<CommandsView>(await ask('/api/commands?aggregate=account'))
    assert.deepEqual(
      commands.map(({ name }) => name),
      ['open', 'deposit', 'withdraw'],
    )
    const { properties } = commands[1]!.schema as { readonly properties: Json }
    assert.deepEqual(properties, { amount: { type: 'integer', exclusiveMinimum: 0, maximum: Number.MAX_SAFE_INTEGER } })
    assert.deepEqual(await json(await ask('/api/commands?aggregate=nobody')), { commands: [] })
  })
})

describe('Another world', () => {
  test('has edited events and lacks others, and is compared with the real one', async (t) => {
    const { world, writes } = await bankPlace(t)
    const edits = [{ sequence: 2, data: { amount: 40 } }, { sequence: 4 }]
    const { before, real, other, differsFrom, changes } = await world({ edits, commands: [withdraw(2)] })
    // Really 1 + 2 + 3 - 5; there 40 + 2 - 5.
    assert.deepEqual(before, { status: 'open', balance: 37 })
    assert.deepEqual(
      [real.state, other.state],
      [
        { status: 'open', balance: 1 },
        { status: 'open', balance: 35 },
      ],
    )
    assert.deepEqual(changes, [{ path: ['balance'], before: 1, after: 35 }])
    assert.equal(differsFrom, 2)
    const listed = ({ events }: WorldView['real']) => events.map(({ sequence, data }) => [sequence, data])
    assert.deepEqual(
      listed(real),
      [2, 3, 4, 5].map((n) => [n, { amount: n === 5 ? 5 : n - 1 }]),
    )
    const amounts = [40, 2, 5, 2]
    assert.deepEqual(
      listed(other),
      amounts.map((amount, i) => [i + 2, { amount }]),
    )
    assert.deepEqual([real.end, other.end], [5, 5])
    assert.deepEqual(writes, [])
  })

  test('in which an event cannot be read or applied says so', async (t) => {
    const { world } = await bankPlace(t)
    const { other, outcomes, before } = await world({
      edits: [{ sequence: 3, data: { amount: 'much' } }],
      commands: [withdraw(1)],
    })
    assert.match(other.failure!, /MoneyDeposited/)
    assert.equal(before, undefined)
    assert.equal(outcomes[0]!.failure?.code, 'AGGREGATE_LOAD_FAILED')
  })

  test('shows no personal values, and keeps them where events are edited', async (t) => {
    const data = z.object({ person: z.string(), email: z.email(), level: z.number() })
    const fields = { subject: ({ person }: { readonly person: string }) => person, fields: ['email'] } as const
    const Joined = event('Joined', data).personal(fields)
    const seen: string[] = []
    const Member = aggregate('member', () => ({ level: 0, email: null as unknown }))
      .on(Joined, (_, { email, level }) => ({ email, level }))
      .command('join', personal(data, fields), (_, joined) => Joined(joined))
      .command('mail', z.object({}), ({ email }) => {
        seen.push(String((email as { readonly value: unknown }).value))
        return undefined
      })
    const Members = domain({ aggregates: { member: Member } })
    const store = memory()
    {
      await using members = await Members.start({ store })
      await members.member('m1').join({ person: 'ada', email: 'ada@example.org', level: 1 })
    }
    const { post, ask } = await studioPlace(t, { store, domain: Members })
    const edited = { person: 'ada', email: '[personal]', level: 5 }
    const join = { name: 'join', data: { person: 'bob', email: 'bob@example.org', level: 2 } }
    const question = { aggregate: 'member', id: 'm1', sequence: 1, edits: [{ sequence: 1, data: edited }] }
    const response = await post('/api/world', { ...question, commands: [{ name: 'mail', data: {} }, join] })
    const text = await response.text()
    assert.ok(text.includes('[personal]') && !text.includes('@example.org'), text)
    assert.deepEqual((JSON.parse(text) as WorldView).before, { level: 5, email: '[personal]' })
    assert.deepEqual(seen, ['ada@example.org'])
    const { commands } = await json<CommandsView>(await ask('/api/commands?aggregate=member'))
    const { properties } = commands[0]!.schema as { readonly properties: Readonly<Record<string, Json>> }
    assert.equal((properties['email'] as { readonly 'x-personal'?: boolean })['x-personal'], true)
    assert.ok(!JSON.stringify(properties['person']).includes('x-personal'))
  })
})

describe('A command that is sent', () => {
  const deposit = { ...ada, name: 'deposit', data: { amount: 9 }, commandId: 'from the studio', expectedSequence: 5 }

  test('is refused unless the studio was started to write, whatever the page asks', async (t) => {
    const { post, writes } = await bankPlace(t)
    const refused = await post('/api/send', deposit)
    const { error } = (await refused.json()) as { readonly error: { readonly code: string } }
    assert.deepEqual([refused.status, error.code, writes], [403, 'WRITE_REFUSED', []])
  })

  test('goes through the domain once, and only if the stream ends where it was seen to end', async (t) => {
    const { post, ask, writes } = await bankPlace(t, true)
    for (let time = 1; time <= 2; time++) {
      const sent = await json<OutcomeView>(await post('/api/send', deposit))
      assert.deepEqual([sent.sequence, sent.state], [6, { status: 'open', balance: 10 }])
    }
    const late = await json<OutcomeView>(await post('/api/send', { ...deposit, commandId: 'another' }))
    assert.equal(late.failure?.code, 'SEQUENCE_UNEXPECTED')
    const refused = { ...deposit, ...withdraw(99), commandId: 'third', expectedSequence: 6 }
    assert.equal((await json<OutcomeView>(await post('/api/send', refused))).rejection?.code, 'InsufficientFunds')
    const { steps } = await json<{ readonly steps: readonly { readonly event: { readonly metadata: Json } }[] }>(
      await ask('/api/steps?aggregate=account&id=ada&from=6'),
    )
    assert.deepEqual(
      steps.map((step) => step.event.metadata),
      [{ user: 'studio' }],
    )
    assert.ok(writes.includes('append'))
    const masked = { ...deposit, name: 'open', data: { owner: '[personal]' }, commandId: 'fourth', expectedSequence: 6 }
    assert.equal((await post('/api/send', masked)).status, 400, 'an address is no value')
  })

  test('comes from the page itself, as JSON of a bounded size', async (t) => {
    const { origin, token } = await bankPlace(t, true)
    const { host, port } = new URL(origin)
    const knock = (headers: Readonly<Record<string, string>>, body = JSON.stringify(deposit)) =>
      new Promise<number>((resolve, reject) => {
        const options = { method: 'POST', headers: { 'content-type': 'application/json', host, ...headers } }
        const asked = request(`${origin}/api/send`, options, (response) => resolve(response.resume().statusCode!))
        asked.on('error', reject).end(body)
      })
    const authorization = `Bearer ${token}`
    const own = { authorization, origin, 'sec-fetch-site': 'same-origin' }
    for (const [status, headers, body] of [
      [403, { ...own, origin: 'http://evil.example' }],
      [403, { ...own, origin: 'null' }],
      [403, { ...own, 'sec-fetch-site': 'cross-site' }],
      [403, { ...own, host: `evil.example:${port}` }],
      [401, { origin, 'sec-fetch-site': 'same-origin' }],
      [401, { ...own, authorization: `Bearer ${token}x` }],
      [401, { ...own, authorization: '', cookie: `token=${token}` }],
      [400, { ...own, 'content-type': 'text/plain' }],
      [400, { ...own, 'content-type': 'application/x-www-form-urlencoded' }],
      [400, own, '{'],
      [400, own, '[]'],
      [400, own, JSON.stringify({ ...deposit, expectedSequence: -1 })],
      [400, own, JSON.stringify({ ...deposit, commandId: '' })],
      [400, own, JSON.stringify({ ...deposit, data: { text: 'x'.repeat(1_000_000) } })],
      [200, own],
      [200, { authorization }],
    ] as const)
      assert.equal(await knock(headers as Readonly<Record<string, string>>, body), status, JSON.stringify(headers))
  })
})
