/**
 * Scheduled commands with a key: the key has at most one that waits, whatever becomes of events and processes. What is
 * sent is compared with a plain list of what the events ask for.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { aggregate, domain, event, memory, reaction, type StartOptions } from '../../src/index.ts'
import type { Row, StoreFactory } from '../../src/store/store.ts'
import { manualEnvironment } from '../../src/testing/manual-environment.ts'
import { codesOf, recorder, watched } from '../support/kernel/rig.ts'
import { onEveryStore } from '../support/stores/every-store.ts'

/** What an event asks for: schedule a ring under a key after a time, or cancel that of a key. */
const wish = z.object({ key: z.string().optional(), afterMs: z.number().optional(), ring: z.number().optional() })
type Wish = z.infer<typeof wish>

const Asked = event('Asked', z.object({ wishes: z.array(wish) }))
const Rung = event('Rung', z.object({ ring: z.number() }))
const Bell = aggregate('bell', () => ({ rings: [] as readonly number[] }))
  .on(Asked)
  .on(Rung, ({ rings }, { ring }) => ({ rings: [...rings, ring] }))
  .command('ask', z.object({ wishes: z.array(wish) }), (_, data) => Asked(data))
  .command('ring', z.object({ ring: z.number() }), ({ rings }, data) => {
    if (sick.has(data.ring)) throw new RangeError(`ring ${data.ring} fails`)
    return rings.includes(data.ring) ? undefined : Rung(data)
  })

/** Rings that cannot be rung at present. */
const sick = new Set<number>()

const ringing = (concurrency: number) =>
  reaction('ringing', { bell: Bell }, { concurrency })
    .on(Asked, ({ data, stream: { id } }, { schedule, cancel }) => {
      for (const { key, afterMs, ring } of data.wishes) {
        if (afterMs === undefined) cancel(key!)
        else {
          const options = key === undefined ? undefined : { key }
          schedule({ aggregate: 'bell', id, name: 'ring', data: { ring: ring! } }, { afterMs }, options)
        }
      }
    })
    .onFailure({ retries: 1, pauseFirstMs: 1000, pauseMaxMs: 1000, giveUp: 'park' })

const start = (store: StoreFactory, environment: StartOptions['environment'], concurrency = 1) =>
  domain({ aggregates: { bell: Bell }, reactions: { ringing: ringing(concurrency) } }).start({
    store,
    environment: environment!,
    projections: 'manual',
    log: recorder(),
    leaseMs: 3_600_000,
  })
type Bells = Awaited<ReturnType<typeof start>>

const timersOf = async (bells: Bells) =>
  (await bells.reactions.timers('ringing')).timers.map(({ key, command }) => [key, (command.data as Wish).ring])

/** The name under which the reaction is stored. */
const storage = 'reaction ringing'

/** The rows that say which timers have keys. */
async function keyedRowsOf(store: StoreFactory): Promise<readonly Row[]> {
  const opened = await store.open({ now: () => 0, warn: () => {} })
  return (await opened.listRows(storage, { prefix: 'keyed ', limit: 100 })).rows
}

async function ask(bells: Bells, ...wishes: readonly Wish[]): Promise<void> {
  await bells.bell('a').ask({ wishes: [...wishes] })
}

await onEveryStore('A scheduled command with a key', ({ place }) => {
  test('is replaced by a later one with that key, and cancelled by it, over restarts', async (t) => {
    const [store, environment] = [await place(t), manualEnvironment()]
    {
      await using bells = await start(store, environment)
      await ask(bells, { key: 'k', afterMs: 1000, ring: 1 }, { key: 'other', afterMs: 1500, ring: 2 })
      await ask(bells, { afterMs: 500, ring: 3 })
      await bells.reactions.runOnce('ringing')
      assert.deepEqual(await timersOf(bells), [
        [undefined, 3],
        ['k', 1],
        ['other', 2],
      ])
    }
    await using bells = await start(store, environment)
    // One is moved to a later time, one is cancelled, and what was never scheduled is cancelled too.
    await ask(bells, { key: 'k', afterMs: 3000, ring: 4 }, { key: 'other' }, { key: 'nobody' })
    await bells.reactions.runOnce('ringing')
    assert.deepEqual(await timersOf(bells), [
      [undefined, 3],
      ['k', 4],
    ])
    await environment.advance(2000)
    await bells.reactions.runOnce('ringing')
    assert.deepEqual((await bells.bell('a').state()).rings, [3])
    await environment.advance(2000)
    await bells.reactions.runOnce('ringing')
    assert.deepEqual((await bells.bell('a').state()).rings, [3, 4])
    assert.deepEqual(await timersOf(bells), [])
    // The key is free again.
    await ask(bells, { key: 'k', afterMs: 0, ring: 5 })
    await bells.reactions.runOnce('ringing')
    await bells.reactions.runOnce('ringing')
    assert.deepEqual((await bells.bell('a').state()).rings, [3, 4, 5])
  })
})

