/** Reactions in the studio: those that have never run, and those that are paused and resumed. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, memory, reaction } from '../../../src/index.ts'
import { studioPlace, watching } from '../../../test/support/tools/studio-place.ts'
import type { FollowerView, TimersView, WaitingView } from './views.ts'

const Noted = event('Noted', z.object({ n: z.number() }))
const Pad = aggregate('pad', () => ({}))
  .on(Noted)
  .command('note', z.object({ n: z.number() }), (_, data) => Noted(data))

const named = <const Name extends string>(name: Name, refused = 0) =>
  reaction(name).on(Noted, ({ data }) => {
    if (data.n === refused) throw new Error(`not ${data.n}`)
  })

/** One reaction that has parked the first event, and others that have never run: programs before did not have them. */
const pads = () => {
  const reactions = {
    parks: named('parks it', 1).onFailure({ retries: 0, giveUp: 'park' }),
    first: named('from the first'),
    now: named('from now').from('now'),
    third: named('from a position').from(3),
    recent: named('from a time').from(new Date(0)),
  }
  return domain({ aggregates: { pad: Pad }, reactions })
}

async function padStore() {
  const store = memory()
  const { parks } = pads().reactions
  const older = domain({ aggregates: { pad: Pad }, reactions: { parks } })
  await using running = await older.start({ store, projections: 'manual', log: { warn() {} } })
  for (const n of [1, 2]) await running.pad(`p${n}`).note({ n })
  await running.reactions.runOnce('parks')
  return store
}

async function json<Answer>(response: Response): Promise<Answer> {
  assert.equal(response.status, 200, await response.clone().text())
  return (await response.json()) as Answer
}

describe('Reactions in the studio', () => {
  const reactionsOf = async (ask: (path: string) => Promise<Response>) => {
    const { followers } = await json<{ readonly followers: readonly FollowerView[] }>(await ask('/api/followers'))
    return new Map(followers.map((each) => [each.name, each]))
  }

  test('that have never run are shown with where they begin, and nothing is stored', async (t) => {
    const writes: string[] = []
    const { ask } = await studioPlace(t, { store: watching(await padStore(), writes), domain: pads() })
    const shown = await reactionsOf(ask)
    assert.deepEqual(
      [...shown.values()].map(({ name, position, parked, beginning }) => [name, position, parked, beginning]),
      [
        ['parks it', 2, 1, undefined],
        ['from the first', 0, 0, 'first'],
        ['from now', 0, undefined, 'now'],
        ['from a position', 0, undefined, 3],
        ['from a time', 0, 0, { time: '1970-01-01T00:00:00.000Z' }],
      ],
    )
    const counts: Record<string, readonly unknown[]> = {}
    for (const name of shown.keys()) {
      const reaction = encodeURIComponent(name)
      const { items, beginning } = await json<WaitingView>(await ask(`/api/reactions/waiting?reaction=${reaction}`))
      const { timers } = await json<TimersView>(await ask(`/api/reactions/timers?reaction=${reaction}`))
      counts[name] = [items.length, beginning !== undefined, timers.length]
    }
    assert.deepEqual(counts, {
      'parks it': [1, false, 0],
      'from the first': [2, true, 0],
      'from now': [0, true, 0],
      'from a position': [0, true, 0],
      'from a time': [2, true, 0],
    })
    assert.deepEqual(writes, [])
  })

  test('are paused in all processes until they are resumed, also before they have run', async (t) => {
    const store = await padStore()
    const { post, ask } = await studioPlace(t, { store, domain: pads() }, { isWritable: true })
    const manage = async (action: string, name: string) =>
      json<object>(await post('/api/manage', { action, kind: 'reaction', name }))
    for (const [key, name] of [
      ['now', 'from now'],
      ['parks', 'parks it'],
    ] as const) {
      await manage('pause', name)
      assert.ok(Date.parse((await reactionsOf(ask)).get(name)!.pausedSince!) > 0)
      await using elsewhere = await pads().start({ store, projections: 'manual', log: { warn() {} } })
      await assert.rejects(elsewhere.reactions.runOnce(key), { code: 'PROJECTION_PAUSED' })
      await manage('resume', name)
      assert.equal((await reactionsOf(ask)).get(name)!.pausedSince, undefined)
      await elsewhere.reactions.runOnce(key)
    }
  })

  test('begin where they begin if they are paused before, and no other one does', async (t) => {
    const { post, ask } = await studioPlace(t, { store: await padStore(), domain: pads() }, { isWritable: true })
    await json(await post('/api/manage', { action: 'pause', kind: 'reaction', name: 'from now' }))
    const shown = [...(await reactionsOf(ask)).values()].map(({ name, position, beginning }) => [
      name,
      position,
      beginning,
    ])
    assert.deepEqual(shown.slice(2, 4), [
      ['from now', 2, undefined],
      ['from a position', 0, 3],
    ])
  })

  test('get back what they have parked, and nothing else is done to them', async (t) => {
    const store = await padStore()
    const { post } = await studioPlace(t, { store, domain: pads() }, { isWritable: true })
    const question = { kind: 'reaction', name: 'parks it' }
    assert.deepEqual(await json(await post('/api/manage', { ...question, action: 'retry' })), { handedBack: 1 })
    for (const action of ['rebuild', 'skip']) {
      const refused = await post('/api/manage', { ...question, action, position: 1 })
      assert.equal(refused.status, 400, action)
    }
    const reading = await studioPlace(t, { store, domain: pads() })
    for (const action of ['pause', 'resume', 'retry'])
      assert.equal((await reading.post('/api/manage', { ...question, action })).status, 403, action)
  })
})
