/** Kernels and the store take the steps of the specification of the visible prefix. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leftOut } from '../support/size.ts'
import { type RunningLines, startLines } from '../support/specifications/lines.ts'
import { traces, withoutQuint } from '../support/specifications/quint.ts'
import { replay, type World } from '../support/specifications/replay.ts'
import { visiblePrefix } from '../support/specifications/specifications.ts'
import { Stage, settled } from '../support/specifications/stage.ts'

const writers = ['ada', 'bob', 'cy'] as const
const readers = ['rob', 'sue'] as const
const sorted = (positions: unknown): readonly number[] => [...(positions as number[])].sort((a, b) => a - b)

async function writersAndReaders(): Promise<World> {
  const stage = new Stage((_, method) => method === 'append')
  const store = await stage.open()
  const running = new Map<string, RunningLines>()
  for (const writer of writers) running.set(writer, await startLines(stage, writer))
  const answers = new Map<string, string>()
  const checkpoints = new Map<string, number>(readers.map((reader) => [reader, 0]))
  const seen = new Map<string, number[]>(readers.map((reader) => [reader, []]))

  const answered = (writer: string) => settled(`${writer} is answered`, () => answers.has(writer))
  return {
    actions: {
      // A real writer takes its positions and makes them visible at one moment, which the specification splits in two.
      take: async ({ writer, count }) => {
        answers.delete(writer as string)
        const { line } = running.get(writer as string)!
        line(writer as string)
          .grow({ by: count as number })
          .then(
            () => answers.set(writer as string, 'stored'),
            ({ code }) => answers.set(writer as string, code),
          )
        await stage.waitFor(writer as string, 'append')
      },
      commit: async ({ writer }) => {
        const call = stage.heldOf(writer as string)!
        await call.arrive()
        call.answer()
        await answered(writer as string)
        assert.equal(answers.get(writer as string), 'stored')
      },
      giveUp: async ({ writer }) => {
        stage.heldOf(writer as string)!.fail('NOT_STORED')
        await answered(writer as string)
        assert.equal(answers.get(writer as string), 'NOT_STORED')
      },
      read: async ({ reader }) => {
        const from = checkpoints.get(reader as string)! + 1
        const page = await store.readAll({ from, to: Number.POSITIVE_INFINITY }, { limit: 1 })
        seen.get(reader as string)!.push(...page.events.map(({ position }) => position))
        checkpoints.set(reader as string, page.examined)
      },
    },
    compare: async (state) => {
      const commits = state['commits'] as unknown as readonly (readonly number[])[]
      const { events } = await store.readAll({ from: 1, to: Number.POSITIVE_INFINITY })
      const ofCommit = Map.groupBy(events, ({ commitId }) => commitId)
      const wanted = commits.map(sorted).sort(([one], [other]) => one! - other!)
      assert.deepEqual(
        [...ofCommit.values()].map((each) => each.map(({ position }) => position)),
        wanted,
      )
      assert.deepEqual(checkpoints, state['checkpoint'])
      for (const reader of readers) {
        assert.deepEqual(seen.get(reader), sorted((state['seen'] as Map<string, unknown>).get(reader)))
      }
      for (const writer of writers) {
        const isTaking = sorted((state['taken'] as Map<string, unknown>).get(writer)).length > 0
        assert.equal(stage.heldOf(writer) !== undefined, isTaking, writer)
      }
    },
  }
}

test('readers see what the specification says', { skip: withoutQuint ?? leftOut }, async () => {
  await replay(await traces(visiblePrefix), writersAndReaders)
})
