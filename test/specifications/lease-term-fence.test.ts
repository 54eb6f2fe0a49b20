/**
 * Two processes run a reaction and take the steps of the specification of lease, term and fence. Leases end while their
 * owners stand still, so both may believe that they lead. A process that stands by is started new when it leads again.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Commit } from '../../src/store/commit.ts'
import type { ProjectionStep } from '../../src/store/store.ts'
import { ledgerOf, payingStorage, type RunningOrders, startOrders } from '../support/specifications/orders.ts'
import { traces, type Value, withoutQuint } from '../support/specifications/quint.ts'
import { replay, type World } from '../support/specifications/replay.ts'
import { leaseTermFence } from '../support/specifications/specifications.ts'
import { type HeldCall, type Holds, Stage, settled } from '../support/specifications/stage.ts'

const leaseMs = 1_000_000
const processes = ['ada', 'bob'] as const
const customer = 'customer'

/** One life of a process, and what it has done. */
interface Life {
  readonly name: string
  isRunning: boolean
  /** Whether it may load the purse for a decision. Other readings of the purse are not held. */
  mayLoad: boolean
  /** What it has read last for a command, if it is handling the order. */
  lastRead: 'purse' | 'order' | undefined
}

const stepOf = (args: readonly unknown[]): ProjectionStep => args[1] as ProjectionStep

/** The calls that are steps of the specification. */
const holdsFor =
  (lives: ReadonlyMap<string, Life>): Holds =>
  (process, method, args) => {
    const life = lives.get(process)
    if (life === undefined) return false
    if (method === 'acquireLease') return true
    if (method === 'readStream') {
      life.lastRead = (args[0] as Commit['stream']).aggregate as 'purse' | 'order'
      return life.lastRead === 'purse' && life.mayLoad
    }
    if (method === 'loadCheckpoint') return args[0] === payingStorage && life.lastRead !== undefined
    if (method === 'append') return (args[0] as readonly [Commit])[0].stream.aggregate === 'purse'
    if (method === 'streamEnds') return (args[0] as readonly Commit['stream'][])[0]!.aggregate === 'purse'
    if (method !== 'saveStep') return false
    const { from, to, rows } = stepOf(args)
    if (from.position !== to.position) life.lastRead = undefined
    return from.term !== to.term || rows.length > 0
  }

function phaseOf(call: HeldCall | undefined, life: Life | undefined): string {
  if (call === undefined || life === undefined) return 'standing by'
  const { method, args } = call
  if (method === 'acquireLease') return 'standing by'
  if (method === 'readStream') return 'loading'
  if (method === 'loadCheckpoint') return life.lastRead === 'purse' ? 'fencing' : 'answered'
  if (method !== 'saveStep') return 'deciding'
  const { from, to } = stepOf(args)
  if (from.term !== to.term) return 'taking over'
  return from.position === to.position ? 'refused' : 'recorded'
}

class TwoReactions implements World {
  readonly #byName = new Map<string, Life>()
  readonly #lives = new Map<string, Life>()
  readonly #stage: Stage = new Stage(holdsFor(this.#byName))
  #count = 0
  #client: RunningOrders | undefined
  #placedAt = 0

  async begin(): Promise<this> {
    this.#client = await startOrders(this.#stage, customer, leaseMs)
    const { position } = await this.#client.order('1').place({})
    this.#placedAt = position
    return this
  }

  readonly actions: World['actions'] = {
    expire: async () => {
      this.#stage.nowMs += leaseMs + 1
    },
    change: async () => {
      const { coins } = await this.#client!.purse('one').state()
      await this.#client!.purse('one')[coins === 0 ? 'deposit' : 'spend']({})
    },
    acquire: async ({ process }) => {
      const life: Life = { name: `${process} ${++this.#count}`, isRunning: true, mayLoad: true, lastRead: undefined }
      this.#lives.set(process as string, life)
      this.#byName.set(life.name, life)
      const running = await startOrders(this.#stage, life.name, leaseMs)
      void running.reactions.runOnce('paying').then(() => {
        life.isRunning = false
      })
      await this.#stage.waitFor(life.name, 'acquireLease')
      await this.#letGo(process!)
    },
    raise: ({ process }) => this.#letGo(process!),
    load: ({ process }) => this.#letGo(process!),
    fence: ({ process }) => this.#letGo(process!),
    decide: async ({ process }, after) => {
      this.#lives.get(process as string)!.mayLoad = of(after['phase'], process!) === 'loading'
      await this.#letGo(process!)
    },
    keep: ({ process }) => this.#letGo(process!),
    record: ({ process }) => this.#letGo(process!),
    save: ({ process }) => this.#letGo(process!),
  }

  async #letGo(process: Value): Promise<void> {
    const life = this.#lives.get(process as string)!
    const call = this.#stage.heldOf(life.name)!
    await call.arrive()
    call.answer()
    const isHeld = () => this.#stage.heldOf(life.name) !== undefined
    await settled(`${life.name} does the next thing`, () => !life.isRunning || isHeld())
  }

  async compare(state: Parameters<World['compare']>[0]): Promise<void> {
    for (const process of processes) {
      const life = this.#lives.get(process)
      const call = life && this.#stage.heldOf(life.name)
      const phase = phaseOf(call, life)
      assert.equal(phase, of(state['phase'], process), process)
      const read = of(state['read'], process) as { readonly term: number }
      if (phase === 'taking over') assert.equal(stepOf(call!.args).from.term, read.term)
    }
    const store = await this.#stage.open()
    const { term, position } = await store.loadCheckpoint(payingStorage)
    assert.equal(term, state['term'])
    assert.equal(position >= this.#placedAt, state['isHandled'])
    const { rows: kept } = await store.listRows(payingStorage, { prefix: 'answer ', limit: 10 })
    assert.equal(kept.length === 1, state['isRefused'] === true && state['isHandled'] === false)
    const { coins, withdrawn, paid, failed } = await ledgerOf(this.#client!, 1)
    assert.equal(coins, state['coins'])
    assert.equal(withdrawn.length, state['hasPaid'] === true ? 1 : 0)
    const recorded = [...(failed.length > 0 ? ['failed'] : []), ...(paid.length > 0 ? ['paid'] : [])]
    assert.deepEqual(recorded, [...(state['recorded'] as readonly string[])].sort())
    const [end] = await store.streamEnds([{ aggregate: 'purse', id: 'one' }])
    assert.equal(end!.sequence, state['end'])
  }
}

const of = (map: Value | undefined, process: Value): Value => (map as ReadonlyMap<Value, Value>).get(process)!

test('two reactions go through the states of the specification', { skip: withoutQuint }, async () => {
  await replay(await traces(leaseTermFence), () => new TwoReactions().begin())
})
