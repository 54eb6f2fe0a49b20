/**
 * The switch from catching up to live, raced by eight writers: subscribers with different filters join at different
 * moments, and each gets exactly the positions that its filter gives over the whole log. Within a process their poll is
 * far off, so a wake-up that is lost at the switch would leave them behind.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { z } from 'zod'
import {
  aggregate,
  domain,
  event,
  everything,
  type Store,
  type StoredEvent,
  type StoreFactory,
} from '../../src/index.ts'
import { Random } from '../../src/testing/random.ts'
import { within } from '../support/crash/deadline.ts'
import { prefill, type RaceData, RaceWriter, writerNames } from '../support/race/race.ts'
import { meets } from '../support/race/tail.ts'
import { withSeed } from '../support/seed.ts'
import { sized } from '../support/size.ts'
import { onEveryStore } from '../support/stores/every-store.ts'
import { until } from '../support/until.ts'

const timeoutMs = 1_000_000

/** How it is raced on a store. */
interface Course {
  /** As many as the store takes in some seconds. */
  readonly events: number
  readonly pollIntervalMs: number
  /** 5 if left out. */
  readonly eventsOfCommitMax?: number
  /** So often subscribers have to come to the end of the log while it grows, for the race to count. */
  readonly timesCaughtUpLeast: number
}

/** Hints within a process are never lost, so nobody has to look. */
const inProcess: Course = {
  events: sized(20_000, 8_000),
  pollIntervalMs: 10 * timeoutMs,
  timesCaughtUpLeast: sized(20, 4),
}
const onServers: Readonly<Record<string, Course>> = {
  postgres: { events: sized(20_000, 5_000), pollIntervalMs: 500, timesCaughtUpLeast: sized(20, 2) },
  nats: { events: sized(20_000, 5_000), pollIntervalMs: 500, timesCaughtUpLeast: sized(20, 2) },
  // What stands in for MongoDB here goes over every commit at every question, so there are fewer of them.
  mongodb: { events: 8_000, pollIntervalMs: 500, eventsOfCommitMax: 50, timesCaughtUpLeast: 15 },
}

/** How much of the log is there before the race. */
const prefilledPart = 0.7

const Counted = event('Counted', z.custom<RaceData>())
const Noted = event('Noted', z.custom<RaceData>())
const Race = domain({
  aggregates: {
    third: aggregate('third', () => ({}))
      .on(Counted)
      .on(Noted),
    other: aggregate('other', () => ({}))
      .on(Counted)
      .on(Noted),
  },
})

type Running = Awaited<ReturnType<typeof Race.start>>
type Options = NonNullable<Parameters<Running['events']>[0]>

/** How a subscriber subscribes. */
interface Subscriber {
  /** Where it begins: a part of the whole log, or the moment. */
  readonly fromPart: number | 'now'
  /** How much of the log is there when it joins. */
  readonly joinsAtPart: number
  readonly options: Options
}

const subscribers: readonly Subscriber[] = [
  { fromPart: 0, joinsAtPart: 0, options: {} },
  { fromPart: 0, joinsAtPart: 0.72, options: { types: ['Counted'], pageSize: 50 } },
  { fromPart: 0.13, joinsAtPart: 0.77, options: { aggregates: ['third'], pageSize: 7 } },
  { fromPart: 0, joinsAtPart: 0.82, options: { tags: ['writer 3'], pageSize: 300 } },
  { fromPart: 'now', joinsAtPart: 0.86, options: { pageSize: 100 } },
  {
    fromPart: 0.5,
    joinsAtPart: 0.9,
    options: { types: ['Noted'], aggregates: ['other'], tags: ['writer 5'], pageSize: 20 },
  },
]

/** What a subscriber got. */
interface Subscribed {
  readonly options: Options
  /** Where the end of the log was before it joined, and right after. */
  readonly before: number
  readonly after: Promise<number>
  readonly positions: readonly number[]
  readonly ended: Promise<void>
}

await onEveryStore('The switch to live', ({ name, place }) => {
  const title = `${subscribers.length} subscribers lose and double nothing while 8 writers race it`
  test(title, { timeout: timeoutMs + 10_000 }, async (context) => {
    const course = onServers[name] ?? inProcess
    const factory = await place(context)
    const caughtUp = await withSeed((random) =>
      within(timeoutMs, race(factory, course, random), () => 'a subscriber has not seen all of the log'),
    )
    context.diagnostic(`${course.events} events, ${caughtUp} times at the end of the log while it grew`)
  })
})

