/** The kernel takes the steps of the specification of exactly once: commits, ids, lost answers, and late arrivals. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Commit } from '../../src/store/commit.ts'
import { type RunningLines, startLines } from '../support/specifications/lines.ts'
import { traces, withoutQuint } from '../support/specifications/quint.ts'
import { replay, type World } from '../support/specifications/replay.ts'
import { exactlyOnce } from '../support/specifications/specifications.ts'
import { type HeldCall, Stage, settled } from '../support/specifications/stage.ts'

const stream = { aggregate: 'line', id: 'one' }
const processes = ['ada', 'bob'] as const

/** A commit as the specification knows it. */
interface Sent {
  readonly id: string
  readonly expected: number
}

const sentBy = ({ args }: HeldCall): Sent => {
  const [{ id, expected }] = args[0] as readonly [Commit]
  return { id, expected: expected as number }
}
const phaseOf = (call: HeldCall | undefined): string =>
  call === undefined ? 'idle' : call.hasArrived ? 'arrived' : 'sent'
const nameOf = ({ id, expected }: Sent): string => `${id} behind ${expected}`

async function kernels(): Promise<World> {
  const stage = new Stage((_, method) => method === 'append')
  const store = await stage.open()
  /** Each life of a process has a name of its own. */
  const lives = new Map<string, number>(processes.map((process) => [process, 0]))
  const lifeOf = (process: string) => `${process} ${lives.get(process)}`
  const running = new Map<string, RunningLines>()
  const start = async (process: string) => running.set(process, await startLines(stage, lifeOf(process)))
  for (const process of processes) await start(process)
  const asked = new Set<string>()
  const told = new Set<string>()
  const late = new Map<string, HeldCall>()

  const next = (process: string) => stage.waitFor(lifeOf(process), 'append')
  return {
    actions: {
      ask: async ({ process, id }) => {
        const life = lifeOf(process as string)
        asked.add(life)
        const { line } = running.get(process as string)!
        const answer = line('one').grow({ by: 1 }, { commandId: id as string })
        void answer.then(({ sequence }) => {
          asked.delete(life)
          told.add(`${id} at ${sequence}`)
        })
        await next(process as string)
      },
      arrive: async ({ process }) => (await next(process as string)).arrive(),
      answer: async ({ process }) => {
        const life = lifeOf(process as string)
        stage.heldOf(life)!.answer()
        await settled('the caller is told, or the process tries again', () => {
          return !asked.has(life) || stage.heldOf(life) !== undefined
        })
      },
      lose: async ({ process }) => {
        stage.heldOf(lifeOf(process as string))!.fail('STORE_UNAVAILABLE')
        await stage.endPauses()
        await next(process as string)
      },
      crash: async ({ process }) => {
        const life = lifeOf(process as string)
        const call = stage.heldOf(life)!
        if (!call.hasArrived) late.set(nameOf(sentBy(call)), call)
        lives.set(process as string, lives.get(process as string)! + 1)
        await start(process as string)
      },
      land: async ({ commit }) => {
        const name = nameOf(commit as unknown as Sent)
        await late.get(name)!.arrive()
        late.delete(name)
      },
    },
    compare: async (state) => {
      const events = await store.readStream(stream, { from: 1, to: Number.POSITIVE_INFINITY })
      assert.deepEqual(
        events.map(({ commitId }) => commitId),
        state['stream'],
      )
      for (const process of processes) {
        const call = stage.heldOf(lifeOf(process))
        assert.equal(phaseOf(call), (state['phase'] as Map<string, string>).get(process), process)
        if (call !== undefined) assert.deepEqual(sentBy(call), (state['sent'] as Map<string, unknown>).get(process))
      }
      const wanted = (state['told'] as { id: string; place: number }[]).map(({ id, place }) => `${id} at ${place}`)
      assert.deepEqual([...told].sort(), wanted.sort())
      assert.deepEqual([...late.keys()].sort(), (state['late'] as unknown as Sent[]).map(nameOf).sort())
    },
  }
}

test('the kernel goes through the states of the specification', { skip: withoutQuint }, async () => {
  await replay(await traces(exactlyOnce), kernels)
})
