/** What an observer is told: each kind of observation, in failures too, and that everything that starts ends once. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { codesOf, recorder, settled, startVaults, until, watched } from '../../test/support/kernel/rig.ts'
import { aggregate } from '../domain/aggregate.ts'
import { projection } from '../domain/code-projection.ts'
import { event } from '../domain/event.ts'
import { reaction } from '../domain/reaction.ts'
import { reject } from '../domain/rejection.ts'
import type { Observation } from '../runtime/observation.ts'
import { memory } from '../store/memory/index.ts'
import { manualEnvironment } from '../testing/manual-environment.ts'
import { domain } from './domain.ts'

type Of<Kind> = Extract<Observation, { readonly kind: Kind }>

/** An observer that remembers what it was told. */
function watcher() {
  const told: Observation[] = []
  const of = <Kind extends Observation['kind']>(kind: Kind): readonly Of<Kind>[] =>
    told.filter((each): each is Of<Kind> => each.kind === kind)
  return { told, of, observe: (observation: Observation) => void told.push(observation) }
}

/** Everything that has started has ended once, later, and as the same thing. */
function assertEnded(told: readonly Observation[]): void {
  const open = new Map<number, string>()
  for (const each of told) {
    if (each.kind.endsWith(' started') && 'span' in each) {
      assert.ok(!open.has(each.span), `${each.span} starts twice`)
      open.set(each.span, each.kind.replace(' started', ' ended'))
    } else if ('span' in each) {
      assert.equal(open.get(each.span), each.kind, `${each.kind} of ${each.span} without a start, or a second time`)
      open.delete(each.span)
      assert.ok(each.kind.endsWith(' ended') && 'tookMs' in each && each.tookMs >= 0)
    }
  }
  assert.deepEqual([...open.values()], [])
}

const Noted = event('Noted', z.object({ text: z.string() }))
const Copied = event('Copied', z.object({ text: z.string() }))
const Pad = aggregate('pad', () => ({ texts: [] as readonly string[] }))
  .on(Noted, ({ texts }, { text }) => ({ texts: [...texts, text] }))
  .on(Copied, ({ texts }, { text }) => ({ texts: [...texts, text] }))
  .command('note', z.object({ text: z.string() }), ({ texts }, { text }) => {
    if (text === 'throw') throw new Error('bug')
    if (text === 'full') return reject('Full', { size: texts.length })
    return texts.includes(text) ? [] : [Noted({ text }), Noted({ text: `${text}!` })]
  })
  .command('copy', z.object({ text: z.string() }), (_, { text }) => Copied({ text }))
const Texts = projection('texts', () => ({ count: 0 })).on(Noted, ({ count }) => ({ count: count + 1 }))

const Pads = domain({ aggregates: { pad: Pad }, projections: { texts: Texts } })
const note = { aggregate: 'pad', id: 'a', name: 'note' } as const

