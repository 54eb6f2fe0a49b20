/**
 * Tries a takeover at every moment at which a run waits. The n-th call to the store hangs, before or after its effect,
 * while another process takes over and handles what there is. Then the first process continues as if nothing had
 * happened. n = 1, 2, ... until a run ends without meeting its gate. Leases do not help here: every process gets each.
 */
import type { OpenOptions, Store, StoreFactory } from '../../../src/store/store.ts'
import { withoutLeases } from '../kernel/rig.ts'

/** Where a run is held: before the effect of a call, or between that and its answer. */
type Side = 'before' | 'behind'

/** A store in which one call meets something. */
interface GatedStore {
  readonly store: StoreFactory
  /** Calls are counted from here on. */
  arm(): void
  readonly isMet: boolean
}

/** Calls that say nothing of what is stored, and come at any time. */
const passing: ReadonlySet<string | symbol> = new Set(['name', 'limits', 'singleWriter', 'onAppend', 'close', 'head'])

function gated(factory: StoreFactory, n: number, side: Side, meanwhile: () => Promise<void>): GatedStore {
  let calls = -1
  let isMet = false
  const meet = async () => {
    isMet = true
    await meanwhile()
  }
  const callOf =
    (effect: (...args: readonly unknown[]) => Promise<unknown>) =>
    async (...args: readonly unknown[]) => {
      const isGate = calls >= 0 && ++calls === n
      if (isGate && side === 'before') await meet()
      const result = await effect(...args)
      if (isGate && side === 'behind') await meet()
      return result
    }
  const open = async (options: OpenOptions): Promise<Store> =>
    new Proxy(await withoutLeases(factory).open(options), {
      get(target, name) {
        const value = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return passing.has(name) ? value.bind(target) : callOf(value.bind(target))
      },
    })
  return {
    store: { name: factory.name, open },
    arm: () => {
      calls = 0
    },
    get isMet() {
      return isMet
    },
  }
}

/** What is tried: everything is made new for each n. */
export interface Trial {
  /** The store that both processes have. */
  readonly store: StoreFactory
  /** Starts the process that is overtaken, on a store of which one call is a gate. */
  readonly begin: (store: StoreFactory) => Promise<AsyncDisposable & { run(): Promise<unknown> }>
  /** What another process does meanwhile. */
  readonly takeOver: (store: StoreFactory) => Promise<void>
  /** Looks at what came of it. */
  readonly check: (store: StoreFactory, place: string) => Promise<void>
}

/**
 * Tries every gate, or each of which a stride comes to; says how many there were.
 *
 * @param stride 1 tries all of them
 */
export async function tryTakeovers(trialOf: () => Promise<Trial>, stride: number = 1): Promise<number> {
  let gates = 0
  for (const side of ['before', 'behind'] as const) {
    for (let n = side === 'before' ? 1 : Math.ceil(stride / 2); ; n += stride) {
      const trial = await trialOf()
      const unleased = withoutLeases(trial.store)
      const gate = gated(trial.store, n, side, () => trial.takeOver(unleased))
      {
        await using process = await trial.begin(gate.store)
        gate.arm()
        await process.run()
      }
      if (!gate.isMet) await trial.takeOver(unleased)
      await trial.check(unleased, `${side} call ${n}`)
      if (!gate.isMet) break
      gates += stride
    }
  }
  return gates
}
