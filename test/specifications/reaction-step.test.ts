/** A reaction takes the steps of the specification of a reaction's step: commands, a kept refusal, crashes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Commit } from '../../src/store/commit.ts'
import type { ProjectionStep } from '../../src/store/store.ts'
import { ledgerOf, payingStorage, type RunningOrders, startOrders } from '../support/specifications/orders.ts'
import { traces, withoutQuint } from '../support/specifications/quint.ts'
import { replay, type World } from '../support/specifications/replay.ts'
import { reactionStep } from '../support/specifications/specifications.ts'
import { type HeldCall, type Holds, Stage, settled } from '../support/specifications/stage.ts'

const leaseMs = 10_000
const ordersMax = 3
const customer = 'customer'

/** The calls between which the reaction may die: keeping a refusal, recording an order, and saving the step. */
const holds: Holds = (process, method, args) => {
  if (process === customer) return false
  if (method === 'append') return (args[0] as readonly [Commit])[0].stream.aggregate === 'order'
  if (method !== 'saveStep') return false
  const { from, to, rows } = args[1] as ProjectionStep
  return from.term === to.term && rows.length > 0
}

const phaseOf = (call: HeldCall | undefined): string => {
  if (call === undefined) return 'begin'
  if (call.method === 'append') return 'answered'
  const { from, to } = call.args[1] as ProjectionStep
  return from.position === to.position ? 'refused' : 'recorded'
}

const numbers = (ids: readonly string[]): readonly number[] => ids.map(Number).sort((a, b) => a - b)
const sorted = (set: unknown): readonly number[] => [...(set as number[])].sort((a, b) => a - b)

async function reactions(): Promise<World> {
  const stage = new Stage(holds)
  const store = await stage.open()
  const client = await startOrders(stage, customer, leaseMs)
  await client.purse('one').deposit({})
  let lives = 0
  let life = ''
  let reaction: RunningOrders
  let isRunning = false
  const live = async () => {
    life = `reaction ${++lives}`
    reaction = await startOrders(stage, life, leaseMs)
    isRunning = false
  }
  await live()
  let placed = 0
  const places: number[] = []

  const goOn = () => settled('the reaction does the next thing', () => !isRunning || stage.heldOf(life) !== undefined)
  const letGo = async () => {
    const call = stage.heldOf(life)!
    await call.arrive()
    call.answer()
    await goOn()
  }
  return {
    actions: {
      place: async () => {
        const { position } = await client.order(`${++placed}`).place({})
        places.push(position)
      },
      deposit: async () => void (await client.purse('one').deposit({})),
      spend: async () => void (await client.purse('one').spend({})),
      withdraw: async () => {
        isRunning = true
        const mine = life
        void reaction.reactions.runOnce('paying').then(() => {
          if (mine === life) isRunning = false
        })
        await goOn()
      },
      keep: letGo,
      record: letGo,
      save: letGo,
      crash: async () => {
        await live()
        stage.nowMs += leaseMs + 1
      },
    },
    compare: async (state) => {
      assert.equal(phaseOf(stage.heldOf(life)), state['phase'])
      const { coins, withdrawn, paid, failed } = await ledgerOf(client, ordersMax)
      assert.equal(coins, state['coins'])
      assert.deepEqual(numbers(withdrawn), sorted(state['withdrawn']))
      assert.deepEqual(numbers(paid), sorted(state['paid']))
      assert.deepEqual(numbers(failed), sorted(state['failed']))
      const { position } = await store.loadCheckpoint(payingStorage)
      assert.equal(places.filter((place) => place <= position).length, state['handled'])
      const { rows: kept } = await store.listRows(payingStorage, { prefix: 'answer ', limit: 10 })
      assert.equal(kept.length, (state['refused'] as unknown as readonly number[]).length)
      const [counted] = await store.loadRows(payingStorage, ['state all'])
      assert.equal((counted as { count: number } | undefined)?.count ?? 0, state['counted'])
    },
  }
}

test('a reaction goes through the states of the specification', { skip: withoutQuint }, async () => {
  await replay(await traces(reactionStep), reactions)
})
