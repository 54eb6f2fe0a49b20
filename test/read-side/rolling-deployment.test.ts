/**
 * An old and a new version of a program on one store: an event that is newer than a program is left to a newer program,
 * whatever the failure policy says.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import {
  aggregate,
  domain,
  event,
  type FailurePolicy,
  projection,
  reaction,
  type StartOptions,
} from '../../src/index.ts'
import { codesOf, recorder, until } from '../support/kernel/rig.ts'
import { onEveryStore, testWhere } from '../support/stores/every-store.ts'

const First = event('Measured', z.object({ metres: z.number() }))
const Second = First.revise(z.object({ feet: z.number() }), ({ metres }) => ({ feet: metres * 3 }))
const Noted = event('Noted', z.object({ feet: z.number() }))
const Book = aggregate('book', () => ({ notes: [] as readonly number[] }))
  .on(Noted, ({ notes }, { feet }) => ({ notes: [...notes, feet] }))
  .command('note', z.object({ feet: z.number() }), (_, data) => Noted(data))

const options = { pollIntervalMs: 5, leaseMs: 1000 } as const
type Options = Pick<StartOptions, 'store' | 'log' | 'projections'>

/** The old program. */
function oldProgram(policy: FailurePolicy, start: Options, seen: number[] = []) {
  const Scale = aggregate('scale', () => ({}))
    .on(First)
    .command('measure', z.object({ metres: z.number() }), (_, data) => First(data))
  const rows = projection('rows', () => ({ feet: [] as readonly number[] }))
    .on(First, ({ feet }, { metres }) => ({ feet: [...feet, metres * 3] }))
    .onFailure(policy)
  const code = projection('code')
    .handle([First], (events) => void seen.push(...events.map(({ data }) => data.metres * 3)))
    .onFailure(policy)
  const noting = reaction('noting', { book: Book })
    .on(First, async ({ data: { metres } }, { dispatch }) => {
      await dispatch({ aggregate: 'book', id: 'b', name: 'note', data: { feet: metres * 3 } })
    })
    .onFailure(policy)
  const aggregates = { scale: Scale, book: Book }
  return domain({ aggregates, projections: { rows, code }, reactions: { noting } }).start({ ...options, ...start })
}

/** The new program. */
function newProgram(policy: FailurePolicy, start: Options, seen: number[] = []) {
  const Scale = aggregate('scale', () => ({}))
    .on(Second)
    .command('measure', z.object({ feet: z.number() }), (_, data) => Second(data))
  const rows = projection('rows', () => ({ feet: [] as readonly number[] }))
    .on(Second, (row, { feet }) => ({ feet: [...row.feet, feet] }))
    .onFailure(policy)
  const code = projection('code')
    .handle([Second], (events) => void seen.push(...events.map(({ data }) => data.feet)))
    .onFailure(policy)
  const noting = reaction('noting', { book: Book })
    .on(Second, async ({ data: { feet } }, { dispatch }) => {
      await dispatch({ aggregate: 'book', id: 'b', name: 'note', data: { feet } })
    })
    .onFailure(policy)
  const aggregates = { scale: Scale, book: Book }
  return domain({ aggregates, projections: { rows, code }, reactions: { noting } }).start({ ...options, ...start })
}

type Old = Awaited<ReturnType<typeof oldProgram>>

/** Leaves out a warning that is expected here: the functions differ. */
const codesBut = (log: ReturnType<typeof recorder>) => log.codes().filter((code) => code !== 'PROJECTION_DIFFERS')

const statesOf = async (program: Old) => [
  (await program.projections.status('rows')).state,
  (await program.projections.status('code')).state,
  (await program.reactions.status('noting')).state,
]

