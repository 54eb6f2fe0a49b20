/**
 * Meters, in two versions. The newer one has an event in a new revision, a new kind of event, a state and a projection
 * of another shape, a projection without a fault, and a reaction that handles the new kind too.
 */
import assert from 'node:assert/strict'
import { z } from 'zod'
import {
  aggregate,
  domain,
  type EventOf,
  event,
  projection,
  type ReactionTools,
  reaction,
  reject,
} from '../../../src/index.ts'
import type { EndOfRun } from '../../../src/testing/simulation/end-of-run.ts'
import { type SimulationReport, simulate } from '../../../src/testing/simulation/simulate.ts'
import { faultsWithRestores } from './restores.ts'
import type { Together } from './together.ts'

const Billed = event('Billed', z.object({ meter: z.string(), sequence: z.number(), units: z.number() }))
const bill = z.object({ meter: z.string(), sequence: z.number(), units: z.number() })

/** All that was billed, in order. */
const Bills = aggregate('bills', () => ({ billed: [] as readonly string[] }))
  .on(Billed, ({ billed }, { meter, sequence, units }) => ({ billed: [...billed, `${meter} ${sequence} ${units}`] }))
  .command('bill', bill, (_, data) => Billed(data))

const reading = z.object({ units: z.number() })

/** Notes each bill, but not those notes themselves. */
const onBilled = async (
  { stream: { id }, data }: EventOf<typeof Billed>,
  { dispatch }: ReactionTools<{ readonly bills: typeof Bills }>,
) => {
  if (!id.startsWith('audit')) await dispatch({ aggregate: 'bills', id: `audit of ${id}`, name: 'bill', data })
}

/** The first version counts whole units. */
function firstVersion() {
  const Read = event('MeterRead', reading)
  const Meter = aggregate('meter', () => ({ units: 0, reads: 0 }))
    .on(Read, ({ units, reads }, read) => ({ units: units + read.units, reads: reads + 1 }))
    .command('record', reading, ({ units: before }, { units }) =>
      before + units > 60 ? reject('Full', { units: before }) : Read({ units }),
    )
    .command('check', reading, () => undefined)
  const Totals = projection('totals', () => ({ units: 0 }))
    .on(Read, (row, { units }) => ({ units: row.units + units }))
    .by(({ stream }) => stream.id)
  // It has a fault: some events fail, and are parked until the next version comes.
  const Order = projection('order', () => ({ units: [] as readonly number[] }))
    .on(Read, (row, { units }) => {
      if (units === 7) throw new RangeError('seven')
      return { units: [...row.units, units] }
    })
    .by(({ stream }) => stream.id)
    .onFailure({ retries: 0, giveUp: 'park' })
  const Billing = reaction('billing', { bills: Bills }).on(
    Read,
    async ({ stream: { id: meter }, sequence, data: { units } }, { dispatch }) => {
      await dispatch({ aggregate: 'bills', id: meter, name: 'bill', data: { meter, sequence, units } })
    },
  )
  const Auditing = reaction('auditing', { bills: Bills }).on(Billed, onBilled)
  return domain({
    aggregates: { meter: Meter, bills: Bills },
    projections: { totals: Totals, order: Order },
    reactions: { billing: Billing, auditing: Auditing },
  })
}

/** The second version counts tenths, and notes checks. */
function secondVersion() {
  const Read = event('MeterRead', reading).revise(z.object({ tenths: z.number() }), ({ units }) => ({
    tenths: units * 10,
  }))
  const Checked = event('MeterChecked', z.object({ units: z.number() }))
  const Meter = aggregate('meter', () => ({ tenths: 0, reads: 0, checks: 0 }), { stateRevision: 2 })
    .on(Read, (state, { tenths }) => ({ ...state, tenths: state.tenths + tenths, reads: state.reads + 1 }))
    .on(Checked, (state) => ({ ...state, checks: state.checks + 1 }))
    .command('record', reading, ({ tenths: before }, { units }) =>
      before + units * 10 > 600 ? reject('Full', { units: before / 10 }) : Read({ tenths: units * 10 }),
    )
    .command('check', reading, (_, { units }) => Checked({ units }))
  const Totals = projection('totals', () => ({ tenths: 0, checks: 0 }))
    .on(Read, (row, { tenths }) => ({ ...row, tenths: row.tenths + tenths }))
    .on(Checked, (row) => ({ ...row, checks: row.checks + 1 }))
    .by(({ stream }) => stream.id)
    .revision(2)
  const Order = projection('order', () => ({ units: [] as readonly number[] }))
    .on(Read, (row, { tenths }) => ({ units: [...row.units, tenths / 10] }))
    .by(({ stream }) => stream.id)
    .onFailure({ retries: 0, giveUp: 'park' })
  const Billing = reaction('billing', { bills: Bills }).on(
    Read,
    async ({ stream: { id: meter }, sequence, data: { tenths } }, { dispatch }) => {
      const data = { meter, sequence, units: tenths / 10 }
      await dispatch({ aggregate: 'bills', id: meter, name: 'bill', data })
    },
  )
  // Checks are new. While the first version leads, it passes them over.
  const Auditing = reaction('auditing', { bills: Bills })
    .on(Billed, onBilled)
    .on(Checked, async ({ stream: { id: meter }, sequence, data: { units } }, { dispatch }) => {
      await dispatch({ aggregate: 'bills', id: `audit of ${meter}`, name: 'bill', data: { meter, sequence, units } })
    })
  return domain({
    aggregates: { meter: Meter, bills: Bills },
    projections: { totals: Totals, order: Order },
    reactions: { billing: Billing, auditing: Auditing },
  })
}

export const upgrades = (
  seed: number,
  steps: number,
  minimise = true,
  together: Together = {},
): Promise<SimulationReport> =>
  simulate({
    seed,
    steps,
    minimise,
    domain: firstVersion(),
    upgrades: [secondVersion()],
    command: (random) => ({
      aggregate: 'meter',
      id: `m${random.int(1, 3)}`,
      name: random.pick(['record', 'record', 'check'] as const),
      data: { units: random.int(1, 8) },
    }),
    faults: faultsWithRestores(seed),
    options: { snapshotEvery: 2, passivateAfterMs: 500 },
    ...together,
    invariants: {
      'every reading is billed once, and every bill and every check is audited once': (end: EndOfRun) => {
        const ofMeters = end.events.filter(({ stream }) => stream.aggregate === 'meter')
        const told = ofMeters.map(({ stream, sequence, type, data }) => {
          const { tenths, units } = data as { readonly tenths: number; readonly units: number }
          return { type, text: `${stream.id} ${sequence} ${type === 'MeterRead' ? tenths / 10 : units}` }
        })
        const bills = [...end.states('bills')]
        const billedIn = (isAudit: boolean): readonly string[] =>
          bills.filter(([id]) => id.startsWith('audit') === isAudit).flatMap(([, { billed }]) => billed)
        const read = told.filter(({ type }) => type === 'MeterRead').map(({ text }) => text)
        assert.deepEqual(billedIn(false).toSorted(), read.toSorted())
        assert.deepEqual(billedIn(true).toSorted(), told.map(({ text }) => text).toSorted())
      },
    },
  })
