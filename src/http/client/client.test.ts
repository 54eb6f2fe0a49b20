/** The typed client, on a service: as a handle, over a line that fails, and in a browser. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { Bank } from '../../../examples/bank/bank.ts'
import { sized } from '../../../test/support/size.ts'
import { aggregate, CommandRejected, domain, event, type Personal, personal, projection, reject } from '../../index.ts'
import { http } from '../index.ts'
import type { HttpOptions } from '../options.ts'
import { type ClientOptions, client, ProblemError } from './index.ts'

type RunningBank = Awaited<ReturnType<typeof Bank.start>>

/** A client whose requests go to a service in this process. */
function connected(bank: RunningBank, options: HttpOptions<RunningBank> = {}, more: ClientOptions = {}) {
  const handle = http(bank, options)
  return client<typeof Bank>('http://bank.example/', { fetch: (url, init) => handle(new Request(url, init)), ...more })
}

test('commands, states and rows are as those of a handle', async () => {
  await using bank = await Bank.start()
  const remote = connected(bank)
  const ada = remote.account('ada')
  await ada.open({ owner: 'Ada' })
  const outcome = await ada.deposit({ amount: 100 })
  assert.deepEqual(outcome, { accepted: true, ...(await bank.account('ada').read()), events: outcome.events })
  assert.deepEqual(outcome.events[0]!.recordedAt, (await Array.fromAsync(bank.account('ada').history()))[1]!.recordedAt)
  const refused = await ada.try.withdraw({ amount: 500 })
  assert.ok(!refused.accepted && refused.rejection.code === 'InsufficientFunds')
  assert.equal(refused.rejection.details.balance, 100)
  await assert.rejects(ada.withdraw({ amount: 500 }), (error) => {
    assert.ok(error instanceof CommandRejected)
    assert.deepEqual([error.code, error.stream.id], ['InsufficientFunds', 'ada'])
    return true
  })
  assert.equal((await ada.state()).balance, 100)
  assert.equal((await ada.state({ sequence: 1 })).balance, 0)
  assert.equal((await ada.read({ time: new Date('2020-01-01') })).sequence, 0)
  const row = await remote.balances.get('ada', { atLeast: outcome.position })
  assert.deepEqual(row, await bank.balances.get('ada'))
  assert.ok(row?.lastMovement instanceof Date)
  assert.equal(await remote.balances.get('nobody'), undefined)
  const { rows, next } = await remote.balances.find({
    where: { lastMovement: { gte: new Date('2020-01-01') }, owner: 'Ada' },
    orderBy: [['balance', 'descending']],
  })
  assert.deepEqual([rows.map(({ key }) => key), next], [['ada'], undefined])
  assert.equal(await remote.balances.count({ where: { lastMovement: { gte: new Date('2020-01-01') } } }), 1)
  assert.deepEqual(await remote.account.ids(), { ids: ['ada'] })
})

test('a command expects a sequence and has one effect', async () => {
  await using bank = await Bank.start()
  const ada = connected(bank).account('ada')
  for (let i = 0; i < 2; i++) await ada.open({ owner: 'Ada' }, { commandId: 'a "quoted" \\ id', expectedSequence: 0 })
  const late = ada.deposit({ amount: 1 }, { expectedSequence: 0 })
  await assert.rejects(late, (error) => {
    assert.ok(error instanceof ProblemError)
    assert.deepEqual([error.code, error.status, error.problem['sequence']], ['SEQUENCE_UNEXPECTED', 412, 1])
    return true
  })
  assert.equal((await bank.account('ada').read()).sequence, 1)
  await assert.rejects(ada.deposit({ amount: 1 }, { commandId: 'ü' }), TypeError)
})

test('a history is read in pages, both ways and with bounds', async () => {
  await using bank = await Bank.start()
  await bank.account('ada').open({ owner: 'Ada' })
  for (let i = 0; i < 249; i++) await bank.account('ada').deposit({ amount: 1 })
  const ada = connected(bank).account('ada')
  const local = bank.account('ada')
  for (const options of [
    {},
    { direction: 'backward' },
    { from: 240 },
    { to: 120, limit: 110 },
    { limit: 0 },
  ] as const) {
    assert.deepEqual(await Array.fromAsync(ada.history(options)), await Array.fromAsync(local.history(options)))
  }
})

test('a line that fails at any request loses and doubles nothing', async () => {
  await using bank = await Bank.start()
  const handle = http(bank)
  let requests = 0
  const failing: ClientOptions = {
    triesMax: 5,
    async fetch(url, init) {
      const fault = requests++ % 3
      if (fault === 0) throw new TypeError('fetch failed')
      const response = await handle(new Request(url, init))
      // The answer is lost after the command has had its effect.
      if (fault === 1) throw new TypeError('terminated')
      return response
    },
  }
  const ada = client<typeof Bank>('http://bank.example', failing).account('ada')
  await ada.open({ owner: 'Ada' })
  for (let i = 1; i <= 3; i++) assert.equal((await ada.deposit({ amount: 1 })).state.balance, i)
  assert.equal((await bank.account('ada').read()).sequence, 4)
  const away = client<typeof Bank>('http://bank.example', {
    triesMax: 1,
    fetch: () => Promise.reject(new TypeError('x')),
  })
  await assert.rejects(away.account('ada').deposit({ amount: 1 }), (error) => {
    assert.ok(error instanceof ProblemError && error.retryable && error.commandId !== undefined)
    return error.code === 'UNREACHABLE'
  })
})

