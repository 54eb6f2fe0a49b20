/**
 * Workshops: commands with several events, commands that expect a sequence, ids that are used for another command,
 * scheduled commands that fail and are moved or stopped meanwhile, a reaction with states and steps, and rows in an
 * index.
 */
import assert from 'node:assert/strict'
import { z } from 'zod'
import { aggregate, domain, event, projection, reaction } from '../../../src/index.ts'
import type { EndOfRun, Invariants } from '../../../src/testing/simulation/end-of-run.ts'
import { drawFaults } from '../../../src/testing/simulation/faults.ts'
import { type SimulationReport, simulate } from '../../../src/testing/simulation/simulate.ts'
import type { Together } from './together.ts'

const AlarmSet = event('AlarmSet', z.object({}))
const AlarmStopped = event('AlarmStopped', z.object({}))
const PartMade = event('PartMade', z.object({ part: z.string() }))

const Workshop = aggregate('workshop', () => ({ made: [] as readonly string[], isSet: false }))
  .on(PartMade, (workshop, { part }) => ({ ...workshop, made: [...workshop.made, part] }))
  .on(AlarmSet, (workshop) => ({ ...workshop, isSet: true }))
  .on(AlarmStopped, (workshop) => ({ ...workshop, isSet: false }))
  .command('make', z.object({ parts: z.array(z.string()) }), (_, { parts }) => parts.map((part) => PartMade({ part })))
  .command('setAlarm', z.object({}), () => AlarmSet({}))
  .command('stopAlarm', z.object({}), ({ isSet }) => (isSet ? AlarmStopped({}) : undefined))

const ofAlarm = z.object({ sequence: z.number() })
const Rung = event('BellRung', ofAlarm)
const Noted = event('AlarmNoted', ofAlarm)

/** The bell cannot be rung in the first half of each second. */
const isStuck = (now: Date): boolean => now.getTime() % 1000 < 500

const Bell = aggregate('bell', () => ({ rung: [] as readonly number[] }))
  .on(Rung, ({ rung }, { sequence }) => ({ rung: [...rung, sequence] }))
  .on(Noted)
  .command('ring', ofAlarm, (_, data, { now }) => {
    if (isStuck(now)) throw new RangeError('the bell is stuck')
    return Rung(data)
  })
  .command('note', ofAlarm, (_, data) => Noted(data))

/** Rings when an alarm was not moved or stopped in time. */
const Alarms = reaction('alarms', { bell: Bell })
  .on(AlarmSet, async ({ stream: { id }, sequence }, { schedule, dispatch }) => {
    schedule({ aggregate: 'bell', id, name: 'ring', data: { sequence } }, { afterMs: 200 }, { key: id })
    await dispatch({ aggregate: 'bell', id, name: 'note', data: { sequence } })
  })
  .on(AlarmStopped, async ({ stream: { id }, sequence }, { cancel, dispatch }) => {
    cancel(id)
    await dispatch({ aggregate: 'bell', id, name: 'note', data: { sequence } })
  })
  .onFailure({ retries: 100, pauseFirstMs: 100, pauseMaxMs: 200 })

const label = z.object({ sequence: z.number(), nth: z.number(), number: z.number() })
const Labelled = event('PartLabelled', label)
const Labels = aggregate('labels', () => ({ of: [] as readonly z.infer<typeof label>[] }))
  .on(Labelled, ({ of }, data) => ({ of: [...of, data] }))
  .command('label', label, (_, data) => Labelled(data))

/** Counts the parts of each workshop, and gives each a number that comes from outside. */
const labelling = (nextNumber: () => number) =>
  reaction('labelling', { labels: Labels })
    .state(() => ({ parts: 0 }))
    .on(PartMade, async ({ stream: { id }, sequence }, { state, setState, step, dispatch }) => {
      const nth = state.parts + 1
      const number = await step('number', async () => nextNumber())
      const data = { sequence, nth, number }
      await dispatch({ aggregate: 'labels', id: `${id} front`, name: 'label', data })
      await dispatch({ aggregate: 'labels', id: `${id} back`, name: 'label', data })
      setState({ parts: nth })
    })

const Stock = projection('stock', () => ({ made: 0, last: '' }))
  .on(PartMade, ({ made }, _, { stream }) => ({ made: made + 1, last: stream.id }))
  .by(({ data }) => data.part)
  .indexed('made')
  .indexed('last', ['made', 'descending'])

