/** Money: two aggregates, a projection, and a reaction that takes one of two ways. */
import { TransferBank } from '../../../examples/transfer/bank.ts'
import type { EndOfRun } from '../../../src/testing/simulation/end-of-run.ts'
import { drawFaults } from '../../../src/testing/simulation/faults.ts'
import { type SimulationReport, simulate } from '../../../src/testing/simulation/simulate.ts'
import type { Together } from './together.ts'

const owners = ['ada', 'bob', 'cy']
const opening = 100

export function transfers(
  seed: number,
  steps: number,
  minimise = true,
  together: Together = {},
): Promise<SimulationReport> {
  let transfer = 0
  const isContended = seed % 4 === 2
  const giveUp = seed % 16 === 8 ? 0.3 : 0
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
      if (random.chance(isContended ? 0.2 : 0.4)) {
        const data = { from: random.pick(owners), to: random.pick([...owners, 'nobody']), amount: random.int(1, 200) }
        return { aggregate: 'transfer', id: `t${++transfer}`, name: 'request', data }
      }
      const name = random.pick(['deposit', 'withdraw'] as const)
      const id = isContended && random.chance(0.8) ? owners[0]! : random.pick(owners)
      return { aggregate: 'account', id, name, data: { amount: random.int(1, 200) } }
    },
    options: { passivateAfterMs: 2000, snapshotEvery: 5, leaseMs: 1000 },
    // Every other run has many takeovers from processes that are still alive, or many writers to a stream.
    ...(seed % 4 === 0 && { faults: { freeze: 0.2, slow: 0.1, loseAnswer: 0.05, loseHint: 0.3, giveUp } }),
    ...(isContended && { processes: 4, faults: { freeze: 0.1, slow: 0.3, loseAnswer: 0.05, loseHint: 0.3 } }),
    // After a reset, commands that were rejected are decided again. So the log never goes back alone.
    ...(seed % 4 === 1 && { faults: { ...drawFaults(seed), restore: 0.04 } }),
    ...together,
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