describe('An observer', () => {
  test('is told of commands with their outcomes, and of their decisions and batches', async () => {
    const { told, of, observe } = watcher()
    await using pads = await Pads.start({ store: memory(), projections: 'manual', observe })
    await pads.dispatch({ ...note, data: { text: 'x' }, commandId: 'c1', metadata: { traceparent: '00-1' } })
    await pads.try.dispatch({ ...note, data: { text: 'x' } })
    await pads.try.dispatch({ ...note, data: { text: 'full' } })
    await codesOf([
      pads.dispatch({ ...note, data: { text: 'throw' } }),
      pads.dispatch({ ...note, data: {} as never, commandId: 'c5' }),
    ])
    const starts = of('command started')
    assert.equal(starts.length, 5)
    const [first] = starts
    assert.deepEqual(
      [first!.stream, first!.command, first!.commandId, first!.metadata],
      [{ aggregate: 'pad', id: 'a' }, 'note', 'c1', { traceparent: '00-1' }],
    )
    assert.deepEqual(
      of('command ended').map(({ outcome, code, events, sequence, position }) => [
        outcome,
        code,
        events,
        sequence,
        position,
      ]),
      [
        ['accepted', undefined, 2, 2, 2],
        ['unchanged', undefined, 0, 2, 2],
        ['rejected', 'Full', 0, undefined, undefined],
        ['failed', 'COMMAND_INVALID', 0, undefined, undefined],
        ['failed', 'DECIDE_FAILED', 0, undefined, undefined],
      ],
    )
    for (const { waitedMs, tookMs, code } of of('command ended')) {
      if (code === 'COMMAND_INVALID') assert.equal(waitedMs, undefined)
      else assert.ok(waitedMs! >= 0 && waitedMs! <= tookMs)
    }
    assert.deepEqual(
      of('decision').map(({ parent, outcome, sequence, types }) => [parent, outcome, sequence, types]),
      [
        [first!.span, 'events', 0, ['Noted', 'Noted']],
        [starts[1]!.span, 'nothing', 2, []],
        [starts[2]!.span, 'rejected', 2, []],
        [starts[3]!.span, 'failed', 2, []],
      ],
    )
    assert.ok(of('decision')[0]!.size > 100)
    assert.deepEqual(
      of('batch started').map(({ commandIds, events }) => [commandIds, events]),
      [[['c1'], 2]],
    )
    assert.deepEqual(
      of('batch ended').map(({ stored, conflicts, repeated }) => [stored, conflicts, repeated]),
      [[1, 0, 0]],
    )
    assertEnded(told)
  })

  test('is told of loads, with the snapshot that was used, and of passivations', async () => {
    const { told, of, observe } = watcher()
    const store = memory()
    const environment = manualEnvironment()
    const options = { store, environment, snapshotEvery: 3, passivateAfterMs: 1000, projections: 'manual' } as const
    await using pads = await Pads.start({ ...options, observe })
    await pads.pad('a').note({ text: 'x' })
    await pads.pad('a').note({ text: 'y' })
    await pads.pad('a').note({ text: 'z' })
    await environment.advance(1000)
    assert.deepEqual(
      of('passivation').map(({ stream, reason, live }) => [stream.id, reason, live]),
      [['a', 'idle', 0]],
    )
    await pads.pad('a').state({ sequence: 1 })
    await pads.pad('a').note({ text: 'x' })
    assert.deepEqual(
      of('load ended').map(({ events, snapshot }) => [events, snapshot]),
      [
        [0, undefined],
        [1, undefined],
        [0, 6],
      ],
    )
    assertEnded(told)
  })

  test('is told when too many aggregates are live', async () => {
    const { of, observe } = watcher()
    await using pads = await Pads.start({ store: memory(), limits: { liveAggregatesMax: 1 }, observe })
    for (const id of ['a', 'b']) await pads.pad(id).note({ text: 'x' })
    assert.deepEqual(
      of('passivation').map(({ stream, reason, live }) => [stream.id, reason, live]),
      [['a', 'room', 1]],
    )
  })

  test('is told of conflicts, and of what is loaded and decided again', async () => {
    const { told, of, observe } = watcher()
    const store = memory()
    await using pads = await Pads.start({ store, observe, projections: 'manual' })
    await using others = await Pads.start({ store, projections: 'manual' })
    await pads.pad('a').note({ text: 'x' })
    await others.pad('a').note({ text: 'y' })
    await pads.pad('a').note({ text: 'z' })
    assert.deepEqual(
      of('conflict').map(({ parent, sequence, reserved }) => [parent, sequence, reserved]),
      [[of('command started')[1]!.span, 4, false]],
    )
    assert.deepEqual(of('command ended')[1]!.conflicts, 1)
    assert.deepEqual(
      of('decision').map(({ sequence }) => sequence),
      [0, 2, 4],
    )
    const [, again] = of('load started')
    assert.deepEqual([again!.from, of('load ended')[1]!.events], [2, 2])
    assert.deepEqual(
      of('batch ended').map(({ stored, conflicts }) => [stored, conflicts]),
      [
        [1, 0],
        [0, 1],
        [1, 0],
      ],
    )
    assertEnded(told)
  })

  test('is told of the steps of projections, and of their failures and retries', async () => {
    const { told, of, observe } = watcher()
    let failures = 2
    const Failing = projection('failing')
      .handle([Noted], () => {
        if (failures-- > 0) throw new Error('not yet')
      })
      .onFailure({ retries: 5, pauseFirstMs: 1 })
    const Both = domain({ aggregates: { pad: Pad }, projections: { texts: Texts, failing: Failing } })
    await using pads = await Both.start({ store: memory(), observe, projections: 'manual', log: recorder() })
    await pads.pad('a').note({ text: 'x' })
    await pads.projections.runOnce('texts')
    await pads.projections.runOnce('failing')
    const steps = (name: string) => of('step started').filter((step) => step.name === name)
    const ends = new Map(of('step ended').map((step) => [step.span, step]))
    const handled = steps('texts').reduce((sum, { span }) => sum + ends.get(span)!.events, 0)
    assert.equal(handled, 2)
    assert.equal(ends.get(steps('texts').at(-1)!.span)!.position, 2)
    assert.deepEqual([steps('texts')[0]!.of, steps('texts')[0]!.position], ['projection', 0])
    assert.deepEqual(
      of('retry').map(({ called, attempts }) => [called, attempts]),
      [['projection failing', 1]],
    )
    assert.deepEqual(
      of('warning').map(({ level, code }) => [level, code]),
      [['warn', 'PROJECTION_RETRIED']],
    )
    assertEnded(told)
  })

  test('is told of the step that stops a projection', async () => {
    const { told, of, observe } = watcher()
    const Broken = projection('broken', () => ({ count: 0 })).on(Noted, () => {
      throw new Error('bug')
    })
    const One = domain({ aggregates: { pad: Pad }, projections: { broken: Broken } })
    await using pads = await One.start({ store: memory(), observe, projections: 'manual', log: recorder() })
    await pads.pad('a').note({ text: 'x' })
    await assert.rejects(pads.projections.runOnce('broken'), { code: 'PROJECTION_FAILED' })
    assert.equal((of('step ended')[0]!.error as { code: string }).code, 'PROJECTION_FAILED')
    assert.deepEqual(
      of('warning').map(({ level, code }) => [level, code]),
      [['error', 'PROJECTION_STOPPED']],
    )
    assertEnded(told)
  })

  test('is told which event or timer of a reaction sends a command, and which command made the event', async () => {
    const { told, of, observe } = watcher()
    let failures = 1
    const Copying = reaction('copying', { pad: Pad })
      .on(Noted, async ({ stream, data }, { dispatch, schedule }) => {
        if (failures-- > 0) throw new Error('not yet')
        await dispatch({ aggregate: 'pad', id: `${stream.id} copy`, name: 'copy', data })
        schedule({ aggregate: 'pad', id: 'later', name: 'copy', data }, { afterMs: 0 })
      })
      .onFailure({ retries: 1, pauseFirstMs: 1 })
    const Both = domain({ aggregates: { pad: Pad }, reactions: { copying: Copying } })
    await using pads = await Both.start({ store: memory(), observe, projections: 'manual', log: recorder() })
    await pads.dispatch({ ...note, data: { text: 'x' }, metadata: { traceparent: '00-1' } })
    for (let runs = 0; runs < 2; runs++) await pads.reactions.runOnce('copying')
    const [sent] = of('command started')
    const runs = of('reaction started')
    assert.deepEqual(
      runs.map(({ reaction: name, type, position, commitId, metadata }) => [
        name,
        type,
        position,
        commitId,
        metadata['traceparent'],
      ]),
      [1, 1, 2].map((position) => ['copying', 'Noted', position, sent!.commandId, '00-1']),
    )
    assert.deepEqual(
      of('reaction ended').map(({ outcome }) => outcome),
      ['failed', 'handled', 'handled'],
    )
    const timers = of('timer started')
    assert.deepEqual(
      timers.map(({ reaction: name, command, stream }) => [name, command, stream.id]),
      [1, 2].map(() => ['copying', 'copy', 'later']),
    )
    assert.deepEqual(
      of('timer ended').map(({ outcome }) => outcome),
      ['sent', 'sent'],
    )
    const parents = of('command started').map(({ parent, metadata }) => [parent, metadata['traceparent']])
    assert.deepEqual(
      parents.slice(1).toSorted((one, other) => Number(one[0]) - Number(other[0])),
      [...[runs[1]!, runs[2]!, ...timers].map(({ span }) => [span, '00-1'])],
    )
    assert.deepEqual(
      of('retry').map(({ called }) => called),
      ['reaction copying'],
    )
    assertEnded(told)
  })

  test('is told that a command was cancelled, refused because of its queue, or sent after the stop', async () => {
    const { told, of, observe } = watcher()
    const watch = watched()
    const vaults = await startVaults({ store: watch.store, observe, limits: { mailboxMax: 1 } })
    const hanging = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'readStream' ? hanging.promise : undefined))
    const aborting = new AbortController()
    const first = vaults.vault('a').add({ amount: 1 }, { signal: aborting.signal })
    const second = vaults.vault('a').add({ amount: 1 })
    aborting.abort()
    assert.deepEqual(await codesOf([first, second]), ['ABORTED', 'OVERLOADED'])
    await assert.rejects(vaults.vault('b').add({ amount: 1 }, { signal: aborting.signal }), { code: 'ABORTED' })
    hanging.resolve()
    await vaults.stop()
    await assert.rejects(vaults.vault('c').add({ amount: 1 }), { code: 'STOPPED' })
    assert.deepEqual(
      of('command ended').map(({ code }) => code),
      ['OVERLOADED', 'ABORTED', 'ABORTED'],
      'the observer is told nothing after the stop',
    )
    assertEnded(told)
  })

  test('is told the end of what hangs when the domain stops, and nothing afterwards', async () => {
    const { told, of, observe } = watcher()
    const watch = watched()
    const vaults = await startVaults({ store: watch.store, observe, log: recorder(), limits: { stopTimeoutMs: 50 } })
    const hanging = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'append' ? hanging.promise : undefined))
    const added = vaults.vault('a').add({ amount: 1 })
    await until('the append hangs', () => of('batch started').length > 0)
    await Promise.all([codesOf([added]), vaults.stop()])
    assert.deepEqual(
      of('command ended').map(({ code }) => code),
      ['OUTCOME_UNKNOWN'],
    )
    assert.equal((of('batch ended')[0]!.error as { code: string }).code, 'STOPPED')
    assertEnded(told)
    const { length } = told
    hanging.resolve()
    await settled()
    assert.equal(told.length, length)
  })

  test('is told of failed appends, and what became of the command', async () => {
    const { told, of, observe } = watcher()
    const watch = watched()
    await using vaults = await startVaults({ store: watch.store, observe, log: recorder() })
    watch.disturb(({ method, number }) => (method === 'append' && number === 1 ? 'after' : undefined))
    await vaults.vault('a').add({ amount: 1 })
    assert.deepEqual(
      of('batch ended').map(({ stored, repeated, error }) => [stored, repeated, error === undefined]),
      [
        [0, 0, false],
        [0, 1, true],
      ],
    )
    assert.deepEqual(
      of('command ended').map(({ outcome, events }) => [outcome, events]),
      [['accepted', 1]],
    )
    await settled()
    assertEnded(told)
  })

  for (const [how, observe] of [
    [
      'throws',
      () => {
        throw new Error('bug')
      },
    ],
    [
      'rejects',
      async () => {
        throw new Error('bug')
      },
    ],
  ] as const) {
    test(`that ${how} harms nothing, and is reported once`, async () => {
      const log = recorder()
      await using pads = await Pads.start({ store: memory(), observe, log })
      for (const text of ['x', 'y']) await pads.pad('a').note({ text })
      const { position } = await pads.pad('b').note({ text: 'x' })
      assert.equal((await pads.texts.get('a', { atLeast: position }))!.count, 4)
      await until('the failure is reported', () => log.codes().length > 0)
      assert.deepEqual(log.codes(), ['OBSERVER_FAILED'])
    })
  }

  test('may send commands itself', async () => {
    let count = 0
    const sent: Promise<unknown>[] = []
    const told: Observation[] = []
    await using pads = await Pads.start({
      store: memory(),
      limits: { liveAggregatesMax: 1 },
      observe: (observation) => {
        told.push(observation)
        if (count++ < 50) sent.push(pads.pad(`echo ${count % 3}`).note({ text: `${count}` }))
      },
    })
    await pads.pad('a').note({ text: 'x' })
    while (sent.length < 50) await sent.at(-1)
    await Promise.all(sent)
    const ends = told.filter(({ kind }) => kind === 'command ended')
    assert.equal(ends.length, 51)
    assert.equal(await pads.head(), 102)
  })

  test('that is not a function is refused', async () => {
    await assert.rejects(Pads.start({ observe: {} as never }), { code: 'OPTION_INVALID' })
  })
})