describe('A scheduled command with a key', () => {
  test('leaves no trace of its key if a reset deletes it, and its key is kept with it', async () => {
    const [store, environment] = [memory(), manualEnvironment()]
    await using bells = await start(store, environment)
    await ask(bells, { key: 'kept', afterMs: 1000, ring: 1 })
    await ask(bells, { key: 'gone', afterMs: 1000, ring: 2 })
    await bells.reactions.runOnce('ringing')
    await bells.reactions.reset('ringing', { from: 2, keep: true })
    const keys = async () => (await keyedRowsOf(store)).map(({ key }) => key)
    assert.deepEqual(await keys(), ['keyed kept'])
    await bells.reactions.runOnce('ringing')
    assert.deepEqual(await keys(), ['keyed gone', 'keyed kept'])
    assert.deepEqual(await timersOf(bells), [
      ['kept', 1],
      ['gone', 2],
    ])
  })

  test('is the last one that the events asked for, several of which are handled in one step or at once', async () => {
    const wishes = fc.array(
      fc.oneof(
        fc.record({ key: fc.constantFrom('a', 'b', ' timer'), afterMs: fc.integer({ min: 0, max: 5000 }) }),
        fc.record({ key: fc.constantFrom('a', 'b', ' timer') }),
        fc.record({ afterMs: fc.integer({ min: 0, max: 5000 }) }),
      ),
      { maxLength: 4 },
    )
    const plan = fc.array(fc.oneof(wishes, fc.constant('run' as const)), { maxLength: 10 })
    await fc.assert(
      fc.asyncProperty(plan, fc.constantFrom(1, 3), async (steps, concurrency) => {
        const [store, environment] = [memory(), manualEnvironment()]
        await using bells = await start(store, environment, concurrency)
        let ring = 0
        const expected: { readonly key: string | undefined; readonly ring: number }[] = []
        const without = (key: string | undefined) => {
          const i = expected.findIndex((each) => key !== undefined && each.key === key)
          if (i >= 0) expected.splice(i, 1)
        }
        for (const step of steps) {
          if (step === 'run') {
            await bells.reactions.runOnce('ringing')
            continue
          }
          const numbered = step.map((each) => ({ ...each, ring: ++ring })) as Wish[]
          await bells.bell(`of ${ring % 3}`).ask({ wishes: numbered })
          for (const { key, afterMs, ring: number } of numbered) {
            without(key)
            if (afterMs !== undefined) expected.push({ key, ring: number! })
          }
        }
        await bells.reactions.runOnce('ringing')
        const sort = (list: readonly (readonly [string | undefined, number | undefined])[]) =>
          [...list].sort(([, a], [, b]) => a! - b!)
        const waiting = (await timersOf(bells)).map(([key, number]) => [key, number] as [string | undefined, number])
        // Those of no time were due at once in a later step.
        const gone = new Set<number>()
        for (let i = 0; i < 3; i++) for (const number of (await bells.bell(`of ${i}`).state()).rings) gone.add(number)
        const left = expected.filter((each) => !gone.has(each.ring)).map(({ key, ring: n }) => [key, n] as const)
        assert.deepEqual(sort(waiting), sort(left))
        await environment.advance(10_000)
        for (let i = 0; i < 3; i++) await bells.reactions.runOnce('ringing')
        assert.deepEqual(await timersOf(bells), [])
        const rung = new Set<number>()
        for (let i = 0; i < 3; i++) for (const number of (await bells.bell(`of ${i}`).state()).rings) rung.add(number)
        for (const { ring: number } of expected) assert.ok(rung.has(number), `ring ${number}`)
      }),
      { numRuns: 40 },
    )
  })

  test('keeps its key while it is tried again, and frees it when it is parked', async () => {
    const [store, environment] = [memory(), manualEnvironment()]
    await using bells = await start(store, environment)
    sick.add(1).add(2)
    try {
      await ask(bells, { key: 'k', afterMs: 0, ring: 1 })
      for (let i = 0; i < 2; i++) await bells.reactions.runOnce('ringing')
      const { timers } = await bells.reactions.timers('ringing')
      assert.deepEqual(
        timers.map(({ key, failures, position }) => [key, failures, position]),
        [['k', 1, 1]],
      )
      // It waits for its second try, and is replaced.
      await ask(bells, { key: 'k', afterMs: 0, ring: 2 })
      for (let i = 0; i < 2; i++) await bells.reactions.runOnce('ringing')
      assert.deepEqual(await timersOf(bells), [['k', 2]])
      await environment.advance(5000)
      for (let i = 0; i < 2; i++) await bells.reactions.runOnce('ringing')
      assert.deepEqual(await timersOf(bells), [])
      assert.equal((await bells.reactions.parked('ringing')).length, 1)
      await ask(bells, { key: 'k', afterMs: 60_000, ring: 3 })
      await bells.reactions.runOnce('ringing')
      sick.clear()
      await bells.reactions.retryParked('ringing')
      await bells.reactions.runOnce('ringing')
      assert.deepEqual((await bells.bell('a').state()).rings, [2])
      assert.deepEqual(await timersOf(bells), [['k', 3]])
      await ask(bells, { key: 'k' })
      await bells.reactions.runOnce('ringing')
      assert.deepEqual(await timersOf(bells), [])
      assert.deepEqual(await keyedRowsOf(store), [])
    } finally {
      sick.clear()
    }
  })

  test('is not scheduled twice if a step is lost at any call and done again', async () => {
    for (let n = 1; ; n++) {
      const [inner, environment] = [memory(), manualEnvironment()]
      const watch = watched(inner)
      await using bells = await start(watch.store, environment)
      await ask(bells, { key: 'k', afterMs: 1000, ring: 1 })
      await bells.reactions.runOnce('ringing')
      await ask(bells, { key: 'k', afterMs: 2000, ring: 2 })
      let calls = 0
      watch.disturb(() => (++calls === n ? (n % 2 === 0 ? 'before' : 'after') : undefined))
      await bells.reactions.runOnce('ringing').catch(() => {})
      const isMet = calls >= n
      watch.disturb(() => undefined)
      await bells.reactions.runOnce('ringing')
      assert.deepEqual(await timersOf(bells), [['k', 2]], `the fault at call ${n}`)
      await environment.advance(5000)
      await bells.reactions.runOnce('ringing')
      assert.deepEqual((await bells.bell('a').state()).rings, [2])
      assert.deepEqual(await keyedRowsOf(inner), [])
      if (!isMet) break
      assert.ok(n < 100)
    }
  })

  test('of a later event stays when an earlier one, which was parked, is handled', async () => {
    for (const doing of ['schedules', 'cancels'] as const) {
      const [store, environment] = [memory(), manualEnvironment()]
      let isSick = true
      const Late = reaction('ringing', { bell: Bell })
        .on(Asked, ({ stream: { id }, position }, { schedule, cancel }) => {
          const ring = (number: number) => ({ aggregate: 'bell', id, name: 'ring', data: { ring: number } }) as const
          if (id === 'bad' && isSick) throw new RangeError('not yet')
          if (id === 'bad' && doing === 'cancels') cancel('k')
          else schedule(ring(position), { afterMs: 60_000 }, { key: 'k' })
          if (id === 'bad') schedule(ring(9), { afterMs: 60_000 }, { key: 'other' })
        })
        .onFailure({ retries: 0, giveUp: 'park' })
      const options = { store, environment, projections: 'manual', log: recorder(), leaseMs: 3_600_000 } as const
      await using bells = await domain({ aggregates: { bell: Bell }, reactions: { ringing: Late } }).start(options)
      for (const id of ['bad', 'good']) await bells.bell(id).ask({ wishes: [] })
      await bells.reactions.runOnce('ringing')
      isSick = false
      await bells.reactions.retryParked('ringing')
      const timers = (await bells.reactions.timers('ringing')).timers.map(({ key, position }) => [key, position])
      assert.deepEqual(timers.sort(), [
        ['k', 2],
        ['other', 1],
      ])
    }
  })

  test('survives a reset, and is left alone by another key that names it by mistake', async () => {
    const [store, environment] = [memory(), manualEnvironment()]
    await using bells = await start(store, environment)
    await ask(bells, { key: 'k', afterMs: 60_000, ring: 1 })
    await bells.reactions.runOnce('ringing')
    await bells.reactions.reset('ringing', { from: 1, keep: true })
    await bells.reactions.runOnce('ringing')
    assert.deepEqual(await timersOf(bells), [['k', 1]])
    const [named] = await keyedRowsOf(store)
    const opened = await store.open({ now: () => 0, warn: () => {} })
    const from = await opened.loadCheckpoint(storage)
    await opened.saveStep(storage, { from, to: from, rows: [{ key: 'keyed z', value: named!.value }] })
    await ask(bells, { key: 'z' })
    await bells.reactions.runOnce('ringing')
    assert.deepEqual(await timersOf(bells), [['k', 1]])
    await ask(bells, { key: 'k' })
    await bells.reactions.runOnce('ringing')
    assert.deepEqual(await timersOf(bells), [])
  })
})

