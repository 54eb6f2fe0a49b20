/** What a reaction has still to do, and why: from what is stored, and from what the leading process knows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import {
  aggregate,
  domain,
  event,
  reaction,
  type StartOptions,
  type Waiting,
  type WaitingOptions,
} from '../../src/index.ts'
import { recorder, until } from '../support/kernel/rig.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

const order = z.object({ job: z.string(), group: z.string().optional() })
const Ordered = event('Ordered', order)
const Worked = event('Worked', z.object({ job: z.string() }))
const Shop = aggregate('shop', () => 0)
  .on(Ordered)
  .on(Worked)
  .command('order', order, (_, data) => Ordered(data))
  .command('work', z.object({ job: z.string() }), (_, data) => {
    if (data.job === 'broken') throw new TypeError(`secret ${data.job}`)
    return Worked(data)
  })

/** What handlers wait for, by job. */
interface Gates {
  readonly open: Map<string, PromiseWithResolvers<void>>
  readonly sick: Set<string>
}

const gates = (): Gates => ({ open: new Map(), sick: new Set() })

const gateOf = ({ open }: Gates, job: string): PromiseWithResolvers<void> => {
  const gate = open.get(job) ?? Promise.withResolvers<void>()
  open.set(job, gate)
  return gate
}

type Policy = Parameters<ReturnType<typeof reactionWith>['onFailure']>[0]

/** Jobs that begin with `slow` wait for their gates, with a step before and one in between. */
const reactionWith = (held: Gates) =>
  reaction('jobs', { shop: Shop }, { concurrency: 4 }).on(Ordered, async ({ data, stream }, { step, schedule }) => {
    const { job } = data
    if (job.startsWith('slow')) {
      await step('before', async () => 'done')
      await step('waits', async () => gateOf(held, job).promise)
    }
    if (held.sick.has(job)) throw new RangeError(`secret ${job}`)
    if (job.startsWith('later')) {
      const command = { aggregate: 'shop', id: stream.id, name: 'work', data: { job: job.slice(6) } } as const
      schedule(command, { afterMs: job === 'later broken' ? 0 : 3_600_000 }, { key: `timer ${job}` })
    }
  })

const start = (held: Gates, policy: Policy, options: StartOptions) =>
  domain({ aggregates: { shop: Shop }, reactions: { jobs: reactionWith(held).onFailure(policy) } }).start({
    log: recorder(),
    ...options,
  })
type Shops = Awaited<ReturnType<typeof start>>

/** Why each waits, by position, with facts that do not depend on time. */
const shown = (waiting: readonly Waiting[]) =>
  waiting.map((one) => {
    const { position, stream, why } = one
    const facts = [
      ...('behind' in one ? [one.behind] : []),
      ...('error' in one ? [one.error] : []),
      ...('command' in one ? [one.command.name] : []),
      ...('stepsUnderWay' in one ? [...one.stepsUnderWay] : []),
      ...one.stepsDone.map((name) => `${name} done`),
    ]
    return [position, stream.id, why, ...facts].join(' ')
  })

const listed = async (shops: Shops, options: WaitingOptions = {}) => {
  const { waiting, leader, next } = await shops.reactions.waiting('jobs', options)
  assert.equal(next, undefined)
  return { leader, waiting: shown(waiting) }
}

/** Waits until the list is as expected. */
const becomes = async (shops: Shops, expected: readonly string[], options: WaitingOptions = {}) => {
  let last: readonly string[] = []
  const isSo = async () => {
    last = (await listed(shops, options)).waiting
    return isDeepStrictEqual(last, expected)
  }
  await until('the list is as expected', isSo).catch(() => assert.deepEqual(last, expected))
}

