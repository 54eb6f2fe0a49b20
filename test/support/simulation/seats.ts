/**
 * Seats: scheduled commands that are moved and cancelled by a key, and others that are neither, and a list in one
 * state. A seat that was held comes free by itself, unless a timer is lost.
 */
import assert from 'node:assert/strict'
import { z } from 'zod'
import { aggregate, domain, event, projection, reaction, reject } from '../../../src/index.ts'
import type { EndOfRun } from '../../../src/testing/simulation/end-of-run.ts'
import { type SimulationReport, simulate } from '../../../src/testing/simulation/simulate.ts'
import { faultsWithRestores } from './restores.ts'
import type { Together } from './together.ts'

const guest = z.object({ by: z.string() })
const Held = event('SeatHeld', guest)
const Taken = event('SeatTaken', guest)
const Freed = event('SeatFreed', guest)
const Reminded = event('GuestReminded', z.object({ of: z.string() }))

const Seat = aggregate('seat', () => ({ by: '', isTaken: false, changes: 0 }))
  .on(Held, (seat, { by }) => ({ by, isTaken: false, changes: seat.changes + 1 }))
  .on(Taken, (seat, { by }) => ({ by, isTaken: true, changes: seat.changes + 1 }))
  .on(Freed, (seat) => ({ by: '', isTaken: false, changes: seat.changes + 1 }))
  .command('hold', guest, (seat, { by }) => (seat.by === '' ? Held({ by }) : reject('NotFree', { by: seat.by })))
  .command('take', guest, (seat, { by }) => {
    if (seat.by !== by) return reject('NotHeld', { by: seat.by })
    return seat.isTaken ? undefined : Taken({ by })
  })
  .command('free', guest, (seat, { by }) => (seat.by === by && !seat.isTaken ? Freed({ by }) : undefined))
  .command('leave', guest, (seat, { by }) => (seat.by === by && seat.isTaken ? Freed({ by }) : undefined))

/** What a guest was reminded of. */
const Letters = aggregate('letters', () => ({ of: [] as readonly string[] }))
  .on(Reminded, (letters, { of }) => ({ of: [...letters.of, of] }))
  .command('remind', z.object({ of: z.string() }), (_, data) => Reminded(data))

const Guests = projection('guests', (): { readonly held: number; readonly taken: number } => ({ held: 0, taken: 0 }))
  .on(Held, (row) => ({ ...row, held: row.held + 1 }))
  .on(Taken, (row) => ({ ...row, taken: row.taken + 1 }))
  .by(({ data }) => data.by)
const Changes = projection('changes', () => ({ seats: [] as readonly string[] }))
  .on(Held, ({ seats }, _, { stream }) => ({ seats: [...seats, stream.id] }))
  .on(Freed, ({ seats }, _, { stream }) => ({ seats: seats.filter((id) => id !== stream.id) }))
  .single()

/** Lets go of a seat that is not taken in time, and ends the stay of one that is. Reminds each guest of it. */
const Release = reaction('release', { seat: Seat, letters: Letters })
  .on(Held, ({ stream: { id }, position, data: { by } }, { schedule }) => {
    schedule({ aggregate: 'seat', id, name: 'free', data: { by } }, { afterMs: 700 }, { key: id })
    const of = `${id} at ${position}`
    schedule({ aggregate: 'letters', id: by, name: 'remind', data: { of } }, { afterMs: 300 })
  })
  .on(Taken, ({ stream: { id }, data: { by } }, { schedule }) => {
    schedule({ aggregate: 'seat', id, name: 'leave', data: { by } }, { afterMs: 400 }, { key: id })
  })
  .on(Freed, ({ stream: { id } }, { cancel }) => cancel(id))

const Seats = domain({
  aggregates: { seat: Seat, letters: Letters },
  projections: { guests: Guests, changes: Changes },
  reactions: { release: Release },
})

const hasNoEarlyReminder = ({ events }: EndOfRun): boolean => {
  const heldAt = new Map(events.map(({ stream, position, recordedAt }) => [`${stream.id} at ${position}`, +recordedAt]))
  const reminders = events.filter(({ type }) => type === 'GuestReminded')
  return reminders.every(({ data, recordedAt }) => +recordedAt >= heldAt.get((data as { of: string }).of)! + 300)
}

const guests = ['ada', 'bob', 'cy']

export const seats = (
  seed: number,
  steps: number,
  minimise = true,
  together: Together = {},
): Promise<SimulationReport> =>
  simulate({
    seed,
    steps,
    minimise,
    domain: Seats,
    command: (random) => ({
      aggregate: 'seat',
      id: `s${random.int(1, 3)}`,
      name: random.pick(['hold', 'hold', 'take', 'free'] as const),
      data: { by: random.pick(guests) },
    }),
    options: {
      ...{ snapshotEvery: 2, passivateAfterMs: 500, leaseMs: 1000 },
      // Some processes refuse what comes when they are busy.
      ...(seed % 16 === 14 && { limits: { commandsInFlightMax: 3 } }),
    },
    processes: 3,
    // Every other run has many processes that die or are overtaken while they send.
    faults:
      seed % 2 === 1
        ? faultsWithRestores(seed)
        : { crash: 0.1, freeze: 0.1, slow: 0.1, loseAnswer: 0.1, loseHint: 0.3 },
    ...together,
    invariants: {
      // Where clocks jump, nobody can say when a command was due.
      ...(seed % 2 === 0 && { 'no guest is reminded too early': hasNoEarlyReminder }),
      'every seat comes free in the end': (end: EndOfRun) =>
        [...end.states('seat').values()].every(({ by }) => by === ''),
      'every guest is reminded once of each seat': (end: EndOfRun) => {
        const told = [...end.states('letters').values()].flatMap(({ of }) => of)
        const held = end.events.filter(({ type }) => type === 'SeatHeld')
        assert.deepEqual(told.toSorted(), held.map(({ stream, position }) => `${stream.id} at ${position}`).toSorted())
      },
    },
  })