describe('The scheduled commands of a reaction', () => {
  test('are listed page by page, in the order in which they are due', async () => {
    const [store, environment] = [memory(), manualEnvironment()]
    await using bells = await start(store, environment)
    const wishes = Array.from({ length: 25 }, (_, i) => ({ afterMs: 1000 + ((i * 7) % 25), ring: (i * 7) % 25 }))
    await ask(bells, ...wishes)
    await bells.reactions.runOnce('ringing')
    const seen: number[] = []
    for (let after: string | undefined; ; ) {
      const page = await bells.reactions.timers('ringing', { limit: 10, ...(after !== undefined && { after }) })
      assert.ok(page.timers.length <= 10)
      seen.push(...page.timers.map(({ command }) => (command.data as Wish).ring!))
      after = page.next
      if (after === undefined) break
    }
    assert.deepEqual(
      seen,
      Array.from({ length: 25 }, (_, i) => i),
    )
    const [first] = (await bells.reactions.timers('ringing', { limit: 1 })).timers
    const { dueAt, position, failures, command } = first!
    assert.deepEqual([dueAt.getTime() - environment.now(), position, failures], [1000, 1, 0])
    assert.deepEqual([command.aggregate, command.id, command.name], ['bell', 'a', 'ring'])
  })

  test('are refused to those who ask for nonsense', async () => {
    await using bells = await start(memory(), manualEnvironment())
    for (const options of [{ limit: 0 }, { limit: 1001 }, { limit: 1.5 }, { after: 7 }, { to: 1 }]) {
      await assert.rejects(bells.reactions.timers('ringing', options as never), { code: 'OPTION_INVALID' })
    }
    await assert.rejects(bells.reactions.timers('ringing', { after: 'timer \0' }), { code: 'CURSOR_INVALID' })
    await assert.rejects(bells.reactions.timers('nobody' as never), { code: 'PROJECTION_UNKNOWN' })
  })

  test('need keys that are ids', async () => {
    const seen: unknown[] = []
    const Bad = reaction('bad', { bell: Bell }).on(Asked, async ({ stream: { id } }, { schedule, cancel }) => {
      const command = { aggregate: 'bell', id, name: 'ring', data: { ring: 1 } } as const
      const tries = [
        () => schedule(command, { afterMs: 1 }, { key: '' }),
        () => schedule(command, { afterMs: 1 }, { key: 7 as never }),
        () => schedule(command, { afterMs: 1 }, { id: 'k' } as never),
        () => cancel(''),
        () => cancel(undefined as never),
      ]
      seen.push(...(await codesOf(tries.map(async (each) => each()))))
    })
    await using bells = await domain({ aggregates: { bell: Bell }, reactions: { bad: Bad } }).start({
      projections: 'manual',
    })
    await bells.bell('a').ask({ wishes: [] })
    await bells.reactions.runOnce('bad')
    assert.deepEqual(seen, ['ID_INVALID', 'ID_INVALID', 'OPTION_INVALID', 'ID_INVALID', 'ID_INVALID'])
    assert.deepEqual((await bells.reactions.timers('bad')).timers, [])
  })
})
