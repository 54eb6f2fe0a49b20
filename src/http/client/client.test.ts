/** The typed client, on a service: as a handle, over a line that fails, and in a browser. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { Bank } from '../../../examples/bank/bank.ts'
import { allOf } from '../../../test/support/kernel/rig.ts'
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
  // Its caller repeats a command whose answer was lost, with the id that the error has.
  let isLost = true
  const impatient = client<typeof Bank>('http://bank.example', {
    triesMax: 1,
    async fetch(url, init) {
      const response = await handle(new Request(url, init))
      if (isLost) throw new TypeError('terminated')
      return response
    },
  })
  const lost: unknown = await impatient
    .account('ada')
    .deposit({ amount: 1 })
    .catch((error) => error)
  assert.ok(lost instanceof ProblemError)
  isLost = false
  const repeated = await impatient.account('ada').deposit({ amount: 1 }, { commandId: lost.commandId! })
  assert.deepEqual([repeated.sequence, (await bank.account('ada').read()).sequence], [5, 5])
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

test('a broken answer to a command is a problem with its id', async () => {
  const marked = { 'Content-Type': 'application/vnd.mneme+json' }
  for (const text of ['{"state":', 'null', '5', '{}', '{"$date":1}', '{"sequence":"1"}']) {
    const odd = client<typeof Bank>('http://bank.example', {
      fetch: async () => new Response(text, { headers: marked }),
    })
    await assert.rejects(odd.account('ada').deposit({ amount: 1 }, { commandId: 'c-1' }), (error) => {
      assert.ok(error instanceof ProblemError, text)
      assert.deepEqual([error.code, error.commandId], ['ANSWER_UNKNOWN', 'c-1'])
      return true
    })
  }
  for (const text of ['{"events":', 'null', '{}', '{"rows":5}', '{"events":{}}', '{"ids":5}', '{"count":"1"}']) {
    const odd = client<typeof Bank>('http://bank.example', {
      fetch: async () => new Response(text, { headers: marked }),
    })
    const unknown = { code: 'ANSWER_UNKNOWN' }
    await assert.rejects(odd.account('ada').history().next(), unknown, text)
    await assert.rejects(odd.account('ada').read(), unknown, text)
    await assert.rejects(odd.balances.find(), unknown, text)
    await assert.rejects(odd.balances.count(), unknown, text)
    await assert.rejects(odd.account.ids(), unknown, text)
  }
})

test('a history whose pages are empty ends', async () => {
  const headers = { 'Content-Type': 'application/vnd.mneme+json' }
  const fetch = async () => new Response('{"events":[],"next":{"from":1}}', { headers })
  const odd = client<typeof Bank>('http://bank.example', { fetch })
  assert.deepEqual(await Array.fromAsync(odd.account('ada').history()), [])
})

test('an answer that is no stream of events ends the following', async () => {
  const sse = { 'Content-Type': 'text/event-stream' }
  for (const response of [() => new Response('<html>'), () => Response.json({})]) {
    const odd = client<typeof Bank>('http://bank.example', { fetch: async () => response() })
    await assert.rejects(odd.events().next(), { code: 'ANSWER_UNKNOWN' })
  }
  for (const text of [
    'id: 1\ndata: {"position":\n\n',
    'event: problem\ndata: <html>\n\n',
    'event: problem\ndata: 5\n\n',
  ]) {
    const fetch = async () => new Response(text, { headers: sse })
    await assert.rejects(client<typeof Bank>('http://bank.example', { fetch }).events().next(), {
      code: 'ANSWER_UNKNOWN',
    })
  }
})

test('what happens while the line is cut is not missed, also if it was cut before the first event', async () => {
  await using bank = await Bank.start()
  await bank.account('ada').open({ owner: 'Ada' })
  const handle = http(bank)
  let requests = 0
  const remote = client<typeof Bank>('http://bank.example', {
    async fetch(url, init) {
      const response = await handle(new Request(url, init))
      if (requests++ > 0) return response
      // The first message comes through, and then the line breaks.
      const reader = response.body!.getReader()
      const { value } = await reader.read()
      await reader.cancel()
      await bank.account('ada').deposit({ amount: 7 })
      return new Response(value!, response)
    },
  })
  const { value } = await remote.events({ from: 'now' }).next()
  assert.deepEqual([value?.type, value?.data], ['MoneyDeposited', { amount: 7 }])
})

test('a line that has become silent is opened again, whether it has answered or not', async () => {
  await using bank = await Bank.start()
  await bank.account('ada').open({ owner: 'Ada' })
  const handle = http(bank)
  const silent = [
    () => new Promise<never>(() => {}),
    // The beginning comes through, and then nothing, also not that the line has broken.
    async () => new Response(new ReadableStream(), { headers: { 'Content-Type': 'text/event-stream' } }),
  ]
  const remote = client<typeof Bank>('http://bank.example', {
    silentMs: 200,
    fetch: async (url, init) => silent.shift()?.() ?? handle(new Request(url, init)),
  })
  const { value } = await remote.events().next()
  assert.deepEqual([value?.type, silent.length], ['AccountOpened', 0])
})

test('an error of the program that gives the headers is told to it', async () => {
  const headers = () => {
    throw new RangeError('no token')
  }
  const remote = client<typeof Bank>('http://bank.example', { headers, fetch: async () => Response.json({}) })
  await assert.rejects(remote.events().next(), RangeError)
  await assert.rejects(remote.account('ada').state(), RangeError)
  await assert.rejects(remote.account('ada').open({ owner: 'Ada' }), RangeError)
})

test('what cannot be is refused at once', () => {
  for (const number of [0, Number.NaN, 1.5, '3' as never]) {
    assert.throws(() => client<typeof Bank>('http://bank.example', { triesMax: number }), TypeError)
    assert.throws(() => client<typeof Bank>('http://bank.example', { silentMs: number }), TypeError)
  }
  for (const url of ['localhost:8080', '/api', 'bank.example', '', 'ftp://bank.example']) {
    assert.throws(() => client<typeof Bank>(url), /must be one such as https/)
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
  const write = async () => {
    for (let i = 0; i < 20; i++) await bank.account('ada').deposit({ amount: 1 })
  }
  const follow = async () => {
    for await (const { position, data } of remote.events({ types: ['MoneyDeposited'], signal: stop.signal })) {
      seen.push(position)
      assert.equal(data.amount, 1)
      if (seen.length === 20) break
    }
  }
  await allOf([write(), follow()])
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

test('events that were handled are behind the one that a program keeps, and a log that was replaced is noticed', async () => {
  await using bank = await Bank.start()
  const remote = connected(bank)
  await bank.account('ada').open({ owner: 'Ada' })
  for (const amount of [1, 2]) await bank.account('ada').deposit({ amount })
  const one = async <Event>(events: AsyncIterable<Event>): Promise<Event> => {
    for await (const event of events) return event
    throw new Error('There is none')
  }
  const first = await one(remote.events())
  const own = await one(remote.account('ada').events({ from: 2 }))
  // As JSON it can be kept until the program runs again.
  const { position, checksum } = JSON.parse(JSON.stringify(first))
  assert.equal((await one(remote.events({ after: { position, checksum } }))).position, 2)
  assert.equal((await one(remote.account('ada').events({ after: own }))).sequence, 3)
  const other = { ...first, checksum: checksum + 1 }
  const replaced = { code: 'LOG_REPLACED', status: 410 }
  await assert.rejects(remote.events({ after: other }).next(), replaced)
  await assert.rejects(remote.account('ada').events({ after: other }).next(), replaced)
  assert.throws(() => remote.events({ from: 1, after: first }), TypeError)
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
