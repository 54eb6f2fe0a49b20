/** Two rebuilds and a runner take the steps of the specification of the switch. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { aggregate, type Domain, domain, event, projection, type Running } from '../../src/index.ts'
import type { ProjectionStep, Store } from '../../src/store/store.ts'
import { recorder } from '../support/kernel/rig.ts'
import { traces, type Value, withoutQuint } from '../support/specifications/quint.ts'
import { replay, type World } from '../support/specifications/replay.ts'
import { blueGreenSwitch } from '../support/specifications/specifications.ts'
import { type HeldCall, type Holds, Stage, settled } from '../support/specifications/stage.ts'

const none = z.object({})
const Ticked = event('Ticked', none)
const Clock = aggregate('clock', () => ({}))
  .on(Ticked)
  .command('tick', none, () => Ticked({}))
const Counting = projection('counting', () => ({ count: 0 }))
  .on(Ticked, ({ count }) => ({ count: count + 1 }))
  .by(() => 'all')
const parts = { aggregates: { clock: Clock }, projections: { counting: Counting } }
type RunningClocks = Running<typeof parts.aggregates, typeof parts.projections>
const Clocks: Domain<typeof parts.aggregates, typeof parts.projections> = domain(parts)

const leaseMs = 1_000_000
const rebuilds = ['ada', 'bob'] as const
const record = 'generations counting'
const retiredAt = Number.MAX_SAFE_INTEGER

/** One life of a process that runs or rebuilds the projection. */
interface Life {
  readonly name: string
  readonly running: RunningClocks
  isBusy: boolean
  /** Whether it has begun a generation. From then on its changes of the record are held. */
  hasBegun: boolean
}

/** The calls that are steps of the specification: changes of the record, and of rows. */
const holdsFor =
  (lives: ReadonlyMap<string, Life>): Holds =>
  (process, method, args) => {
    const life = lives.get(process)
    if (life === undefined || method !== 'saveStep') return false
    const [name, { from, to, rows }] = args as [string, ProjectionStep]
    if (name === record) {
      const isHeld = life.hasBegun
      life.hasBegun = true
      return isHeld
    }
    return to.position === retiredAt || (from.term === to.term && rows.length > 0)
  }

function phaseOf(call: HeldCall | undefined): string {
  if (call === undefined) return 'idle'
  const [name, { from, to, rows }] = call.args as [string, ProjectionStep]
  if (name === record)
    return (rows[0]!.value as { retired: readonly string[] }).retired.length > 0 ? 'built' : 'tidying'
  if (to.position !== retiredAt) return 'building'
  return from.term === to.term ? 'clearing' : 'marking'
}

class Clockwork implements World {
  readonly #byName = new Map<string, Life>()
  readonly #rebuilds = new Map<string, Life>()
  readonly #stage: Stage = new Stage(holdsFor(this.#byName))
  readonly #storages: string[] = ['counting']
  #runner: Life | undefined
  #store: Store | undefined
  #client: RunningClocks | undefined
  #count = 0

  async begin(): Promise<this> {
    this.#store = await this.#stage.open()
    this.#client = await this.#start('client')
    this.#runner = await this.#live('runner')
    for (const process of rebuilds) this.#rebuilds.set(process, await this.#live(process))
    return this
  }

