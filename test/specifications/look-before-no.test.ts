/** The kernel takes the steps of the specification of the look before a no. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Commit } from '../../src/store/commit.ts'
import { leftOut } from '../support/size.ts'
import { type RunningLines, startLines } from '../support/specifications/lines.ts'
import { traces, withoutQuint } from '../support/specifications/quint.ts'
import { replay, type World } from '../support/specifications/replay.ts'
import { lookBeforeNo } from '../support/specifications/specifications.ts'
import { type HeldCall, Stage, settled } from '../support/specifications/stage.ts'

const stream = { aggregate: 'seat', id: 'one' }
const processes = ['ada', 'bob'] as const
const commandOf: Readonly<Record<string, string>> = { Taken: 'take', Freed: 'free' }

const phaseOf = (call: HeldCall | undefined): string => {
  if (call === undefined) return 'idle'
  if (call.method === 'append') return call.hasArrived ? 'arrived' : 'appending'
  return call.hasArrived ? 'looked' : 'looking'
}

async function kernels(): Promise<World> {
  const stage = new Stage((_, method) => method === 'append' || method === 'streamEnds')
  const store = await stage.open()
  const running = new Map<string, RunningLines>()
  const asked = new Set<string>()
  let answered = 0

  const ask = async (process: string, name: 'take' | 'free') => {
    asked.add(process)
    void running
      .get(process)!
      .seat('one')
      .try[name]({})
      .then(() => {
        asked.delete(process)
        answered++
      })
    await settled(`${process} calls the store`, () => stage.heldOf(process) !== undefined)
  }
  const arrive = async (process: unknown) => stage.heldOf(process as string)!.arrive()
  const answer = async (process: unknown) => {
    stage.heldOf(process as string)!.answer()
    await settled('the caller is answered, or the process tries again', () => {
      return !asked.has(process as string) || stage.heldOf(process as string) !== undefined
    })
  }
  // In the specification, each process knows at the beginning that there is no event.
  for (const process of processes) {
    running.set(process, await startLines(stage, process))
    await ask(process, 'free')
    await arrive(process)
    await answer(process)
  }
  answered = 0

  return {
    actions: {
      ask: ({ process, name }) => ask(process as string, name as 'take' | 'free'),
      arrive: ({ process }) => arrive(process),
      answer: ({ process }) => answer(process),
      look: ({ process }) => arrive(process),
      answerLook: ({ process }) => answer(process),
    },
    compare: async (state) => {
      const events = await store.readStream(stream, { from: 1, to: Number.POSITIVE_INFINITY })
      assert.deepEqual(
        events.map(({ type }) => commandOf[type]),
        state['stream'],
      )
      assert.equal(answered, state['answered'])
      for (const process of processes) {
        const call = stage.heldOf(process)
        assert.equal(phaseOf(call), (state['phase'] as Map<string, string>).get(process), process)
        if (call?.method !== 'append') continue
        const [{ expected }] = call.args[0] as readonly [Commit]
        assert.equal(expected, (state['known'] as Map<string, number>).get(process), process)
      }
    },
  }
}

test('the kernel goes through the states of the specification', { skip: withoutQuint ?? leftOut }, async () => {
  await replay(await traces(lookBeforeNo), kernels)
})
