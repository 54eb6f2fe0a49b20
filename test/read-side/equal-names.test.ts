/**
 * Two aggregates have events with one name, as in real domains: each kind means the events of the aggregates that
 * declare it.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { aggregate, commit, domain, event, memory, projection, reaction } from '../../src/index.ts'
import type { StoreFactory } from '../../src/store/store.ts'
import { recorder } from '../support/kernel/rig.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

const UserCreated = event('Created', z.object({ name: z.string() }))
const FileCreated = event('Created', z.object({ bytes: z.number() }))
const Renamed = event('Renamed', z.object({ to: z.string() }))
const UserArchived = event('Archived', z.object({}))

const User = aggregate('user', () => ({ name: '', greetings: 0 }))
  .on(UserCreated, (state, { name }) => ({ ...state, name }))
  .on(Renamed, (state, { to }) => ({ ...state, name: to }))
  .on(UserArchived)
  .command('create', z.object({ name: z.string() }), (_, { name }) => UserCreated({ name }))
  .command('rename', z.object({ to: z.string() }), (_, { to }) => Renamed({ to }))
  .command('archive', z.object({}), () => UserArchived())
  .command('createFile', z.object({}), () => FileCreated({ bytes: 1 }) as never)
const Document = aggregate('file', () => ({ bytes: 0 }))
  .on(FileCreated, (_, { bytes }) => ({ bytes }))
  .on(Renamed)
  .command('create', z.object({ bytes: z.number() }), (_, { bytes }) => FileCreated({ bytes }))
  .command('rename', z.object({ to: z.string() }), (_, { to }) => Renamed({ to }))
const aggregates = { user: User, file: Document }

const Users = projection('users', () => ({ name: '', renamed: 0 }))
  .on(UserCreated, (row, { name }) => ({ ...row, name }))
  .on(UserArchived, () => undefined)
const Everything = projection('everything', () => ({ names: '', bytes: 0, renamed: 0 }))
  .on(UserCreated, (row, { name }) => ({ ...row, names: row.names + name }))
  .on(FileCreated, (row, { bytes }) => ({ ...row, bytes: row.bytes + bytes }))
  .on(Renamed, (row) => ({ ...row, renamed: row.renamed + 1 }))
  .single()

/** A log with events of both, and of an aggregate that no domain here declares. */
async function fill(store: StoreFactory): Promise<void> {
  const world = await domain({ aggregates }).start({ store })
  await world.user('a').create({ name: 'Ada' })
  await world.file('a').create({ bytes: 7 })
  await world.user('a').rename({ to: 'Bea' })
  await world.file('a').rename({ to: 'notes' })
  await world.stop()
  const opened = await store.open({ now: () => 0, warn: () => {} })
  const stream = { aggregate: 'order', id: 'a' }
  const events = [
    { type: 'Created', data: { items: [] } },
    { type: 'Archived', data: {} },
  ]
  await opened.append([commit({ stream, expected: 'none', id: 'foreign', recordedAt: 0, events })])
  await opened.close()
}

await onEveryStore('Events of one name in several aggregates', ({ place }) => {
  test('are distinguished in rows, also within one projection and when rows are rebuilt', async (t) => {
    const store = await place(t)
    await fill(store)
    const world = await domain({ aggregates, projections: { users: Users, everything: Everything } }).start({
      store,
      projections: 'manual',
      log: recorder(),
    })
    for (const build of [world.projections.runOnce, world.projections.rebuild]) {
      for (const name of ['users', 'everything'] as const) await build(name)
      assert.deepEqual((await world.users.find()).rows, [{ key: 'a', row: { name: 'Ada', renamed: 0 } }])
      assert.deepEqual(await world.everything.state(), { names: 'Ada', bytes: 7, renamed: 2 })
    }
    assert.equal((await world.projections.status('users')).lag.events, 0)
    await world.stop()
  })

  test('are distinguished for code and for reactions', async (t) => {
    const store = await place(t)
    await fill(store)
    const handled: unknown[] = []
    const Code = projection('code').handle([UserCreated, UserArchived], (events) => {
      for (const { type, stream, data } of events) handled.push([type, stream.aggregate, data])
    })
    const reacted: unknown[] = []
    const Greet = reaction('greet', aggregates)
      .on(UserCreated, ({ stream, data }) => void reacted.push([stream.aggregate, data.name]))
      .on(FileCreated, ({ stream, data }) => void reacted.push([stream.aggregate, data.bytes]))
    const world = await domain({ aggregates, projections: { code: Code }, reactions: { greet: Greet } }).start({
      store,
      projections: 'manual',
      log: recorder(),
    })
    await world.projections.runOnce('code')
    await world.reactions.runOnce('greet')
    assert.deepEqual(handled, [['Created', 'user', { name: 'Ada' }]])
    assert.deepEqual(reacted, [
      ['user', 'Ada'],
      ['file', 7],
    ])
    await world.stop()
  })
})

