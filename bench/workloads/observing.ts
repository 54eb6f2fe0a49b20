/**
 * What an observer costs: the processor time of a command with one, by that without one. One does nothing; the others
 * are OpenTelemetry with a real SDK that exports nothing, for traces that are not sampled and for those that are. All
 * banks run in one process and take turns, in both orders, so that none is always the first.
 */
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import { AlwaysOffSampler, AlwaysOnSampler, BasicTracerProvider, type Sampler } from '@opentelemetry/sdk-trace-base'
import type { StartOptions } from '../../src/index.ts'
import { telemetry } from '../../src/otel/index.ts'
import { plainTeller } from '../bank.ts'
import { type Figure, median } from '../figure.ts'
import { drive, type Load } from '../rounds.ts'
import { makePlace, type Setting } from '../setting.ts'

const accounts = 100
const callers = 1000

const measured = {
  observed: 'an observer',
  'observed-unsampled': 'OpenTelemetry, of whose traces none is sampled',
  'observed-sampled': 'OpenTelemetry, of whose traces all are recorded',
} as const

type Kind = keyof typeof measured
const kinds = Object.keys(measured) as readonly Kind[]

function observerOf(kind: Kind): NonNullable<StartOptions['observe']> {
  if (kind === 'observed') return () => {}
  const sampler: Sampler = kind === 'observed-sampled' ? new AlwaysOnSampler() : new AlwaysOffSampler()
  const tracerProvider = new BasicTracerProvider({ sampler })
  return telemetry({ tracerProvider, meterProvider: new MeterProvider() })
}

export async function measureObserving(setting: Setting): Promise<readonly Figure[]> {
  const without = await bank(setting, undefined)
  const banks = await Promise.all(kinds.map(async (kind) => ({ kind, ...(await bank(setting, observerOf(kind))) })))
  const costs: number[] = []
  const ratios = new Map<Kind, number[]>(kinds.map((kind) => [kind, []]))
  for (let round = 0; round <= 2 * setting.rounds; round++) {
    const order = [{ kind: undefined, ...without }, ...banks]
    const found = new Map<Kind | undefined, number>()
    for (const { kind, load } of round % 2 === 0 ? order : order.reverse()) {
      const { cpuSeconds, operations } = await drive(load, setting.roundMs)
      found.set(kind, (cpuSeconds / operations) * 100_000)
    }
    // The first round warms up.
    if (round === 0) continue
    costs.push(found.get(undefined)!)
    for (const kind of kinds) ratios.get(kind)!.push(found.get(kind)! / found.get(undefined)!)
  }
  const memoryPeakBytes = process.memoryUsage.rss()
  for (const { load, remove } of [without, ...banks]) {
    await load.close()
    await remove()
  }
  const shared = { store: setting.store, memoryPeakBytes }
  const cost = median(costs)
  return [
    ...kinds.map(
      (kind): Figure => ({
        ...shared,
        id: kind,
        what: `processor time of a deposit with ${measured[kind]}, by that without one (W6c without a validator)`,
        unit: 'times',
        value: median(ratios.get(kind)!),
        cpuSecondsPer100k: cost * median(ratios.get(kind)!),
      }),
    ),
    {
      ...shared,
      id: 'observed-not',
      what: 'processor time of 100,000 deposits without an observer',
      unit: 'ms',
      value: cost * 1000,
      cpuSecondsPer100k: cost,
    },
  ]
}

interface Measured {
  readonly load: Load
  readonly remove: () => Promise<void>
}

async function bank(setting: Setting, observe: StartOptions['observe']): Promise<Measured> {
  const place = makePlace(setting)
  const teller = await plainTeller({ store: place.factory, ...(observe && { observe }) })
  const ids = Array.from({ length: accounts }, (_, i) => `account-${i}`)
  await Promise.all(ids.map((id) => teller.open(id)))
  return {
    load: {
      callers,
      operation: () => teller.deposit(ids[Math.floor(Math.random() * accounts)]!),
      close: () => teller.stop(),
    },
    remove: () => place.remove(),
  }
}
