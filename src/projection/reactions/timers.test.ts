/**
 * Scheduled commands: sent in the order in which they are due, and read from the store a few at a time, however many
 * there are.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { z } from 'zod'
import { logOf, recorder, until, watched } from '../../../test/support/kernel/rig.ts'
import { aggregate, domain, event, memory, reaction, type StartOptions } from '../../index.ts'
import type { ProjectionStore, Row, StoreFactory } from '../../store/store.ts'
import { at } from '../../testing/checkpoint-at.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'
import { momentOf, positionOfTimer, timerRow } from '../stored/timer-row.ts'
import { Timers } from './timers.ts'

const begin = '2026-01-01T00:00:00Z'
const hourMs = 3_600_000

const Asked = event('Asked', z.object({ afterMs: z.array(z.number()) }))
const Rung = event('Rung', z.object({ afterMs: z.number() }))
const Clock = aggregate('clock', () => ({}))
  .on(Asked)
  .on(Rung)
  .command('ask', z.object({ afterMs: z.array(z.number()) }), (_, data) => Asked(data))
  .command('ring', z.object({ afterMs: z.number() }), (_, data) => Rung(data))
  .command('fail', z.object({}), () => {
    throw new RangeError('it never works')
  })

/** Rings the clock after each of the given times. */
const Ringing = reaction('ringing', { clock: Clock }).on(Asked, ({ data, stream: { id } }, { schedule }) => {
  for (const afterMs of data.afterMs) {
    schedule({ aggregate: 'clock', id, name: 'ring', data: { afterMs } }, { afterMs })
  }
})

const start = (options: StartOptions) =>
  domain({ aggregates: { clock: Clock }, reactions: { ringing: Ringing } }).start({
    projections: 'manual',
    log: recorder(),
    ...options,
  })
type Running = Awaited<ReturnType<typeof start>>

const rungOf = async (clocks: Running, id: string) =>
  (await Array.fromAsync(clocks.clock(id).history())).filter(Rung.is).map(({ data }) => data.afterMs)

/** The prefix of the rows that the status lists. */
const parked = '\u0001parked '

/** A store that counts the rows that it lists, and notes their prefixes. */
function counting(factory: StoreFactory) {
  const seen = { rows: 0, pages: new Set<string | undefined>() }
  const store: StoreFactory = {
    name: factory.name,
    open: async (options) => {
      const inner = await factory.open(options)
      return new Proxy(inner, {
        get(target, name) {
          const value = Reflect.get(target, name)
          if (typeof value !== 'function') return value
          if (name !== 'listRows') return value.bind(target)
          return async (...args: Parameters<ProjectionStore['listRows']>) => {
            const page = await target.listRows(...args)
            seen.rows += page.rows.length
            seen.pages.add(args[1].prefix)
            return page
          }
        },
      })
    },
  }
  return { store, seen }
}

/** Stores timers as an earlier run would have left them. */
async function withTimers(factory: StoreFactory, count: number, firstDueAt: number): Promise<void> {
  const store = await factory.open({ now: () => 0, warn: () => {} })
  const rows = Array.from({ length: count }, (_, i) => {
    const command = { aggregate: 'clock', id: 'old', name: 'ring', data: { afterMs: i } }
    return timerRow({ dueAt: firstDueAt + i, command, derivedId: `~ringing:1:old ${i}` }, 1, i)
  })
  await store.saveStep('reaction ringing', { from: at(0), to: at(0), rows })
  await store.close()
}

