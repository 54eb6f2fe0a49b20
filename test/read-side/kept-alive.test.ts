/** A process that only follows the log runs as long as it follows, and no longer. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { sqlite } from '../../src/store/sqlite/index.ts'
import { startRows } from '../support/read-side/pots.ts'

test('a subscription keeps its process alive while it waits, and not after its loop was left', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'mneme-kept-alive-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'log.db')
  await using pots = await startRows({ store: sqlite(path) })
  await pots.pot('a').put({ amount: 1 })
  const program = fileURLToPath(new URL('./follower.ts', import.meta.url))
  const child = spawn(process.execPath, [program, path, '3'], { stdio: ['ignore', 'pipe', 'inherit'] })
  context.after(() => child.kill())
  const ended = once(child, 'exit')
  const heard: number[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    heard.push(Number(line))
    // It has nothing left to read now. The next event is stored only when the process could have ended long before.
    if (heard.length < 3) await pots.pot('a').put({ amount: 1 })
  }
  assert.deepEqual(heard, [1, 2, 3])
  assert.deepEqual(await ended, [0, null])
})

test('a store that fails keeps no process alive whose domain was not stopped', async () => {
  const entry = (path: string) => JSON.stringify(new URL(`../../${path}`, import.meta.url).href)
  const program = `
    import { memory } from ${entry('src/index.ts')}
    import { faultyStore } from ${entry('src/testing/index.ts')}
    import { startRows } from ${entry('test/support/read-side/pots.ts')}
    let isBroken = false
    const store = faultyStore(memory(), () => (isBroken ? 'before' : undefined))
    const delayed = Promise.withResolvers()
    const log = { warn: (text) => delayed.resolve(text) }
    const pots = await startRows({ store, projections: 'automatic', pollIntervalMs: 10, log })
    const alive = setInterval(() => {}, 1000)
    await pots.pot('a').put({ amount: 1 })
    isBroken = true
    console.log(String(await delayed.promise).includes('PROJECTION_DELAYED'))
    clearInterval(alive)
  `
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 600_000,
  })
  const said = text(child.stdout)
  assert.deepEqual(await once(child, 'exit'), [0, null])
  assert.equal(await said, 'true\n')
})