await onEveryStore('What a reaction has to do', (store) => {
  test('is nothing when everything is handled', async (t) => {
    await using shops = await start(gates(), {}, { store: await store.place(t) })
    await shops.shop('a').order({ job: 'quick' })
    await becomes(shops, [])
    const { leader } = await listed(shops)
    assert.equal(leader, 'this process')
  })

  test('shows handlers at work, their steps, and what queues behind them', async (t) => {
    const held = gates()
    await using shops = await start(held, {}, { store: await store.place(t) })
    await shops.shop('a').order({ job: 'slow 1' })
    await shops.shop('b').order({ job: 'quick' })
    await shops.shop('a').order({ job: 'quick' })
    await shops.shop('a').order({ job: 'quick' })
    const ofA = ['1 a running waits before done', '3 a queued 1', '4 a queued 3']
    await becomes(shops, ofA)
    await becomes(shops, ofA, { key: { aggregate: 'shop', id: 'a' } })
    await becomes(shops, ofA, { key: '["shop","a"]' })
    await becomes(shops, [], { key: { aggregate: 'shop', id: 'b' } })
    gateOf(held, 'slow 1').resolve()
    await becomes(shops, [])
  })

  test('shows what is tried again, with the code of the error and without its data', async (t) => {
    const held = gates()
    held.sick.add('sick')
    const policy = { retries: 5, pauseFirstMs: 3_600_000, pauseMaxMs: 3_600_000 }
    await using shops = await start(held, policy, { store: await store.place(t) })
    await shops.shop('a').order({ job: 'sick' })
    await shops.shop('a').order({ job: 'quick' })
    await becomes(shops, ['1 a retrying RangeError', '2 a queued 1'])
    const page = await shops.reactions.waiting('jobs')
    const [first] = page.waiting
    assert.ok(first?.why === 'retrying' && first.attempts === 1 && first.nextAt.getTime() > Date.now())
    assert.doesNotMatch(JSON.stringify(page), /secret|sick/)
  })

  test('shows where the reaction has stopped, and what comes then', async (t) => {
    const held = gates()
    held.sick.add('sick')
    await using shops = await start(held, { retries: 0 }, { store: await store.place(t) })
    await shops.shop('a').order({ job: 'sick' })
    await until('it fails', async () => (await shops.reactions.status('jobs')).state === 'failed')
    await shops.shop('b').order({ job: 'quick' })
    await becomes(shops, ['1 a failed RangeError', '2 b unhandled'])
  })

  test('shows parked events and commands, what is behind them, and scheduled commands', async (t) => {
    const held = gates()
    held.sick.add('sick')
    await using shops = await start(held, { retries: 0, giveUp: 'park' }, { store: await store.place(t) })
    const ofA = ['1 a parked RangeError', '2 a behind parked']
    await shops.shop('a').order({ job: 'sick' })
    await becomes(shops, ['1 a parked RangeError'])
    await shops.shop('a').order({ job: 'quick' })
    await becomes(shops, ofA)
    await shops.shop('b').order({ job: 'later broken' })
    await becomes(shops, [...ofA, '3 b parked DECIDE_FAILED work'])
    await shops.shop('b').order({ job: 'later fine' })
    const ofB = ['3 b parked DECIDE_FAILED work', '4 b scheduled work']
    await becomes(shops, [...ofA, ...ofB])
    await becomes(shops, ofB, { key: { aggregate: 'shop', id: 'b' } })
    await becomes(shops, ofB, { key: '["shop","b"]' })
    const page = await shops.reactions.waiting('jobs')
    assert.doesNotMatch(JSON.stringify(page), /secret|fine"\}|"data"/)
    const scheduled = page.waiting.at(-1)
    assert.ok(scheduled?.why === 'scheduled' && scheduled.timerKey === 'timer later fine' && scheduled.attempts === 0)
    assert.ok(scheduled.dueAt.getTime() > Date.now())
  })

  test('is read in pages of any size, each item once', async (t) => {
    const held = gates()
    held.sick.add('sick')
    await using shops = await start(held, { retries: 0, giveUp: 'park' }, { store: await store.place(t) })
    for (let n = 1; n <= 3; n++) await shops.shop('a').order({ job: 'sick' })
    for (let n = 1; n <= 4; n++) await shops.shop('b').order({ job: 'later fine' })
    for (let n = 1; n <= 3; n++) await shops.shop('c').order({ job: 'slow 1' })
    // A timer is stored when all events before it are handled, and the key has one.
    const all = [
      ...['1 a parked RangeError', '2 a behind parked', '3 a behind parked'],
      ...['8 c running waits before done', '9 c queued 8', '10 c queued 9', '7 b scheduled work'],
    ]
    await becomes(shops, all)
    const inPages = async (limit: number) => {
      const seen: Waiting[] = []
      for (let after: string | undefined; ; ) {
        const page = await shops.reactions.waiting('jobs', { limit, ...(after !== undefined && { after }) })
        assert.ok(page.waiting.length <= limit)
        seen.push(...page.waiting)
        if (page.next === undefined) return shown(seen)
        after = page.next
      }
    }
    // A process that loses its lease for a moment reads the events again, and pages show that.
    for (const limit of [1, 2, 3, 50]) {
      await until(`pages of ${limit} have all`, async () => isDeepStrictEqual(await inPages(limit), all))
    }
    gateOf(held, 'slow 1').resolve()
  })

  test('is listed by the key of a state', async (t) => {
    const Grouped = reaction('jobs', { shop: Shop })
      .state(
        () => 0,
        ({ data }) => (data as { readonly group: string }).group,
      )
      .on(Ordered, ({ data }) => {
        if (data.job === 'sick') throw new RangeError('secret')
      })
      .onFailure({ retries: 0, giveUp: 'park' })
    const Shops = domain({ aggregates: { shop: Shop }, reactions: { jobs: Grouped } })
    await using shops = await Shops.start({ store: await store.place(t), log: recorder() })
    await shops.shop('a').order({ job: 'sick', group: 'one' })
    await shops.shop('b').order({ job: 'quick', group: 'one' })
    await shops.shop('a').order({ job: 'sick', group: 'two' })
    await shops.shop('b').order({ job: 'quick', group: 'three' })
    const ofOne = ['1 a parked RangeError', '2 b behind parked']
    await becomes(shops as Shops, [...ofOne, '3 a parked RangeError'])
    // The checkpoint may come a moment after the rows, and pages show that.
    await becomes(shops as Shops, ofOne, { key: 'one' })
    const ofA = { key: { aggregate: 'shop', id: 'a' } }
    await becomes(shops as Shops, ['1 a parked RangeError', '3 a parked RangeError'], ofA)
  })

  if (store.severalWriters) {
    test('is known in part by a process that does not lead, and says who leads', async (t) => {
      const held = gates()
      const factory = await store.place(t)
      await using leading = await start(held, {}, { store: factory, leaseMs: 60_000 })
      await leading.shop('a').order({ job: 'slow 1' })
      await becomes(leading, ['1 a running waits before done'])
      await using other = await start(gates(), {}, { store: factory, leaseMs: 60_000 })
      await until('it stands by', async () => (await other.reactions.status('jobs')).state === 'standby')
      const { leader, waiting } = await listed(other)
      assert.ok(typeof leader === 'object' && leader.until.getTime() > Date.now())
      assert.deepEqual(waiting, ['1 a unhandled before done'])
      gateOf(held, 'slow 1').resolve()
      await becomes(other, [])
    })
  }

  test('is not listed by options that make no sense', async (t) => {
    await using shops = await start(gates(), {}, { store: await store.place(t), projections: 'manual' })
    const waiting = shops.reactions.waiting as (...args: unknown[]) => Promise<unknown>
    for (const options of [{ limit: 0 }, { limit: 201 }, { after: 7 }, { key: 7 }, { from: 1 }]) {
      await assert.rejects(waiting('jobs', options), { code: 'OPTION_INVALID' }, JSON.stringify(options))
    }
    await assert.rejects(waiting('jobs', { after: 'x' }), { code: 'CURSOR_INVALID' })
    await assert.rejects(waiting('jobs', { key: { aggregate: 'shop', id: '' } }), { code: 'ID_INVALID' })
    await assert.rejects(waiting('none'), { code: 'PROJECTION_UNKNOWN' })
  })
})