describe('A reaction with many scheduled commands', () => {
  test('reads some of them when it takes over, and none in its steps', async () => {
    const { store, seen } = counting(memory())
    const environment = manualEnvironment({ now: begin })
    await withTimers(store, 20_000, Date.parse(begin) + hourMs)
    await using clocks = await start({ store, environment, projections: 'automatic' })
    const handled = async () => {
      const { head } = await clocks.reactions.status('ringing')
      await until('all is handled', async () => (await clocks.reactions.status('ringing')).position >= head)
    }
    await clocks.clock('a').ask({ afterMs: [10] })
    await handled()
    seen.rows = 0
    seen.pages.clear()
    for (let i = 0; i < 10; i++) {
      await clocks.clock('a').ask({ afterMs: [20 + i] })
      await handled()
    }
    await environment.advance(100)
    await until('all have rung', async () => (await rungOf(clocks, 'a')).length === 11)
    assert.deepEqual(await rungOf(clocks, 'a'), [10, ...Array.from({ length: 10 }, (_, i) => 20 + i)])
    assert.deepEqual(
      [...seen.pages].filter((prefix) => prefix !== parked),
      [],
    )
    await clocks.reactions.stop('ringing')
    await clocks.reactions.runOnce('ringing')
    assert.ok(seen.rows > 0 && seen.rows <= 1000, `it has read ${seen.rows} rows to take over`)
  })

  test('sends all of them, in the order in which they are due', async () => {
    const { store, seen } = counting(memory())
    const environment = manualEnvironment({ now: begin })
    await withTimers(store, 2000, Date.parse(begin) + hourMs)
    await using clocks = await start({ store, environment })
    await environment.advance(2 * hourMs)
    await clocks.reactions.runOnce('ringing')
    assert.deepEqual(
      await rungOf(clocks, 'old'),
      Array.from({ length: 2000 }, (_, i) => i),
    )
    assert.ok(seen.rows < 2 * 2000, `it has read ${seen.rows} rows`)
  })

  test('continues with events after a while, even if more commands are due', async () => {
    const watch = watched()
    await withTimers(watch.store, 300, Date.parse(begin))
    const clock = manualEnvironment({ now: begin })
    let elapsedMs = 0
    // Each save takes a while.
    watch.disturb(({ method }) => {
      if (method === 'saveStep') elapsedMs += 50
      return undefined
    })
    const environment = { ...clock, elapsed: () => elapsedMs }
    await using clocks = await start({ store: watch.store, environment })
    await clock.advance(hourMs)
    await clocks.clock('a').ask({ afterMs: [-hourMs] })
    await clocks.reactions.runOnce('ringing')
    await clocks.reactions.runOnce('ringing')
    const log = (await logOf(watch.store)).map(({ stream: { id } }) => id)
    const place = log.lastIndexOf('a')
    assert.equal(log.length, 302)
    assert.ok(place < 200, `what the event led to came behind ${place} scheduled commands`)
  })
})

describe('Scheduled commands', () => {
  test('are sent in the order in which they are due, and at the same time in the order in which they were scheduled', async () => {
    const environment = manualEnvironment({ now: begin })
    await using clocks = await start({ environment })
    const times = [5000, 1000, 10_000, 1000.5, 1000, -5, 0, 0.25, 1e300, 9e15]
    await clocks.clock('a').ask({ afterMs: times })
    for (let i = 0; i < 12; i++) await clocks.clock('a').ask({ afterMs: [7000] })
    await clocks.reactions.runOnce('ringing')
    await environment.advance(hourMs)
    await clocks.reactions.runOnce('ringing')
    const sevens = Array.from({ length: 12 }, () => 7000)
    assert.deepEqual(await rungOf(clocks, 'a'), [-5, 0, 0.25, 1000, 1000, 1000.5, 5000, ...sevens, 10_000])
  })

  test('are sent when the clock has jumped ahead, even if the log does not grow', async () => {
    const environment = manualEnvironment({ now: begin })
    await using clocks = await start({ store: memory(), environment, projections: 'automatic', leaseMs: 3_000 })
    await clocks.clock('a').ask({ afterMs: [10 * 60_000] })
    await environment.advance(1_000)
    // As on a machine that slept: its other clock stood still meanwhile.
    environment.setClock('2026-01-01T01:00:00Z')
    await environment.advance(3_000)
    assert.deepEqual(await rungOf(clocks, 'a'), [10 * 60_000])
  })

  test('are never sent before their time, not even by a fraction of a millisecond', async () => {
    const environment = manualEnvironment({ now: begin })
    await using clocks = await start({ environment })
    await clocks.clock('a').ask({ afterMs: [1000.5] })
    await clocks.reactions.runOnce('ringing')
    await environment.advance(1000)
    await clocks.reactions.runOnce('ringing')
    assert.deepEqual(await rungOf(clocks, 'a'), [])
    await environment.advance(1)
    await clocks.reactions.runOnce('ringing')
    assert.deepEqual(await rungOf(clocks, 'a'), [1000.5])
  })

  test('that are parked become timers again when they are retried, before or after others', async () => {
    const environment = manualEnvironment({ now: begin })
    const Failing = reaction('failing', { clock: Clock })
      .on(Asked, ({ data: { afterMs }, stream: { id } }, { schedule }) => {
        schedule({ aggregate: 'clock', id, name: 'fail', data: {} }, { afterMs: afterMs[0]! })
        schedule({ aggregate: 'clock', id, name: 'ring', data: { afterMs: 1 } }, { afterMs: afterMs[0]! + 1 })
      })
      .onFailure({ giveUp: 'park', retries: 0 })
    const store = memory()
    const begun = () =>
      domain({ aggregates: { clock: Clock }, reactions: { failing: Failing } }).start({
        store,
        environment,
        projections: 'manual',
        log: recorder(),
      })
    const first = await begun()
    await first.clock('a').ask({ afterMs: [1000] })
    await first.reactions.runOnce('failing')
    await environment.advance(2000)
    await first.reactions.runOnce('failing')
    const parked = (await first.reactions.parked('failing')).map(({ position, command }) => [
      position,
      command?.['name'],
    ])
    assert.deepEqual(parked, [[1, 'fail']])
    assert.deepEqual(await first.reactions.retryParked('failing'), { handled: 1, parked: 0 })
    await first.stop()
    await using second = await begun()
    await second.reactions.runOnce('failing')
    assert.equal((await second.reactions.parked('failing')).length, 1, 'it was tried again, and is parked again')
  })
})

