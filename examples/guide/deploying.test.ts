/**
 * The code of docs/guide/deploying.md, run as tests; and what that page says of two versions of a program on one store.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, memory, projection, reaction, type StartOptions } from '../../src/index.ts'
import { manualEnvironment } from '../../src/testing/index.ts'

const Placed = event('OrderPlaced', z.object({ total: z.number() }))
const place = z.object({ total: z.number() })

/** The version that runs. */
const Order = aggregate('order', () => ({ total: 0, gifts: 0 }))
  .on(Placed, (order, { total }) => ({ ...order, total: order.total + total }))
  .command('place', place, (_, input) => Placed(input))
const Sums = projection('sums', () => ({ sum: 0 })).on(Placed, (row, { total }) => ({ sum: row.sum + total }))

// #region first
const GiftAdded = event('GiftAdded', z.object({ text: z.string() }))

// The first deployment declares the event and handles it. No command makes it yet.
const Prepared = Order.on(GiftAdded, (order) => ({ ...order, gifts: order.gifts + 1 }))
// #endregion

// #region second
// The second deployment adds the command, when no process runs the version before the first.
const Complete = Prepared.command('addGift', z.object({ text: z.string() }), (_, { text }) => GiftAdded({ text }))
// #endregion

// #region beside
// Another name: rows of its own, built from the whole log, beside those that the old program reads.
const SumsNow = projection('sums in cents', () => ({ cents: 0 })).on(Placed, (row, { total }) => ({
  cents: row.cents + total * 100,
}))
// #endregion

const warnings = () => {
  const codes: string[] = []
  return { codes, log: { warn: (_: string, facts?: unknown) => codes.push((facts as { code: string }).code) } }
}
const options = (store: StartOptions['store'], log: StartOptions['log'] = warnings().log) =>
  ({ store: store!, log: log!, projections: 'manual' }) as const
const codeOf = async (call: Promise<unknown>) =>
  call.then(
    () => 'ok',
    (error: { readonly code: string; readonly cause?: { readonly code?: string } }) =>
      error.cause?.code === undefined ? error.code : `${error.code} because of ${error.cause.code}`,
  )

/** A program with the projection `sums`, and perhaps a reaction. */
const program = (order: typeof Order, sums: typeof Sums = Sums) =>
  domain({ aggregates: { order }, projections: { sums } })
/** An aggregate with one more event, for a program that takes the one before. */
const asOrder = (order: unknown) => order as typeof Order

test('a new kind of event in two deployments disturbs nobody', async () => {
  const store = memory()
  await using first = await program(asOrder(Prepared)).start(options(store))
  await using second = await domain({ aggregates: { order: Complete }, projections: { sums: Sums } }).start(
    options(store),
  )
  await second.order('x').addGift({ text: 'a card' })
  assert.equal((await first.order('x').place({ total: 1 })).state.gifts, 1)
  assert.equal((await second.order('x').state()).total, 1)
})

test('a new kind of event in one deployment makes the old program refuse what holds it, and no more', async () => {
  const [store, { codes, log }] = [memory(), warnings()]
  await using old = await program(Order).start(options(store, log))
  await using recent = await domain({ aggregates: { order: Complete }, projections: { sums: Sums } }).start(
    options(store),
  )
  await old.order('x').place({ total: 1 })
  await recent.order('x').addGift({ text: 'a card' })
  const refused = old.order('x').place({ total: 2 })
  assert.equal(await codeOf(refused), 'AGGREGATE_LOAD_FAILED because of EVENT_UNDECLARED')
  await assert.rejects(refused, { retryable: false })
  assert.equal(await codeOf(old.order('y').place({ total: 3 })), 'ok')
  await old.projections.runOnce('sums')
  assert.deepEqual(await old.sums.get('x'), { sum: 1 })
  assert.deepEqual(codes, ['AGGREGATE_NOT_LOADED'])
})

test('a new revision of an event makes the old program refuse what holds it, and stand back', async () => {
  const store = memory()
  const Cents = Placed.revise(z.object({ cents: z.number() }), ({ total }) => ({ cents: total * 100 }))
  const NewOrder = aggregate('order', () => ({ cents: 0 }))
    .on(Cents, (order, { cents }) => ({ cents: order.cents + cents }))
    .command('place', z.object({ cents: z.number() }), (_, input) => Cents(input))
  await using old = await program(Order).start(options(store))
  await using recent = await domain({ aggregates: { order: NewOrder } }).start(options(store))
  await old.order('x').place({ total: 1 })
  assert.deepEqual((await recent.order('x').place({ cents: 50 })).state, { cents: 150 })
  const refused = old.order('x').place({ total: 2 })
  assert.equal(await codeOf(refused), 'AGGREGATE_LOAD_FAILED because of EVENT_NEWER')
  await assert.rejects(refused, { retryable: false })
  assert.equal(await codeOf(old.order('x').state()), 'EVENT_NEWER')
  assert.equal(
    await codeOf(old.order('x').history({ from: 2 })[Symbol.asyncIterator]().next()),
    'EVENT_UNREADABLE because of EVENT_NEWER',
  )
  assert.equal(
    await codeOf(old.events({ from: 2 })[Symbol.asyncIterator]().next()),
    'EVENT_UNREADABLE because of EVENT_NEWER',
  )
  assert.equal(await codeOf(old.order('y').place({ total: 3 })), 'ok')
  assert.equal(await codeOf(old.projections.runOnce('sums')), 'EVENT_NEWER')
  assert.deepEqual(await old.sums.get('x'), { sum: 1 })
})

