/** How progress is measured and watched, and how a job reports it. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { settled, stands } from '../../../test/support/kernel/rig.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'
import { Job, type Progress, ProgressWatch, progressMeter } from './progress.ts'

const told = (position: number): Progress => ({
  name: 'p',
  position,
  head: 3,
  done: position,
  perSecond: 1,
  remainingMs: 0,
})

describe('A meter', () => {
  test('measures from its first place on, and knows the remaining time when it knows the rate', async () => {
    const environment = manualEnvironment()
    const measure = progressMeter('p', environment)
    const first = { name: 'p', position: 100, head: 1100, done: 0, perSecond: 0, remainingMs: undefined }
    assert.deepEqual(measure({ position: 100, head: 1100 }), first)
    await environment.advance(2000)
    const second = { name: 'p', position: 600, head: 1600, done: 500, perSecond: 250, remainingMs: 4000 }
    assert.deepEqual(measure({ position: 600, head: 1600 }), second)
    assert.equal(measure({ position: 1600, head: 1600 }).remainingMs, 0)
  })

  test('counts nothing done if the position goes back, and nothing left if it is beyond the head', () => {
    const measure = progressMeter('p', manualEnvironment())
    assert.equal(measure({ position: 9, head: 5 }).remainingMs, 0)
    assert.equal(measure({ position: 3, head: 5 }).done, 0)
  })
})

describe('Watching', () => {
  test('looks at intervals until everything is handled', async () => {
    const environment = manualEnvironment()
    let position = 0
    const place = async () => ({ position, head: 2 })
    const watching = Array.fromAsync(new ProgressWatch('p', environment, place, { everyMs: 700 }))
    for (; position < 2; position++) {
      await settled()
      await environment.advance(699)
      assert.equal(await stands(watching), 'pending')
      await environment.advance(1)
    }
    await environment.advance(700)
    assert.equal((await watching).at(-1)?.position, 2)
    assert.equal(environment.timers, 0)
  })

  test('ends at once with the reason of its signal, or with the error of a look', async () => {
    const environment = manualEnvironment()
    const controller = new AbortController()
    const place = async () => ({ position: 0, head: 1 })
    const watching = Array.fromAsync(new ProgressWatch('p', environment, place, { signal: controller.signal }))
    await settled()
    controller.abort(new Error('enough'))
    await assert.rejects(watching, /enough/)
    assert.equal(environment.timers, 0)
    const broken = new ProgressWatch('p', environment, () => Promise.reject(new Error('blind')), {})
    await assert.rejects(Array.fromAsync(broken), /blind/)
    await assert.rejects(async () => void (await broken), /blind/)
  })

  test('is awaited for the last progress, and looks only when it is asked', async () => {
    const environment = manualEnvironment()
    let looks = 0
    const place = async () => ({ position: ++looks, head: 3 })
    const watch = new ProgressWatch('p', environment, place, { everyMs: 1 })
    await settled()
    assert.equal(looks, 0)
    const last = (async () => await watch)()
    for (let i = 0; i < 2; i++) {
      await settled()
      await environment.advance(1)
    }
    const { position, done, remainingMs } = await last
    assert.deepEqual([position, done, remainingMs], [3, 2, 0])
  })
})

describe('A job', () => {
  test('begins at once, and gives its result when it is awaited', async () => {
    let begun = 0
    const undertaking = new Job(async () => ++begun)
    assert.equal(begun, 1)
    assert.deepEqual([await undertaking, await undertaking.then((n) => n + 1), begun], [1, 2, 1])
  })

  test('gives a slow reader the last progress, whatever it missed before', async () => {
    const gate = Promise.withResolvers<void>()
    const undertaking = new Job(async (onProgress) => {
      onProgress(told(0))
      await gate.promise
      for (const position of [1, 2, 3]) onProgress(told(position))
    })
    const seen: number[] = []
    for await (const { position } of undertaking) {
      seen.push(position)
      gate.resolve()
      await settled()
    }
    assert.deepEqual(seen, [0, 3])
  })

  test('throws its error to every await and every loop, and causes no unhandled rejection', async () => {
    const failing = () =>
      new Job(async (onProgress) => {
        onProgress(told(1))
        throw new Error('failed')
      })
    const unheard = failing()
    await settled()
    await assert.rejects(Array.fromAsync(failing()), /failed/)
    await assert.rejects(async () => await failing(), /failed/)
    assert.ok(unheard instanceof Job)
  })

  test('continues when its reader leaves the loop', async () => {
    const gate = Promise.withResolvers<string>()
    const undertaking = new Job(async (onProgress) => {
      onProgress(told(0))
      return gate.promise
    })
    for await (const _ of undertaking) break
    gate.resolve('done')
    assert.equal(await undertaking, 'done')
  })
})