/** Returns how often subscribers were at the end of the log before it was complete. */
async function race(
  factory: StoreFactory,
  { events, pollIntervalMs, eventsOfCommitMax, timesCaughtUpLeast }: Course,
  random: Random,
): Promise<number> {
  let store: Store | undefined
  let caughtUp = 0
  let isOver = false
  const open: StoreFactory['open'] = async (options) => {
    store = await factory.open(options)
    return noting(store, () => {
      if (!isOver) caughtUp++
    })
  }
  const running = await Race.start({ store: { name: factory.name, open }, pollIntervalMs })
  try {
    const share = Math.round((events * (1 - prefilledPart)) / writerNames.length)
    await prefill(store!, events - share * writerNames.length, eventsOfCommitMax)
    const joined = joining(running, store!, events)
    const rest = () => (random.chance(0.2) ? setImmediate() : undefined)
    await Promise.all(
      writerNames.map((writer) =>
        new RaceWriter(store!, writer, share, new Random(random.int(0, 2 ** 31)), eventsOfCommitMax).run(rest),
      ),
    )
    isOver = true
    const log = await wholeLog(store!)
    assert.equal(log.length, events)
    assert.equal(joined.length, subscribers.length, 'all have joined while the log grew')
    const expected = await Promise.all(joined.map((each) => expectedOf(each, log)))
    await until(() => joined.every(({ positions }, i) => positions.length >= expected[i]!.length))
    await running.stop()
    for (const [i, { positions, options, ended }] of joined.entries()) {
      await ended
      checkSame(positions, expected[i]!, JSON.stringify(options))
    }
    assert.ok(caughtUp > timesCaughtUpLeast, `the switch was raced only ${caughtUp} times`)
    return caughtUp
  } finally {
    await running.stop()
  }
}

/** All events. A store may cut a page that would be too large. */
async function wholeLog(store: Store): Promise<readonly StoredEvent[]> {
  const log: StoredEvent[] = []
  for (let from = 1; ; ) {
    const { events, examined, isLast } = await store.readAll({ ...everything, from }, { limit: 10_000 })
    for (const event of events) log.push(event)
    if (isLast) return log
    from = examined + 1
  }
}

/** Counts the pages that end where the log does. */
function noting(store: Store, onCaughtUp: () => void): Store {
  const readAll = store.readAll.bind(store)
  store.readAll = async (range, options) => {
    const page = await readAll(range, options)
    if (page.events.length < (options?.limit ?? 0)) onCaughtUp()
    return page
  }
  return store
}

/** Lets subscribers join, each when the log is as long as it wants. They are in the list from then on. */
function joining(running: Running, store: Store, events: number): readonly Subscribed[] {
  const joined: Subscribed[] = []
  const unlisten = store.onAppend(async () => {
    const head = await store.head()
    for (const subscriber of subscribers.slice(joined.length)) {
      if (head < subscriber.joinsAtPart * events) return
      joined.push(join(running, store, subscriber, head, events))
    }
    unlisten()
  })
  return joined
}

function join(
  running: Running,
  store: Store,
  { fromPart, options }: Subscriber,
  before: number,
  events: number,
): Subscribed {
  const from = fromPart === 'now' ? fromPart : Math.round(fromPart * events) + 1
  const subscription = running.events({ ...options, from })
  const positions: number[] = []
  const read = async () => {
    for await (const { position } of subscription) positions.push(position)
  }
  const ended = read()
  // A server answers what is asked at once on two connections in any order; what is asked after an answer comes after
  // it.
  const after = store.head().then(() => store.head())
  return { options: { ...options, from }, before, after, positions, ended }
}

/**
 * What a subscriber must have got, in the order of the log. 'now' is somewhere from before it joined to right after.
 */
async function expectedOf(subscribed: Subscribed, log: readonly StoredEvent[]): Promise<readonly number[]> {
  const { options, before, positions } = subscribed
  const { from = 1 } = options
  const wanted = log.filter((event) => meets(options, event)).map(({ position }) => position)
  if (from !== 'now') return wanted.filter((position) => position >= from)
  await until(() => positions.length > 0)
  const [first, after] = [positions[0]!, await subscribed.after]
  assert.ok(first > before, `nothing from before it joined at ${before}, as ${first}`)
  assert.ok(
    first <= wanted.find((position) => position > after)!,
    `nothing is left out behind ${after} before ${first}`,
  )
  return wanted.filter((position) => position >= first)
}

function checkSame(found: readonly number[], expected: readonly number[], what: string): void {
  const different = expected.findIndex((position, i) => found[i] !== position)
  assert.equal(different, -1, `${what} gets ${expected[different]} where it got ${found[different]}`)
  assert.equal(found.length, expected.length, `${what} gets nothing more`)
}