test('a projection under a new name leaves the old rows to the old program, also when it comes back', async () => {
  const store = memory()
  const old = await program(Order).start(options(store))
  await old.order('x').place({ total: 1 })
  await old.projections.runOnce('sums')
  // #region beside-domain
  const Shop = domain({ aggregates: { order: Complete }, projections: { sums: SumsNow } })
  // #endregion
  await using recent = await Shop.start(options(store))
  await recent.projections.runOnce('sums')
  assert.deepEqual(await recent.sums.get('x'), { cents: 100 })
  assert.deepEqual(await old.sums.get('x'), { sum: 1 })
  await old.stop()
  await recent.order('x').place({ total: 2 })
  await using back = await program(Order).start(options(store))
  await back.projections.runOnce('sums')
  assert.deepEqual(await back.sums.get('x'), { sum: 3 })
})

test('a higher revision of rows shuts the old program out, until it has one above the newest', async () => {
  const store = memory()
  await using old = await program(Order).start(options(store))
  await old.order('x').place({ total: 1 })
  await old.projections.runOnce('sums')
  await using recent = await program(Order, Sums.revision(2)).start(options(store))
  await recent.projections.runOnce('sums')
  assert.deepEqual(await codeOf(old.projections.runOnce('sums')), 'PROJECTION_OUTDATED')
  assert.equal(await codeOf(old.sums.get('x')), 'PROJECTION_OUTDATED')
  // #region back
  const SumsAgain = Sums.revision(3) // the old functions, above the revision 2 that is rolled back
  // #endregion
  await using back = await program(Order, SumsAgain).start(options(store))
  await back.projections.runOnce('sums')
  assert.deepEqual(await back.sums.get('x'), { sum: 1 })
})

test('other functions under one revision are told of; other events are refused, to whoever comes second', async () => {
  const [store, { codes, log }] = [memory(), warnings()]
  const Twice = projection('sums', () => ({ sum: 0 })).on(Placed, (row, { total }) => ({ sum: row.sum + 2 * total }))
  const WithGifts = Sums.on(GiftAdded, (row) => row)
  await using old = await program(asOrder(Complete)).start(options(store))
  await old.order('x').place({ total: 1 })
  await old.projections.runOnce('sums')
  await old.projections.stop('sums')
  await using twice = await program(asOrder(Complete), Twice).start(options(store, log))
  await twice.order('x').place({ total: 1 })
  await twice.projections.runOnce('sums')
  assert.deepEqual(await twice.sums.get('x'), { sum: 3 })
  assert.deepEqual(codes, ['PROJECTION_DIFFERS'])
  // No gift has happened yet, so a program that handles gifts may go on; the one before may not, from then on.
  await using gifts = await program(asOrder(Complete), WithGifts as never).start(options(store))
  await gifts.projections.runOnce('sums')
  assert.equal(await codeOf(twice.projections.runOnce('sums')), 'PROJECTION_CHANGED')
  assert.equal(await codeOf(twice.sums.get('x')), 'PROJECTION_CHANGED')
})

test('a reaction handles a new kind from when a new program runs it; the old one gets it back by reset', async () => {
  const store = memory()
  const seen: string[] = []
  const aggregates = { order: Complete }
  const Telling = reaction('telling', aggregates).on(Placed, async ({ type }) => void seen.push(type))
  const programOf = (telling: typeof Telling) => domain({ aggregates, reactions: { telling } })
  await using old = await programOf(Telling).start(options(store))
  await old.order('x').addGift({ text: 'before' })
  await old.reactions.runOnce('telling')
  await using recent = await programOf(Telling.on(GiftAdded, async ({ data: { text } }) => void seen.push(text))).start(
    options(store),
  )
  await recent.order('x').addGift({ text: 'after' })
  await recent.reactions.runOnce('telling')
  assert.deepEqual(seen, ['after'])
  assert.equal(await codeOf(old.reactions.runOnce('telling')), 'PROJECTION_CHANGED')
  const { position } = await old.order('x').place({ total: 1 })
  // #region reset
  await old.reactions.reset('telling', { from: position, keep: true })
  // #endregion
  await old.reactions.runOnce('telling')
  assert.deepEqual(seen, ['after', 'OrderPlaced'])
})

