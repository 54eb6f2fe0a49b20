/**
 * W13: what two personal fields cost a command: its processor time by that of the same command with plain fields. Both
 * run in one process, in turns, and each is first in half of the rounds.
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
  return [await measureOne(setting, 'W13', 50, 20_000), await measureOne(setting, 'W13-alone', 1, 2_000)]
}

async function measureOne(setting: Setting, id: string, callers: number, commands: number): Promise<Figure> {
  const { store, rounds, scale } = setting
  const places = [makePlace(setting), makePlace(setting)] as const
  const plain = await Plain.start({ store: places[0].factory })
  const guarded = await Protected.start({ store: places[1].factory })
  const sends: readonly Send[] = [
    (customer) => plain.customer(customer).change(data(customer)),
    (customer) => guarded.customer(customer).change(data(customer)),
  ]
  const count = Math.max(callers * 10, commands * scale)
  const costs: [number[], number[]] = [[], []]
  for (let round = 0; round <= rounds; round++) {
    for (const which of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      const cost = await costOf(sends[which]!, callers, count)
      if (round > 0) costs[which].push(cost)
    }
  }
  const memoryPeakBytes = process.memoryUsage.rss()
  await plain.stop()
  await guarded.stop()
  for (const place of places) await place.remove()
  const who = callers === 1 ? '1 caller' : `${callers} callers`
  const what = `a command with two personal fields, ${who}: processor time, by that of the same command with plain fields`
  return { id, what, store, unit: 'times', value: median(costs[1]) / median(costs[0]), memoryPeakBytes }
}

/** The processor time of some commands, in microseconds. */
async function costOf(send: Send, callers: number, count: number): Promise<number> {
  const before = process.cpuUsage()
  let next = 0
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (next < count) await send(`c${next++ % customers}`)
    }),
  )
  const { user, system } = process.cpuUsage(before)
  return user + system
}