test('an answer that is not of a service is refused', async () => {
  for (const response of [new Response('<html>'), Response.json({}), new Response('bad gateway', { status: 502 })]) {
    const odd = client<typeof Bank>('http://bank.example', { triesMax: 1, fetch: async () => response })
    await assert.rejects(odd.account('ada').state(), { code: 'ANSWER_UNKNOWN' })
  }
})

/** Lets some chunks of a body through, and then breaks the line. */
function cutShort(response: Response): Response {
  let chunks = 0
  const cutting = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      controller.enqueue(chunk)
      if (++chunks === 4) controller.error(new TypeError('terminated'))
    },
  })
  return new Response(response.body!.pipeThrough(cutting), response)
}

test('events are followed over a line that breaks again and again', async () => {
  await using bank = await Bank.start()
  const handle = http(bank)
  const remote = client<typeof Bank>('http://bank.example', {
    fetch: async (url, init) => cutShort(await handle(new Request(url, init))),
  })
  await bank.account('ada').open({ owner: 'Ada' })
  const stop = new AbortController()
  const seen: number[] = []
  const writing = (async () => {
    for (let i = 0; i < 20; i++) await bank.account('ada').deposit({ amount: 1 })
  })()
  for await (const { position, data } of remote.events({ types: ['MoneyDeposited'], signal: stop.signal })) {
    seen.push(position)
    assert.equal(data.amount, 1)
    if (seen.length === 20) break
  }
  await writing
  assert.deepEqual(
    seen,
    Array.from({ length: 20 }, (_, i) => i + 2),
  )
  const own = await remote.account('ada').events({ from: 21 }).next()
  assert.equal(own.value?.sequence, 21)
  stop.abort(new Error('enough'))
  await assert.rejects(remote.events({ signal: stop.signal }).next(), /enough/)
  const forbidden = connected(bank, { mayRead: () => false })
  await assert.rejects(forbidden.events().next(), { code: 'REQUEST_FORBIDDEN', status: 403 })
})

test('any id comes through', async () => {
  await using bank = await Bank.start()
  const remote = connected(bank)
  const id = fc.oneof(
    fc.constantFrom('.', '..', '~', '~.', '%2e', 'events', '__proto__'),
    fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter((text) => text.isWellFormed() && !text.includes('\0')),
  )
  await fc.assert(
    fc.asyncProperty(id, async (text) => {
      const outcome = await remote.account(text).try.open({ owner: text })
      const [first] = outcome.accepted ? outcome.events : []
      assert.equal(first?.stream.id ?? text, text)
      assert.equal((await remote.account(text).read()).sequence, 1)
    }),
    { numRuns: sized(200, 50) },
  )
})

test('values that JSON does not have, and personal ones, come as the types say', async () => {
  const schema = z.object({ email: z.email() })
  const whose = { subject: () => 'ada', fields: ['email'] } as const
  const Joined = event('Joined', schema).personal(whose)
  interface Member {
    readonly email: Personal<string> | undefined
    readonly seen: ReadonlyMap<string, Date>
    readonly points: bigint
  }
  const initial = (): Member => ({ email: undefined, seen: new Map(), points: 0n })
  const Club = domain({
    aggregates: {
      member: aggregate('member', initial)
        .on(Joined, (_, { email }, { recordedAt }) => ({ email, seen: new Map([['joined', recordedAt]]), points: 10n }))
        .command('join', personal(schema, whose), ({ points }, data) =>
          points > 0n ? reject('Joined', { points }) : Joined(data),
        ),
    },
    projections: {
      total: projection('total', () => ({ points: 0n }))
        .on(Joined, ({ points }) => ({ points: points + 10n }))
        .single(),
    },
  })
  await using club = await Club.start()
  const handle = http(club, { mayReveal: ({ request }) => request.headers.has('authorization') })
  const as = (headers: Record<string, string>) =>
    client<typeof Club>('http://club.example', {
      headers: () => headers,
      fetch: (url, init) => handle(new Request(url, init)),
    })
  const { state, position } = await as({}).member('1').join({ email: 'a@b.org' })
  assert.ok(state.seen.get('joined') instanceof Date)
  const email: string | undefined = state.email
  assert.deepEqual([email, state.points], ['[personal]', 10n])
  assert.equal((await as({ Authorization: 'x' }).member('1').state()).email, 'a@b.org')
  const again = await as({}).member('1').try.join({ email: 'a@b.org' })
  assert.ok(!again.accepted && again.rejection.details.points === 10n)
  assert.deepEqual(await as({}).total.state({ atLeast: position }), { points: 10n })
})

test('a client is no promise, and has types', async () => {
  await using bank = await Bank.start()
  const remote = connected(bank)
  assert.ok((await remote) === remote)
  const neverCalled = async () => {
    // @ts-expect-error there is no such aggregate
    await remote.customer('ada')
    // @ts-expect-error there is no such command
    await remote.account('ada').close()
    // @ts-expect-error an amount is a number
    await remote.account('ada').deposit({ amount: '1' })
    // @ts-expect-error metadata are the program's
    await remote.account('ada').deposit({ amount: 1 }, { metadata: {} })
    // @ts-expect-error there is no such field
    await remote.balances.find({ where: { name: 'Ada' } })
    // @ts-expect-error there is no such event
    remote.events({ types: ['Closed'] })
  }
  assert.ok(neverCalled)
})