await onEveryStore('An event that is newer than a program', ({ place, severalWriters }) => {
  const testHere = testWhere(severalWriters)

  for (const giveUp of ['stop', 'skip', 'park'] as const) {
    testHere(`is left to a newer program that comes later, although the policy is to ${giveUp}`, async (t) => {
      const [store, log] = [await place(t), recorder()]
      const policy = { retries: 0, giveUp }
      const [seenByOld, seenByNew]: [number[], number[]] = [[], []]
      await using old = await oldProgram(policy, { store, log }, seenByOld)
      await old.scale('s').measure({ metres: 1 })
      await until('the old one has handled its own', async () => (await old.book('b').state()).notes.length === 1)
      await using writer = await newProgram(policy, { store, log: recorder(), projections: 'manual' })
      const { position } = await writer.scale('s').measure({ feet: 6 })
      await until('the old one stands back', async () => (await statesOf(old)).every((state) => state === 'outdated'))
      const { retrying, failure, parked } = await old.projections.status('rows')
      assert.deepEqual(
        [retrying?.error && (retrying.error as { code?: string }).code, failure, parked],
        ['EVENT_NEWER', undefined, 0],
      )
      await using recent = await newProgram(policy, { store, log: recorder() }, seenByNew)
      assert.deepEqual((await recent.rows.get('s', { atLeast: position }))?.feet, [3, 6])
      await recent.code.reached({ atLeast: position })
      await until('its reaction has handled it', async () => (await recent.book('b').state()).notes.length === 2)
      assert.deepEqual((await recent.book('b').state()).notes, [3, 6])
      assert.deepEqual([seenByOld, seenByNew], [[3], [6]])
      assert.deepEqual(new Set(codesBut(log)), new Set(['PROJECTION_STOOD_BACK']))
      // Three, or more if the old one came to lead again on a slow machine.
      assert.ok(codesBut(log).length >= 3)
    })
  }

  testHere('is waited for, with a warning, until a newer program replaces the only one', async (t) => {
    const [store, log] = [await place(t), recorder()]
    const policy = { retries: 0, giveUp: 'skip' } as const
    {
      await using writer = await newProgram(policy, { store, log: recorder(), projections: 'manual' })
      await writer.scale('s').measure({ feet: 6 })
    }
    const old = await oldProgram(policy, { store, log })
    await until('it stands back', async () => (await statesOf(old)).every((state) => state === 'outdated'))
    await assert.rejects(old.rows.get('s', { atLeast: 1, timeoutMs: 1 }), (error: any) => {
      assert.deepEqual([error.code, error.cause?.code], ['PROJECTION_BEHIND', 'EVENT_NEWER'])
      return true
    })
    const attemptsOf = async () => (await old.projections.status('rows')).retrying?.attempts ?? 0
    await until('it has looked again', async () => (await attemptsOf()) > 1)
    assert.equal(codesBut(log).filter((code) => code === 'PROJECTION_STOOD_BACK').length, 3, 'it is said once of each')
    await old.stop()
    await using recent = await newProgram(policy, { store, log: recorder() })
    assert.deepEqual((await recent.rows.get('s', { atLeast: 1 }))?.feet, [6])
  })

  test('ends a rebuild and a retry of parked events, and changes nothing', async (t) => {
    const [store, log] = [await place(t), recorder()]
    const policy = { retries: 0, giveUp: 'park' } as const
    {
      await using writer = await newProgram(policy, { store, log: recorder(), projections: 'manual' })
      await writer.scale('s').measure({ feet: 3 })
      await writer.projections.runOnce('rows')
    }
    await using old = await oldProgram(policy, { store, log, projections: 'manual' })
    await assert.rejects(async () => await old.projections.rebuild('rows'), { code: 'EVENT_NEWER' })
    await assert.rejects(async () => await old.projections.compare('rows'), { code: 'EVENT_NEWER' })
    assert.deepEqual((await old.rows.get('s'))?.feet, [3])
    assert.deepEqual(await codesOf([old.projections.runOnce('code'), old.reactions.runOnce('noting')]), [
      'EVENT_NEWER',
      'EVENT_NEWER',
    ])
    assert.deepEqual(codesBut(log), [])
  })

  test('that a newer program has parked stays parked', async (t) => {
    const store = await place(t)
    const policy = { retries: 0, giveUp: 'park' } as const
    const Sick = projection('rows', () => ({ feet: [] as readonly number[] }))
      .on(Second, () => {
        throw new RangeError('sick')
      })
      .onFailure(policy)
    const Scale = aggregate('scale', () => ({}))
      .on(Second)
      .command('measure', z.object({ feet: z.number() }), (_, data) => Second(data))
    {
      await using sick = await domain({ aggregates: { scale: Scale }, projections: { rows: Sick } }).start({
        store,
        log: recorder(),
        projections: 'manual',
      })
      await sick.scale('s').measure({ feet: 3 })
      await sick.projections.runOnce('rows')
    }
    {
      await using old = await oldProgram(policy, { store, projections: 'manual' })
      await assert.rejects(old.projections.retryParked('rows'), { code: 'EVENT_NEWER' })
      assert.equal((await old.projections.parked('rows')).length, 1)
    }
    await using recent = await newProgram(policy, { store, log: recorder(), projections: 'manual' })
    assert.deepEqual(await recent.projections.retryParked('rows'), { handled: 1, parked: 0 })
  })

  testHere('in the stream of a command is left to a newer program by a reaction', async (t) => {
    const [store, log] = [await place(t), recorder()]
    const Asked = event('Asked', z.object({}))
    const Question = aggregate('question', () => ({}))
      .on(Asked)
      .command('ask', z.object({}), () => Asked({}))
    const scaleOf = (kind: typeof First | typeof Second) =>
      aggregate('scale', () => ({}))
        .on(kind as typeof First)
        .command(
          'measure',
          z.object({}),
          () => (kind === First ? First({ metres: 1 }) : (Second as any)({ feet: 1 })) as never,
        )
    const programOf = (kind: typeof First | typeof Second, start: Options) => {
      const Scale = scaleOf(kind)
      const Measuring = reaction('measuring', { scale: Scale })
        .on(Asked, async (_, { dispatch }) => {
          await dispatch({ aggregate: 'scale', id: 's', name: 'measure' })
        })
        .onFailure({ retries: 0, giveUp: 'skip' })
      const aggregates = { scale: Scale, question: Question }
      return domain({ aggregates, reactions: { measuring: Measuring } }).start({ ...options, ...start })
    }
    await using old = await programOf(First, { store, log })
    await using recent = await programOf(Second as never, { store, projections: 'manual' })
    await recent.scale('s').measure()
    await recent.question('q').ask()
    const stateOf = async () => (await old.reactions.status('measuring')).state
    await until('the old one stands back', async () => (await stateOf()) === 'outdated')
    await until('the new one has its turn', async () => (await recent.reactions.runOnce('measuring')).events > 0)
    assert.ok(!codesBut(log).includes('REACTION_SKIPPED'))
  })
})
