/**
 * Parcels: handlers that fail and park events, and a projection as code that writes outside Mneme. How often an event
 * fails stands in it, so parked events can be handled when they were tried often enough.
 */
import assert from 'node:assert/strict'
import { z } from 'zod'
import { aggregate, domain, event, projection, type RecordedEvent, reaction } from '../../../src/index.ts'
import type { EndOfRun, Invariants } from '../../../src/testing/simulation/end-of-run.ts'
import type { FaultRates } from '../../../src/testing/simulation/faults.ts'
import { type SimulationReport, simulate } from '../../../src/testing/simulation/simulate.ts'
import { faultsWithRestores } from './restores.ts'
import type { Together } from './together.ts'

/** Something happened to a parcel. Its handlers fail so often. */
const Scanned = event('ParcelScanned', z.object({ number: z.number(), fails: z.number() }))
const Noted = event('ScanNoted', z.object({ number: z.number() }))

const Parcel = aggregate('parcel', () => ({ scans: 0 }))
  .on(Scanned, ({ scans }) => ({ scans: scans + 1 }))
  .command('scan', z.object({ fails: z.number() }), ({ scans }, { fails }) => Scanned({ number: scans + 1, fails }))

/** What the reaction has done for a parcel, in order. */
const Notes = aggregate('notes', () => ({ numbers: [] as readonly number[] }))
  .on(Noted, ({ numbers }, { number }) => ({ numbers: [...numbers, number] }))
  .command('note', z.object({ number: z.number() }), (_, data) => Noted(data))

const failsMax = 4
const policy = { retries: 1, pauseFirstMs: 50, giveUp: 'park' } as const

/** Tells an event from one that a restore has undone, although its command was sent again and has the same place. */
const nameOf = ({ position, commitId, recordedAt }: RecordedEvent): string =>
  `${commitId} at ${position}, ${recordedAt.getTime()}`

/** The positions of the events of a parcel, in the order in which each came first. */
const positionsOf = (list: readonly RecordedEvent[], id: string): readonly number[] => [
  ...new Set(list.filter(({ stream }) => stream.id === id).map(({ position }) => position)),
]

/** Handles events, but fails as often as an event says before it does. */
function failing() {
  const tries = new Map<number, number>()
  return {
    forget: () => tries.clear(),
    check({ position, data: { fails } }: { readonly position: number; readonly data: { readonly fails: number } }) {
      const before = tries.get(position) ?? 0
      tries.set(position, before + 1)
      if (before < fails) throw new RangeError(`it fails ${fails} times`)
    },
  }
}

export function parcels(
  seed: number,
  steps: number,
  minimise = true,
  together: Together = {},
): Promise<SimulationReport> {
  const faults = { ...faultsWithRestores(seed), ...together.faults }
  const [ofCode, ofReaction] = [failing(), failing()]
  /** What the projection as code has written: the positions of events, in the order of its work. */
  const written: RecordedEvent[] = []
  const Archive = projection('archive')
    .handle([Scanned], (events) => {
      for (const each of events) {
        ofCode.check(each)
        written.push(each)
      }
    })
    .onFailure(policy)
  const Noting = reaction('noting', { notes: Notes }, { concurrency: 3 })
    .on(Scanned, async (scanned, { dispatch }) => {
      ofReaction.check(scanned)
      const { number } = scanned.data
      await dispatch({ aggregate: 'notes', id: scanned.stream.id, name: 'note', data: { number } })
    })
    .onFailure(policy)
  const Scans = projection('scans', () => ({ numbers: [] as readonly number[] }))
    .on(Scanned, ({ numbers }, { number, fails }) => {
      // A fold is pure, so what fails once fails for ever: the event stays parked, unless an operator skips it.
      if (fails === failsMax) throw new RangeError('it always fails')
      return { numbers: [...numbers, number] }
    })
    .by(({ stream }) => stream.id)
    .onFailure({ giveUp: 'park' })
  return simulate({
    seed,
    steps,
    minimise,
    domain: domain({
      aggregates: { parcel: Parcel, notes: Notes },
      projections: { archive: Archive, scans: Scans },
      reactions: { noting: Noting },
    }),
    command: (random) => ({
      aggregate: 'parcel',
      id: `p${random.int(1, 4)}`,
      name: 'scan',
      data: { fails: random.chance(0.2) ? random.pick([failsMax, random.int(1, failsMax)]) : 0 },
    }),
    reset() {
      ofCode.forget()
      ofReaction.forget()
      written.length = 0
    },
    ...together,
    faults,
    options: { snapshotEvery: 3, passivateAfterMs: 1000 },
    invariants: invariantsOf(written, faults),
  })
}

/** @param written what the projection as code has written, in order */
function invariantsOf(written: readonly RecordedEvent[], faults: Pick<FaultRates, 'restoreLog'>): Invariants {
  return {
    'a projection as code handles every event, and those of a stream first in order': ({ events }: EndOfRun) => {
      const scans = events.filter(({ type }) => type === 'ParcelScanned')
      // What was written for events that a restore has undone is not the library's to undo.
      const kept = new Set(scans.map(nameOf))
      const valid = written.filter((each) => kept.has(nameOf(each)))
      for (const id of ['p1', 'p2', 'p3', 'p4']) assert.deepEqual(positionsOf(valid, id), positionsOf(scans, id))
    },
    'a reaction handles every event of a stream once, in order': (end: EndOfRun) => {
      for (const [id, { scans }] of end.states('parcel')) {
        const numbers = Array.from({ length: scans }, (_, i) => i + 1)
        const noted: readonly number[] = end.states('notes').get(id)?.numbers ?? []
        // A note that was lost with the end of the log is made again when later ones are there.
        assert.deepEqual(faults.restoreLog > 0 ? noted.toSorted((a, b) => a - b) : noted, numbers, id)
      }
    },
  }
}