test('an invalid time is refused at once, with what is wrong and what is expected', async () => {
  const told: unknown[] = []
  const times = [5, null, undefined, 'tomorrow', {}, { afterMs: Number.NaN }, { afterMs: '5' }, new Date(Number.NaN)]
  const Misled = reaction('misled', { clock: Clock }).on(Asked, ({ stream: { id } }, { schedule }) => {
    for (const due of times) {
      try {
        schedule({ aggregate: 'clock', id, name: 'ring', data: { afterMs: 0 } }, due as never)
        told.push('nothing')
      } catch (error) {
        told.push((error as Error).message.replace(/\. Fix the option.*/, ''))
      }
    }
  })
  await using clocks = await domain({ aggregates: { clock: Clock }, reactions: { misled: Misled } }).start({
    projections: 'manual',
  })
  await clocks.clock('a').ask({ afterMs: [] })
  await clocks.reactions.runOnce('misled')
  const due = 'The option due must be a Date or { afterMs: milliseconds }, in schedule(command, due), not'
  const afterMs = 'The option afterMs must be a finite number of milliseconds, in schedule(command, { afterMs }), not'
  assert.deepEqual(told, [
    `${due} 5`,
    `${due} null`,
    `${due} undefined`,
    `${due} "tomorrow"`,
    `${afterMs} undefined`,
    `${afterMs} NaN`,
    `${afterMs} "5"`,
    'The option due must be a valid Date or { afterMs }, not Invalid Date',
  ])
})

test('the key of a timer says when it is due and which event scheduled it, and sorts by bytes', () => {
  const keys = [
    timerRow({ dueAt: momentOf(-1), command: {} }, 1, 0),
    timerRow({ dueAt: momentOf(1), command: {} }, 9, 9),
    timerRow({ dueAt: momentOf(1), command: {} }, 9, 10),
    timerRow({ dueAt: momentOf(1), command: {} }, 10, 0),
    timerRow({ dueAt: momentOf(10), command: {} }, 2, 0),
    timerRow({ dueAt: momentOf(Number.MAX_VALUE), command: {} }, Number.MAX_SAFE_INTEGER, 0),
  ].map(({ key }) => key)
  assert.deepEqual([...keys].sort(), keys)
  assert.equal(new Set(keys.map(({ length }) => length)).size, 1)
  assert.deepEqual(keys.map(positionOfTimer), [1, 9, 9, 10, 2, Number.MAX_SAFE_INTEGER])
})

test('timers come in order, whatever is saved and removed meanwhile, and whenever they are read again', async () => {
  const moments = fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 1, maxLength: 400 })
  const action = fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('save' as const), moments }) },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('take' as const), count: fc.integer({ min: 1, max: 600 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('drop' as const), share: fc.double({ min: 0, max: 0.99 }) }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'reload' as const }) },
  )
  const command = { aggregate: 'bell', id: 'a', name: 'ring' }
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 1, maxLength: 25 }), async (actions) => {
      const store = await memory().open({ now: () => 0, warn: () => {} })
      const timers = new Timers()
      const stored = new Map<string, Row>()
      let number = 0
      timers.load(store, 'p')
      const save = async (rows: readonly Row[]) => {
        await store.saveStep('p', { from: at(0), to: at(0), rows })
        for (const row of rows) {
          if (row.value === undefined) stored.delete(row.key)
          else stored.set(row.key, row)
        }
        timers.apply(rows)
      }
      const check = async () => {
        const expected = [...stored.keys()].sort()[0]
        assert.equal((await timers.first())?.key, expected)
        return expected
      }
      for (const each of actions) {
        if (each.kind === 'save') {
          await save(each.moments.map((dueAt) => timerRow({ dueAt, command }, 1, number++)))
        } else if (each.kind === 'reload') timers.load(store, 'p')
        else if (each.kind === 'drop') {
          const key = [...stored.keys()].sort()[Math.floor(each.share * stored.size)]
          if (key !== undefined) await save([{ key, value: undefined }])
        } else {
          for (let i = 0; i < each.count; i++) {
            const key = await check()
            if (key === undefined) break
            await save([{ key, value: undefined }])
          }
        }
        await check()
      }
      await store.close()
    }),
    { numRuns: 60 },
  )
})