test('a command that is sent again counts as the same where name and data are the same, as the caller sent them', async () => {
  const store = memory()
  const programOf = (order: unknown) => domain({ aggregates: { order: asOrder(order) } })
  const shaped = (schema: object, name = 'place') =>
    aggregate('order', () => ({ total: 0, gifts: 0 }))
      .on(Placed, (order, { total }) => ({ ...order, total: order.total + total }))
      .command(name, schema as typeof place, (_, { total }) => Placed({ total: total + 100 }))
  await using old = await programOf(Order).start(options(store))
  await using recent = await programOf(shaped(place.extend({ note: z.string().default('') }))).start(options(store))
  await using renamed = await programOf(shaped(place, 'order')).start(options(store))
  await using narrowed = await programOf(shaped(z.object({ euros: z.number() }))).start(options(store))
  const send = (running: typeof old, command: object) =>
    running.dispatch({ aggregate: 'order', id: 'x', name: 'place', commandId: 'c-1', ...command } as never)
  await send(old, { data: { total: 1 } })
  assert.deepEqual((await send(recent, { data: { total: 1 } })) as unknown, await send(old, { data: { total: 1 } }))
  assert.equal((await recent.order('x').state()).total, 1)
  assert.equal(await codeOf(send(recent, { data: { total: 1, note: '' } })), 'COMMAND_ID_REUSED')
  assert.equal(await codeOf(send(renamed, { name: 'order', data: { total: 1 } })), 'COMMAND_ID_REUSED')
  assert.equal(await codeOf(send(renamed, { data: { total: 1 } })), 'COMMAND_UNKNOWN')
  assert.equal(await codeOf(send(narrowed, { data: { total: 1 } })), 'COMMAND_INVALID')
})

test('a scheduled command is sent by the program that runs when it is due, through its schema', async () => {
  const environment = manualEnvironment()
  const store = memory()
  const programOf = (name: string) => {
    const Shop = Order.command(name as 'remind', z.object({ total: z.number() }), (_, input) => Placed(input))
    const Reminding = reaction('reminding', { order: Shop })
      .on(Placed, ({ stream: { id }, data: { total } }, { schedule }) => {
        const command = { aggregate: 'order', id, name: name as 'remind', data: { total: 0 } } as const
        if (total === 1) schedule(command, { afterMs: 1000 })
      })
      .onFailure({ retries: 0 })
    return domain({ aggregates: { order: Shop }, reactions: { reminding: Reminding } })
  }
  const start = (name: string) => programOf(name).start({ ...options(store), environment })
  await using old = await start('remind')
  await old.order('x').place({ total: 1 })
  await old.reactions.runOnce('reminding')
  await environment.advance(1000)
  await using renamed = await start('nudge')
  assert.equal(await codeOf(renamed.reactions.runOnce('reminding')), 'COMMAND_UNKNOWN')
  assert.equal(await codeOf(renamed.reactions.runOnce('reminding')), 'PROJECTION_FAILED because of COMMAND_UNKNOWN')
  assert.equal((await old.order('x').history({ from: 2 })[Symbol.asyncIterator]().next()).done, true)
  await using back = await start('remind')
  await back.reactions.runOnce('reminding')
  assert.equal((await back.order('x').history({ from: 2 })[Symbol.asyncIterator]().next()).done, false)
})

test('a snapshot of another version is not used, and its events are replayed', async () => {
  const [store, { codes, log }] = [memory(), warnings()]
  const Other = aggregate('order', () => ({ total: 0, gifts: 0 }))
    .on(Placed, (order, { total }) => ({ ...order, total: order.total + 10 * total }))
    .command('place', place, (_, input) => Placed(input))
  await using old = await program(Order).start({ ...options(store), snapshotEvery: 1 })
  await old.order('x').place({ total: 1 })
  await old.stop()
  await using recent = await program(Other).start({ ...options(store, log), snapshotEvery: 1 })
  assert.deepEqual((await recent.order('x').state()).total, 10)
  assert.deepEqual(codes, ['SNAPSHOT_IGNORED'])
  await using raised = await program(Other).start({ ...options(store), stateRevision: 2 })
  assert.deepEqual((await raised.order('x').state()).total, 10)
})

test('a program that is told to end stops, and gives back what it runs', async () => {
  const store = memory()
  const before = process.listeners('SIGTERM')
  const bank = await program(Order).start({ store, log: warnings().log })
  // #region stop
  process.once('SIGTERM', () => void bank.stop())
  // #endregion
  const [added] = process.listeners('SIGTERM').filter((listener) => !before.includes(listener))
  process.off('SIGTERM', added!)
  added!('SIGTERM')
  await bank.stop()
  await using other = await program(Order).start(options(store))
  await other.projections.runOnce('sums')
  assert.equal(await codeOf(bank.order('x').place({ total: 1 })), 'STOPPED')
})
