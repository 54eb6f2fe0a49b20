/** An observer that takes part: its marks on commands, what it surrounds, and that its failures harm nothing. */
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { recorder, until } from '../../test/support/kernel/rig.ts'
import { aggregate } from '../domain/aggregate.ts'
import { projection } from '../domain/code-projection.ts'
import { event } from '../domain/event.ts'
import { reaction } from '../domain/reaction.ts'
import type { Departing, Observation, Observer } from '../runtime/observation.ts'
import { memory } from '../store/memory/index.ts'
import { manualEnvironment } from '../testing/manual-environment.ts'
import { domain } from './domain.ts'

const data = z.object({ text: z.string() })
const Noted = event('Noted', data)
const Copied = event('Copied', data)
const Pad = aggregate('pad', () => ({ count: 0 }))
  .on(Noted, ({ count }) => ({ count: count + 1 }))
  .on(Copied, ({ count }) => ({ count: count + 1 }))
  .command('note', data, (_, { text }) => Noted({ text }))
  .command('copy', data, (_, { text }) => Copied({ text }))
const Texts = projection('texts', () => ({ count: 0 })).on(Noted, ({ count }) => ({ count: count + 1 }))
const where = new AsyncLocalStorage<number>()
const seen: (number | undefined)[] = []
const Copying = reaction('copying', { pad: Pad }).on(Noted, async ({ stream, data }, { dispatch, schedule }) => {
  seen.push(where.getStore())
  const copy = { aggregate: 'pad', id: `${stream.id} copy`, name: 'copy', data } as const
  await dispatch(copy)
  schedule(copy, { afterMs: 1000 })
})
const Pads = domain({ aggregates: { pad: Pad }, projections: { texts: Texts }, reactions: { copying: Copying } })

/** What is told, of one kind. */
function watcher(parts: Omit<Observer, 'observe'> = {}) {
  const told: Observation[] = []
  const of = <Kind extends Observation['kind']>(kind: Kind) =>
    told.filter((each): each is Extract<Observation, { readonly kind: Kind }> => each.kind === kind)
  return { told, of, observe: { observe: (each: Observation) => void told.push(each), ...parts } }
}

