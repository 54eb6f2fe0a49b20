/** The leases of a file store: after their owner has ended, and after a clock went back. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { at } from '../../../testing/checkpoint-at.ts'
import { testPlace } from '../test-place.fixture.ts'
import { Leases } from './leases.ts'

/** Opens a store, takes two leases for ten minutes, gives one back, prints that, and runs until it is killed. */
const program = `
  const { file } = await import(process.argv[1])
  const store = await file(process.argv[2]).open({ now: () => 0, warn: () => {} })
  for (const name of ['held', 'given back']) await store.acquireLease(name, 'dead', 600_000)
  await store.releaseLease('given back', 'dead')
  console.log('ready')
  setInterval(() => {}, 1000)
`

describe('Leases', () => {
  test('end with an owner that was killed, for the next opening and all later ones', async () => {
    await using place = await testPlace()
    const before = await place.open()
    await before.acquireLease('of an earlier owner', 'closed', 600_000)
    await before.close()
    const module = new URL('../index.ts', import.meta.url).href
    const parameters = ['--input-type=module', '-e', program, module, place.directory]
    const child = spawn(process.execPath, parameters, { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
    for (let openings = 0; openings < 2; openings++) {
      const store = await place.open()
      const owners = []
      for (const name of ['held', 'given back', 'of an earlier owner']) {
        owners.push((await store.acquireLease(name, 'next', 600_000)).owner)
      }
      assert.deepEqual(owners, ['next', 'next', 'closed'])
      await store.releaseLease('held', 'next')
      await store.saveStep('p', { from: at(openings), to: at(openings + 1), rows: [] })
      await store.close()
    }
  })

  test('of an owner that closed the store stay until they expire', async () => {
    await using place = await testPlace()
    const first = await place.open()
    await first.acquireLease('l', 'me', 600_000)
    await first.close()
    assert.equal((await (await place.open()).acquireLease('l', 'you', 600_000)).owner, 'me')
  })

  test('delay nobody after the clock has gone back', () => {
    let now = 3_600_000
    const leases = new Leases('lock', () => now)
    leases.acquire('l', 'me', 5000).apply()
    now = 0
    assert.equal(leases.acquire('l', 'you', 5000).apply().owner, 'you')
    now = 4999
    assert.equal(leases.acquire('l', 'me', 5000).apply().owner, 'you')
  })
})
