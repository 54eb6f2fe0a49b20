/** What a process answers when it is asked whether it lives and can take requests. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { recorder, watched } from '../../test/support/kernel/rig.ts'
import { aggregate, domain, event, memory, projection, reaction } from '../index.ts'
import { health } from './index.ts'

const Put = event('Put', z.object({}))
const Box = aggregate('box', () => ({ puts: 0 }))
  .on(Put, ({ puts }) => ({ puts: puts + 1 }))
  .command('put', z.object({}), () => Put({}))
const Puts = projection('puts', () => ({ count: 0 })).on(Put, ({ count }) => {
  if (count > 0) throw new Error('secret')
  return { count: count + 1 }
})
const Boxes = domain({
  aggregates: { box: Box },
  projections: { puts: Puts },
  reactions: { idle: reaction('idle', { box: Box }).on(Put, () => {}) },
})
const get = new Request('http://local/readyz')

async function told(response: Response) {
  const { status, checks } = (await response.json()) as {
    readonly status: string
    readonly checks: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  }
  return { http: response.status, status, checks }
}

describe('Health', () => {
  test('passes when the store answers, and says how far everything is', async () => {
    await using boxes = await Boxes.start({ store: memory(), projections: 'manual' })
    await boxes.box('a').put()
    await boxes.projections.runOnce('puts')
    const response = await health(boxes).ready(get)
    assert.equal(response.headers.get('content-type'), 'application/health+json')
    assert.equal(response.headers.get('cache-control'), 'no-store')
    const { http, status, checks } = await told(response)
    assert.deepEqual([http, status], [200, 'pass'])
    assert.deepEqual(checks['store'], { status: 'pass', head: 1 })
    assert.deepEqual(checks['cluster'], { status: 'pass', members: 1, epoch: 0 })
    const { state, position, lag } = checks['projection puts']!
    assert.deepEqual([state, position, lag], ['stopped', 1, { events: 0, ms: 0 }])
    assert.ok('reaction idle' in checks)
  })

  test('warns of a projection that has failed, and fails only if the process needs it', async () => {
    await using boxes = await Boxes.start({ store: memory(), log: recorder() })
    await boxes.box('a').put()
    await boxes.box('a').put()
    await assert.rejects(boxes.puts.get('a', { atLeast: 2 }), { code: 'PROJECTION_FAILED' })
    const easy = await told(await health(boxes).ready(get))
    assert.deepEqual([easy.http, easy.status], [200, 'warn'])
    const { status, code } = easy.checks['projection puts']!
    assert.deepEqual([status, code], ['warn', 'PROJECTION_FAILED'])
    assert.ok(!JSON.stringify(easy).includes('secret'))
    const strict = health(boxes, { needs: ['puts'] })
    assert.equal((await strict.ready(get)).status, 503)
    assert.equal((await strict.live(get)).status, 200)
  })

  test('fails while a projection that the process needs is too far behind', async () => {
    const store = memory()
    await using boxes = await Boxes.start({ store, projections: 'manual' })
    await boxes.box('a').put()
    const { checks } = await told(await health(boxes, { needs: ['puts'] }).ready(get))
    assert.equal(checks['projection puts']!['status'], 'pass', 'without a limit, any lag will do')
    const strict = health(
      {
        ...boxes,
        projections: {
          names: ['puts'],
          status: async (name) => ({ ...(await boxes.projections.status(name as 'puts')), lag: { events: 1, ms: 11 } }),
        },
      },
      { needs: ['puts'], lagMsMax: 10 },
    )
    assert.equal((await strict.ready(get)).status, 503)
  })

  test('fails when the store fails, does not answer in time, or is closed', async () => {
    const watch = watched()
    const boxes = await Boxes.start({ store: watch.store, projections: 'manual', log: recorder() })
    const { ready, live } = health(boxes, { timeoutMs: 1 })
    const hanging = Promise.withResolvers<void>()
    watch.disturb(({ method }) => (method === 'head' ? hanging.promise : undefined))
    const late = await told(await ready(get))
    assert.deepEqual([late.http, late.checks['store']], [503, { status: 'fail', code: 'TIMEOUT' }])
    hanging.resolve()
    await boxes.stop()
    const closed = await told(await health(boxes).ready(get))
    assert.deepEqual([closed.http, closed.checks['store']], [503, { status: 'fail', code: 'STORE_CLOSED' }])
    assert.equal((await live(get)).status, 200)
  })

  test('fails as soon as the domain begins to stop, while it still answers what is under way', async () => {
    const { promise: held, resolve: release } = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const slow = reaction('slow', { box: Box }).on(Put, () => {
      begun.resolve()
      return held
    })
    const boxes = await domain({ aggregates: { box: Box }, reactions: { slow } }).start({ store: memory() })
    const { live, ready } = health(boxes)
    await boxes.box('a').put()
    await begun.promise
    assert.equal((await ready(get)).status, 200)
    const stopped = boxes.stop()
    const { http, checks } = await told(await ready(get))
    assert.deepEqual([http, checks['domain']], [503, { status: 'fail', code: 'STOPPED' }])
    await assert.rejects(boxes.box('a').put(), { code: 'STOPPED' })
    assert.equal((await live(get)).status, 200)
    release()
    await stopped
    assert.equal((await ready(get)).status, 503)
  })

  test('answers HEAD without a body, and no other method', async () => {
    await using boxes = await Boxes.start({ store: memory(), projections: 'manual' })
    const { ready } = health(boxes)
    const head = await ready(new Request(get, { method: 'HEAD' }))
    assert.deepEqual([head.status, await head.text()], [200, ''])
    const post = await ready(new Request(get, { method: 'POST' }))
    assert.deepEqual([post.status, post.headers.get('allow')], [405, 'GET, HEAD'])
  })

  test('refuses options that make no sense', async () => {
    await using boxes = await Boxes.start({ store: memory(), projections: 'manual' })
    for (const options of [{ needs: ['nothing'] }, { timeoutMs: 0 }, { lagMsMax: -1 }, { x: 1 }] as const)
      assert.throws(() => health(boxes, options as never), { code: 'OPTION_INVALID' })
  })
})