describe('A kind', () => {
  test('recognises its events in a history, a subscription and an outcome, even copied ones', async () => {
    const store = memory()
    await fill(store)
    await using world = await domain({ aggregates }).start({ store })
    const { events } = await world.user('b').create({ name: 'Eve' })
    assert.ok(UserCreated.is(events[0]!) && !FileCreated.is(events[0]!))
    const seen: string[] = []
    for await (const each of world.events({ types: ['Created', 'Archived'] })) {
      for (const copy of [each, { ...each }, JSON.parse(JSON.stringify(each)) as typeof each]) {
        if (UserCreated.is(copy)) seen.push(`user ${copy.position}`)
        if (FileCreated.is(copy)) seen.push(`file ${copy.position}`)
        if (UserArchived.is(copy)) seen.push(`archived ${copy.position}`)
      }
      if (each.position === 7) break
    }
    assert.deepEqual(
      seen,
      ['user 1', 'file 2', 'user 7'].flatMap((one) => [one, one, one]),
    )
    for await (const each of world.file('a').history()) assert.ok(!UserCreated.is(each))
  })

  test('recognises events that it has made, and those of its descendants', () => {
    assert.ok(UserCreated.is(UserCreated({ name: 'x' })) && !UserCreated.is(FileCreated({ bytes: 1 })))
    const next = UserCreated.revise(z.object({ first: z.string() }), ({ name }) => ({ first: name })).tagged(() => [])
    assert.ok(UserCreated.is(next({ first: 'x' })) && next.is(UserCreated({ name: 'x' })))
    assert.ok(UserCreated.is({ type: 'Created', data: { name: 'x' } }), 'by its type, where nothing else is known')
    assert.ok(!UserCreated.is(Renamed({ to: 'x' })))
  })

  test('of another aggregate does not match events of this one, even with the same type', async () => {
    await using world = await domain({ aggregates }).start()
    await assert.rejects(world.user('a').createFile(), {
      code: 'EVENT_UNDECLARED',
      message: /user has no \.on for the event "Created of another kind"/,
    })
    assert.throws(() => User.on(FileCreated), {
      code: 'DEFINITION_INVALID',
      message: /two kinds of the event Created/,
    })
    assert.throws(() => User.on(UserCreated.tagged(() => [])), { message: /two \.on for the event Created/ })
  })

  test('handled twice in its family is refused', () => {
    const newer = UserCreated.tagged(() => [])
    assert.throws(() => Users.on(newer, (row) => row), { code: 'DEFINITION_INVALID', message: /two \.on/ })
    assert.throws(() => projection('x').handle([UserCreated, newer], () => {}), { message: /twice/ })
    const Once = reaction('x').on(UserCreated, () => {})
    assert.throws(() => Once.on(newer, () => {}), { message: /two \.on/ })
  })

  test('picks its fold in a plain projection', () => {
    const { evolve } = Everything
    const row = evolve(undefined, UserCreated({ name: 'Ada' }) as never)
    assert.deepEqual(evolve(row, FileCreated({ bytes: 3 }) as never), { names: 'Ada', bytes: 3, renamed: 0 })
    assert.deepEqual(evolve(row, UserArchived() as never), row)
  })
})

describe('A domain refuses what handles', () => {
  const Orphan = event('Orphaned', z.object({}))
  const Twin = event('Created', z.object({ name: z.string() }))
  const Newer = UserCreated.revise(z.object({ first: z.string() }), ({ name }) => ({ first: name }))
  const Other = UserCreated.revise(z.object({ last: z.string() }), ({ name }) => ({ last: name }))
  const NewUser = aggregate('user', () => 0)
    .on(Newer)
    .command('create', z.object({}), () => Newer({ first: 'x' }))

  const cases: Record<string, [kind: typeof Orphan, declaring: object, reason: RegExp]> = {
    'a kind that no aggregate declares': [
      Orphan,
      aggregates,
      /the event Orphaned, which no aggregate of the domain declares/,
    ],
    'a kind of the same name that was defined once more': [
      Twin as never,
      aggregates,
      /the event Created, but user and file declares another kind of that name: use the same constant/,
    ],
    'an older shape than the aggregate stores': [
      UserCreated as never,
      { user: NewUser },
      /it knows the event Created up to revision 1, but user stores revision 2: use the newest kind/,
    ],
    'another second shape than the aggregate stores': [
      Other as never,
      { user: NewUser },
      /it knows other revisions of the event Created than user/,
    ],
  }
  for (const [what, [kind, declaring, reason]] of Object.entries(cases)) {
    test(what, () => {
      const refused = { code: 'DEFINITION_INVALID', message: reason }
      const rows = projection('rows', () => 0).on(kind, (row) => row)
      const code = projection('code').handle([kind], () => {})
      const react = reaction('react').on(kind, () => {})
      const world = { aggregates: declaring as typeof aggregates }
      assert.throws(() => domain({ ...world, projections: { rows } }), refused)
      assert.throws(() => domain({ ...world, projections: { code } }), refused)
      assert.throws(() => domain({ ...world, reactions: { react } }), refused)
    })
  }

  test('but not a newer shape, which stored events are upcast to', async () => {
    const Rows = projection('rows', () => ({ first: '' })).on(Newer, (_, { first }) => ({ first }))
    await using world = await domain({ aggregates, projections: { rows: Rows } }).start({ projections: 'manual' })
    await world.user('a').create({ name: 'Ada' })
    await world.projections.runOnce('rows')
    assert.deepEqual(await world.rows.get('a'), { first: 'Ada' })
  })
})