describe('An observer', () => {
  test('marks commands, and what it says replaces what the caller gave', async () => {
    const departing: Departing[] = []
    const mark = (command: Departing) => {
      departing.push(command)
      return { trace: command.span, user: 'observer' }
    }
    const { observe, of } = watcher({ mark })
    await using pads = await Pads.start({ store: memory(), projections: 'manual', observe })
    const { events } = await pads.pad('a').note({ text: 'x' }, { metadata: { user: 'ada', kept: 1 } })
    await assert.rejects(pads.pad('a').note({} as never), { code: 'COMMAND_INVALID' })
    await pads.reactions.runOnce('copying')
    const starts = of('command started')
    assert.deepEqual(
      departing.map(({ span, parent, command, stream, metadata }) => [
        span,
        parent,
        command,
        stream.id,
        metadata['user'],
      ]),
      [
        [starts[0]!.span, undefined, 'note', 'a', 'ada'],
        [starts[1]!.span, undefined, 'note', 'a', undefined],
        [starts[2]!.span, of('reaction started')[0]!.span, 'copy', 'a copy', undefined],
      ],
    )
    assert.deepEqual(events[0]!.metadata, { user: 'observer', kept: 1, trace: starts[0]!.span })
    assert.deepEqual(starts[0]!.metadata, events[0]!.metadata)
  })

  test('surrounds handlers of reactions and the sending of timers', async () => {
    seen.length = 0
    const sent: (number | undefined)[] = []
    const environment = manualEnvironment()
    const { observe, of } = watcher({
      mark: () => void sent.push(where.getStore()) as undefined,
      surround: (span, run) => where.run(span, run),
    })
    await using pads = await Pads.start({ store: memory(), projections: 'manual', observe, environment })
    await pads.pad('a').note({ text: 'x' })
    await pads.reactions.runOnce('copying')
    await environment.advance(1000)
    await pads.reactions.runOnce('copying')
    const [run] = of('reaction started')
    const [timer] = of('timer started')
    assert.deepEqual(seen, [run!.span])
    assert.deepEqual(sent, [undefined, run!.span, timer!.span])
    assert.equal(timer!.metadata['causationId'], run!.commitId)
  })

  type Run = () => Promise<unknown>
  const bug = (): never => {
    throw new Error('bug')
  }
  for (const [what, parts] of [
    ['throws when it marks', { mark: bug }],
    ['throws when it surrounds', { surround: bug }],
    ['throws when it surrounds, too late', { surround: (_: number, run: Run) => [run(), bug()][1] }],
    ['does not run what it surrounds', { surround: () => Promise.reject(new Error('bug')) }],
    ['runs what it surrounds twice', { surround: (_: number, run: Run) => [run(), run()][1] }],
  ] as const) {
    test(`that ${what} harms nothing`, async () => {
      const { observe, of } = watcher(parts as Omit<Observer, 'observe'>)
      await using pads = await Pads.start({ store: memory(), projections: 'manual', observe, log: recorder() })
      await pads.pad('a').note({ text: 'x' })
      await pads.reactions.runOnce('copying')
      assert.equal((await pads.pad('a copy').read()).sequence, 1)
      assert.deepEqual(
        of('command started').map(({ command }) => command),
        ['note', 'copy'],
      )
    })
  }

  test('is told of snapshots, and of those that are not saved', async () => {
    const store = memory()
    let fails = false
    const failing = {
      ...store,
      async open(options: Parameters<typeof store.open>[0]) {
        const opened = await store.open(options)
        const saveSnapshot: typeof opened.saveSnapshot = async (...args) => {
          if (fails) throw new Error('full')
          return opened.saveSnapshot(...args)
        }
        return new Proxy(opened, {
          get: (target, name) => {
            if (name === 'saveSnapshot') return saveSnapshot
            const found: unknown = Reflect.get(target, name, target)
            return typeof found === 'function' ? found.bind(target) : found
          },
        })
      },
    }
    const { observe, of } = watcher()
    const options = { store: memory(), snapshots: failing, snapshotEvery: 2, projections: 'manual' } as const
    await using pads = await Pads.start({ ...options, observe, log: recorder() })
    for (const text of ['1', '2', '3']) await pads.pad('a').note({ text })
    await until('the first is saved', () => of('snapshot ended').length === 1)
    fails = true
    await pads.pad('a').note({ text: '4' })
    await until('the second has failed', () => of('snapshot ended').length === 2)
    assert.deepEqual(
      of('snapshot started').map(({ stream, sequence }) => [stream.id, sequence]),
      [
        ['a', 2],
        ['a', 4],
      ],
    )
    assert.deepEqual(
      of('snapshot ended').map(({ error }) => (error as Error | undefined)?.message),
      [undefined, 'full'],
    )
  })

  test('is told of rebuilds and comparisons, and in which traces the events of a step were made', async () => {
    const { observe, of } = watcher()
    await using pads = await Pads.start({ store: memory(), projections: 'manual', observe })
    for (const [text, traceparent] of Object.entries({ 1: '00-a', 2: '00-b', 3: '00-a' }))
      await pads.pad('a').note({ text }, { metadata: { traceparent } })
    await pads.projections.runOnce('texts')
    await pads.projections.rebuild('texts')
    await pads.projections.compare('texts')
    assert.deepEqual(
      of('step ended').flatMap(({ traceparents }) => traceparents),
      ['00-a', '00-b'],
    )
    assert.deepEqual(
      of('rebuild started').map(({ projection: name, why }) => [name, why]),
      [
        ['texts', 'asked'],
        ['texts', 'comparison'],
      ],
    )
    assert.deepEqual(
      of('rebuild ended').map(({ position }) => position),
      [3, 3],
    )
    assert.deepEqual([pads.projections.names, pads.reactions.names], [['texts'], ['copying']])
  })

  test('without the method observe is refused', async () => {
    await assert.rejects(Pads.start({ observe: { mark: () => undefined } as never }), { code: 'OPTION_INVALID' })
  })
})