  readonly actions: World['actions'] = {
    grow: async () => void (await this.#client!.clock('one').tick({})),
    count: async () => {
      // Between rebuilds a runner would clean up itself. Here only rebuilds do.
      await this.#store!.acquireLease('rebuild counting', 'nobody', leaseMs)
      await this.#busy(this.#runner!, this.#runner!.running.projections.runOnce('counting'))
    },
    save: () => this.#letGo(this.#runner!),
    begin: async ({ rebuild }) => {
      // The lease of the rebuild before has ended.
      this.#stage.nowMs += leaseMs + 1
      const life = this.#rebuildOf(rebuild!)
      life.hasBegun = false
      await this.#busy(life, life.running.projections.rebuild('counting'))
      const [stored] = await this.#store!.loadRows(record, ['generations'])
      this.#storages.push((stored as unknown as { building: { storage: string } }).building.storage)
    },
    build: ({ rebuild }) => this.#letGo(this.#rebuildOf(rebuild!)),
    switchOver: ({ rebuild }) => this.#letGo(this.#rebuildOf(rebuild!)),
    mark: async ({ rebuild }) => {
      const life = this.#rebuildOf(rebuild!)
      const place = () => this.#stage.heldOf(life.name)?.args[0]
      const marked = place()
      await this.#letGo(life)
      // If somebody has moved the checkpoint since it was read, it is read and marked again.
      while (phaseOf(this.#stage.heldOf(life.name)) === 'marking' && place() === marked) await this.#letGo(life)
    },
    clear: ({ rebuild }) => this.#letGo(this.#rebuildOf(rebuild!)),
    tidied: ({ rebuild }) => this.#letGo(this.#rebuildOf(rebuild!)),
    crash: async ({ rebuild }) => void this.#rebuilds.set(rebuild as string, await this.#live(rebuild as string)),
  }

  #rebuildOf(process: Value): Life {
    return this.#rebuilds.get(process as string)!
  }

  #start(process: string): Promise<RunningClocks> {
    const { environment } = this.#stage
    const store = this.#stage.storeOf(process)
    return Clocks.start({ store, environment, projections: 'manual', leaseMs, log: recorder() })
  }

  async #live(process: string): Promise<Life> {
    const name = `${process} ${++this.#count}`
    const life: Life = { name, running: await this.#start(name), isBusy: false, hasBegun: false }
    this.#byName.set(name, life)
    return life
  }

  async #busy(life: Life, work: PromiseLike<unknown>): Promise<void> {
    life.isBusy = true
    void Promise.resolve(work)
      .catch(({ code }) => assert.equal(code, 'REBUILD_RUNNING'))
      .then(() => {
        life.isBusy = false
      })
    await this.#goOn(life)
  }

  #goOn(life: Life): Promise<void> {
    const isHeld = () => this.#stage.heldOf(life.name) !== undefined
    return settled(`${life.name} does the next thing`, () => !life.isBusy || isHeld())
  }

  async #letGo(life: Life): Promise<void> {
    const call = this.#stage.heldOf(life.name)!
    await call.arrive()
    call.answer()
    await this.#goOn(life)
  }

  async compare(state: Parameters<World['compare']>[0]): Promise<void> {
    const store = this.#store!
    assert.equal(await store.head(), state['top'])
    const numberOf = (storage: string) => this.#storages.indexOf(storage)
    const [stored] = (await store.loadRows(record, ['generations'])) as unknown as readonly [Stored | undefined]
    const { live, building, retired } = state['record'] as unknown as Wanted
    assert.equal(numberOf(stored?.live.storage ?? 'counting'), live, 'the live generation')
    assert.equal(
      stored?.building === undefined ? -1 : numberOf(stored.building.storage),
      building,
      'the one in building',
    )
    assert.deepEqual((stored?.retired ?? []).map(numberOf), retired, 'the retired ones')
    for (const [generation, wanted] of state['rows'] as unknown as ReadonlyMap<number, WantedRows>) {
      const storage = this.#storages[generation]
      if (storage === undefined) continue
      const { position } = await store.loadCheckpoint(storage)
      const [row] = await store.loadRows(storage, ['all'])
      assert.equal(position, wanted.marks > 0 ? retiredAt : wanted.position, `the place of ${generation}`)
      assert.equal((row as { count: number } | undefined)?.count ?? 0, wanted.count, `the rows of ${generation}`)
    }
    for (const process of rebuilds) {
      const { phase, aim } = (state['doing'] as ReadonlyMap<string, { phase: string; aim: number }>).get(process)!
      const call = this.#stage.heldOf(this.#rebuildOf(process).name)
      assert.equal(phaseOf(call), phase, process)
      if (phase === 'building') assert.equal((call!.args[1] as ProjectionStep).to.position, aim, process)
    }
    const { isCounting, on, aim } = state['runner'] as { isCounting: boolean; on: number; aim: number }
    const call = this.#stage.heldOf(this.#runner!.name)
    assert.equal(call !== undefined, isCounting, 'the runner')
    if (call === undefined) return
    assert.equal(numberOf(call.args[0] as string), on)
    assert.equal((call.args[1] as ProjectionStep).to.position, aim)
  }
}

/** The record as it is stored. */
interface Stored {
  readonly live: { readonly storage: string }
  readonly building?: { readonly storage: string }
  readonly retired: readonly string[]
}

/** The record and the rows of the specification. */
interface Wanted {
  readonly live: number
  readonly building: number
  readonly retired: readonly number[]
}
interface WantedRows {
  readonly position: number
  readonly count: number
  readonly marks: number
}

test('rebuilds and a runner go through the states of the specification', { skip: withoutQuint }, async () => {
  await replay(await traces(blueGreenSwitch), () => new Clockwork().begin())
})