const parts = ['bolt', 'gear', 'nut', 'rod']

export function workshops(
  seed: number,
  steps: number,
  minimise = true,
  together: Together = {},
): Promise<SimulationReport> {
  let numbers = 0
  const isCalm = seed % 2 === 0
  const again = { repeat: 0.4, reuse: 0.4 }
  return simulate({
    seed,
    steps,
    minimise,
    domain: domain({
      aggregates: { workshop: Workshop, bell: Bell, labels: Labels },
      projections: { stock: Stock },
      reactions: { alarms: Alarms, labelling: labelling(() => ++numbers) },
    }),
    command(random) {
      const to = { aggregate: 'workshop', id: `w${random.int(1, 2)}` } as const
      if (random.chance(0.5)) {
        const name = random.pick(['setAlarm', 'setAlarm', 'stopAlarm'] as const)
        return { ...to, name, data: {} }
      }
      const made = Array.from({ length: random.int(0, 3) }, () => random.pick(parts))
      const expected = random.chance(0.2) ? { expectedSequence: random.int(0, 12) } : {}
      return { ...to, name: 'make', data: { parts: made }, ...expected }
    },
    reset() {
      numbers = 0
    },
    // A command that is on its way while another process takes over may arrive when its alarm was stopped there.
    options: { snapshotEvery: 3, passivateAfterMs: 500, leaseMs: isCalm ? 60_000 : 1000 },
    // No store takes a step again that it has answered. One that moves a timer would bring it back.
    faults: isCalm ? { slow: 0.05, loseHint: 0.2, ...again } : { ...drawFaults(seed), ...again, duplicate: 0 },
    ...together,
    invariants: {
      ...invariants,
      ...(isCalm && { 'no bell is rung for an alarm that was moved or stopped': ringsInTime }),
    },
  })
}

/** The sequences of the alarms of a workshop that were set, and of those that were moved or stopped, by what. */
function alarmsOf({ events }: EndOfRun, id: string): ReadonlyMap<number, number> {
  const all = events.filter(({ type, stream }) => type.startsWith('Alarm') && type !== 'AlarmNoted' && stream.id === id)
  return new Map(
    all.flatMap(({ type, sequence }, i) =>
      type === 'AlarmSet' ? [[sequence, all[i + 1]?.sequence ?? Number.POSITIVE_INFINITY]] : [],
    ),
  )
}

/**
 * The events of a workshop are handled one after the other. So once a later event than the one that has moved or
 * stopped an alarm is noted, that alarm is gone. Where steps are lost, a handler may have noted what it will do again.
 */
function ringsInTime(end: EndOfRun): void {
  const noted = new Map<string, number>()
  for (const { type, stream, data } of end.events) {
    const { sequence } = data as z.infer<typeof ofAlarm>
    if (type === 'AlarmNoted') noted.set(stream.id, sequence)
    if (type !== 'BellRung') continue
    const over = alarmsOf(end, stream.id).get(sequence)!
    assert.ok((noted.get(stream.id) ?? 0) <= over, `${stream.id} rings for ${sequence}, which ended at ${over}`)
  }
}

const invariants: Invariants = {
  'every alarm that was neither moved nor stopped rings, and none twice': (end: EndOfRun) => {
    for (const id of end.states('workshop').keys()) {
      const rung: readonly number[] = end.states('bell').get(id)?.rung ?? []
      assert.equal(new Set(rung).size, rung.length, `${id} has rung for ${rung}`)
      for (const [sequence, over] of alarmsOf(end, id)) {
        if (over === Number.POSITIVE_INFINITY) assert.ok(rung.includes(sequence), `${id} has not rung for ${sequence}`)
      }
    }
  },
  'every part is counted, and has one number on both sides': (end: EndOfRun) => {
    for (const id of end.states('workshop').keys()) {
      const made = end.events.filter(({ type, stream }) => type === 'PartMade' && stream.id === id)
      const [front, back]: (readonly z.infer<typeof label>[])[] = ['front', 'back'].map(
        (side) => end.states('labels').get(`${id} ${side}`)?.of ?? [],
      )
      assert.deepEqual(back, front)
      assert.deepEqual(
        front!.map(({ sequence, nth }) => ({ sequence, nth })),
        made.map(({ sequence }, i) => ({ sequence, nth: i + 1 })),
      )
    }
  },
}
