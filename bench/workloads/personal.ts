/**
 * W13: what two personal fields cost a command: the processor time and the time on the clock that commands take, by
 * those of the same commands with plain fields. Both run in one process, in turns, and each is first in half of the
 * rounds.
 */
import { z } from 'zod'
import { aggregate, domain, event, type Personal, personal } from '../../src/index.ts'
import { type Figure, median } from '../figure.ts'
import { makePlace, type Setting } from '../setting.ts'

const fields = z.object({ id: z.string(), email: z.string(), name: z.string(), city: z.string() })
const whose = { subject: ({ id }: { readonly id: string }) => id, fields: ['email', 'name'] } as const
const PlainChanged = event('Changed', fields)
const Changed = event('Changed', fields).personal(whose)

const Plain = domain({
  aggregates: {
    customer: aggregate('customer', () => ({ email: '' }))
      .on(PlainChanged, (_, { email }) => ({ email }))
      .command('change', fields, (_, data) => PlainChanged(data)),
  },
})
const Protected = domain({
  aggregates: {
    customer: aggregate('customer', () => ({ email: undefined as Personal<string> | undefined }))
      .on(Changed, (_, { email }) => ({ email }))
      .command('change', personal(fields, whose), (_, data) => Changed(data)),
  },
})

const customers = 500
const data = (id: string) => ({ id, email: 'ada.lovelace@example.org', name: 'Ada Lovelace', city: 'London' })

type Send = (id: string) => Promise<unknown>

export async function measurePersonal(setting: Setting): Promise<readonly Figure[]> {
  return [...(await measureOne(setting, 'W13', 50, 20_000)), ...(await measureOne(setting, 'W13-alone', 1, 2_000))]
}

async function measureOne(setting: Setting, id: string, callers: number, commands: number): Promise<readonly Figure[]> {
  const { store, rounds, scale } = setting
  const places = [makePlace(setting), makePlace(setting)] as const
  const plain = await Plain.start({ store: places[0].factory })
  const guarded = await Protected.start({ store: places[1].factory })
  const sends: readonly Send[] = [
    (customer) => plain.customer(customer).change(data(customer)),
    (customer) => guarded.customer(customer).change(data(customer)),
  ]
  const count = Math.max(callers * 10, commands * scale)
  const ratios: Cost[] = []
  for (let round = 0; round <= rounds; round++) {
    const costs: Cost[] = []
    for (const which of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      costs[which] = await costOf(sends[which]!, callers, count)
    }
    const [bare, sealed] = costs as [Cost, Cost]
    if (round > 0) ratios.push({ processor: sealed.processor / bare.processor, clock: sealed.clock / bare.clock })
  }
  const memoryPeakBytes = process.memoryUsage.rss()
  await plain.stop()
  await guarded.stop()
  for (const place of places) await place.remove()
  const who = callers === 1 ? '1 caller' : `${callers} callers`
  const figureOf = (figureId: string, time: string, values: readonly number[]): Figure => ({
    id: figureId,
    what: `commands with two personal fields, ${who}: ${time}, by that of the same commands with plain fields`,
    store,
    unit: 'times',
    value: median(values),
    memoryPeakBytes,
  })
  return [
    figureOf(
      id,
      'processor time',
      ratios.map(({ processor }) => processor),
    ),
    figureOf(
      `${id}-clock`,
      'time on the clock',
      ratios.map(({ clock }) => clock),
    ),
  ]
}

/** What some commands cost. Only the ratios of two are used, so the units do not matter. */
interface Cost {
  readonly processor: number
  readonly clock: number
}

async function costOf(send: Send, callers: number, count: number): Promise<Cost> {
  const [before, startedAt] = [process.cpuUsage(), performance.now()]
  let next = 0
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (next < count) await send(`c${next++ % customers}`)
    }),
  )
  const { user, system } = process.cpuUsage(before)
  return { processor: user + system, clock: performance.now() - startedAt }
}
