/** Domains that are simulated: each uses other parts of the library. */
import { z } from 'zod'
import { TransferBank } from '../../../examples/transfer/bank.ts'
import { aggregate, domain, event, projection, reaction, reject } from '../../../src/index.ts'
import type { EndOfRun } from '../../../src/testing/simulation/end-of-run.ts'
import { type SimulationReport, simulate } from '../../../src/testing/simulation/simulate.ts'
import { parcels } from './parcels.ts'
import { upgrades } from './upgrades.ts'

/** A domain with its clients. */
export interface Scenario {
  readonly name: string
  /** Simulates one run. @throws SimulationFailed */
  readonly run: (seed: number, steps: number, minimise?: boolean) => Promise<SimulationReport>
}

// -- money: two aggregates, a projection, a reaction that takes one of two ways -----------------------------------

const owners = ['ada', 'bob', 'cy']
const opening = 100

function transfers(seed: number, steps: number, minimise = true): Promise<SimulationReport> {
  let transfer = 0
  return simulate({
    seed,
    steps,
    minimise,
    domain: TransferBank,
    first: owners.flatMap((id) => [
      { aggregate: 'account', id, name: 'open', data: { owner: id } } as const,
      { aggregate: 'account', id, name: 'deposit', data: { amount: opening } } as const,
    ]),
    command(random) {
      if (random.chance(0.4)) {
        const data = { from: random.pick(owners), to: random.pick([...owners, 'nobody']), amount: random.int(1, 200) }
        return { aggregate: 'transfer', id: `t${++transfer}`, name: 'request', data }
      }
      const name = random.pick(['deposit', 'withdraw'] as const)
      return { aggregate: 'account', id: random.pick(owners), name, data: { amount: random.int(1, 200) } }
    },
    options: { passivateAfterMs: 2000, snapshotEvery: 5, leaseMs: 1000 },
    // Every other run has many takeovers from processes that are still alive.
    ...(seed % 2 === 0 && { faults: { freeze: 0.2, slow: 0.1, loseAnswer: 0.05, loseHint: 0.3 } }),
    invariants: {
      'every transfer comes to its end': (end: EndOfRun) =>
        [...end.states('transfer').values()].every(({ phase }) => phase === 'completed' || phase === 'failed'),
      'no money comes or goes by transfers': (end: EndOfRun) =>
        owners.reduce((total, id) => total + end.states('account').get(id).balance, 0) === paidIn(end),
      'no account is below zero': (end: EndOfRun) =>
        [...end.states('account').values()].every(({ balance }) => balance >= 0),
    },
  })
}

/** What clients have paid in, less what they have drawn: what reactions did has a cause. */
function paidIn({ events }: EndOfRun): number {
  const own = events.filter(({ stream, metadata }) => stream.aggregate === 'account' && !metadata['causationId'])
  return own.reduce((total, { type, data }) => {
    const { amount = 0 } = data as { readonly amount?: number }
    return type === 'MoneyWithdrawn' ? total - amount : total + amount
  }, 0)
}

// -- reservations: timers, and a list in one state ------------------------------------------------------------------

const Held = event('SeatHeld', z.object({ by: z.string() }))
const Taken = event('SeatTaken', z.object({ by: z.string() }))
const Freed = event('SeatFreed', z.object({ by: z.string() }))
const guest = z.object({ by: z.string() })

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

const Guests = projection('guests', (): { readonly held: number; readonly taken: number } => ({ held: 0, taken: 0 }))
  .on(Held, (row) => ({ ...row, held: row.held + 1 }))
  .on(Taken, (row) => ({ ...row, taken: row.taken + 1 }))
  .by(({ data }) => data.by)
const Changes = projection('changes', () => ({ seats: [] as readonly string[] }))
  .on(Held, ({ seats }, _, { stream }) => ({ seats: [...seats, stream.id] }))
  .on(Freed, ({ seats }, _, { stream }) => ({ seats: seats.filter((id) => id !== stream.id) }))
  .single()

/** Lets go of a seat that was held and is not taken in time. */
const Release = reaction('release', { seat: Seat }).on(Held, ({ stream: { id }, data: { by } }, { schedule }) => {
  schedule({ aggregate: 'seat', id, name: 'free', data: { by } }, { afterMs: 700 })
})

const Seats = domain({
  aggregates: { seat: Seat },
  projections: { guests: Guests, changes: Changes },
  reactions: { release: Release },
})

const seats = (seed: number, steps: number, minimise = true): Promise<SimulationReport> =>
  simulate({
    seed,
    steps,
    minimise,
    domain: Seats,
    command: (random) => ({
      aggregate: 'seat',
      id: `s${random.int(1, 3)}`,
      name: random.pick(['hold', 'hold', 'take', 'free'] as const),
      data: { by: random.pick(owners) },
    }),
    options: { snapshotEvery: 2, passivateAfterMs: 500 },
    processes: 3,
  })

export const scenarios: readonly Scenario[] = [
  { name: 'transfers', run: transfers },
  { name: 'seats', run: seats },
  { name: 'parcels', run: parcels },
  { name: 'upgrades', run: upgrades },
]
