/** The programs of the SQLite store's threads, as the one text that the build makes of it. */
import assert from 'node:assert/strict'
import { on, once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { programText, root } from '../../scripts/package.ts'
import type { FromThread, ToThread } from '../../src/store/sqlite/database/protocol.ts'
import { settingsOf } from '../../src/store/sqlite/options.ts'

const program = programText(join(root, 'src/store/sqlite/writer/writer-thread.ts'))

/** Deno's port has these, but they throw or are not there. */
const withoutEndings = `
  const { parentPort } = process.getBuiltinModule('node:worker_threads')
  for (const name of ['close', 'off', 'removeListener', 'removeAllListeners']) parentPort[name] = undefined
`

for (const [what, path, isOpened] of [
  ['closes its file', 'log.db', true],
  ['could not open its file', 'nowhere/log.db', false],
] as const) {
  test(`the thread ends when it is told to, after it ${what}, on a platform whose port cannot be closed`, async (context) => {
    const folder = mkdtempSync(join(tmpdir(), 'mneme-thread-'))
    context.after(() => rmSync(folder, { recursive: true, force: true }))
    const worker = new Worker(`${withoutEndings}\n${program}`, { eval: true })
    const ended = once(worker, 'exit')
    const tell = (message: ToThread) => worker.postMessage(message)
    tell({ to: 7, message: { open: { settings: settingsOf(join(folder, path), {}), identities: undefined } } })
    const said = on(worker, 'message')
    const next = async (): Promise<FromThread> => (await said.next()).value![0]
    const { from, message } = await next()
    assert.equal(from, 7)
    assert.ok('opened' in message)
    if (isOpened) {
      assert.ok(Array.isArray(message.opened))
      tell({ to: 7, message: 'close' })
    } else assert.partialDeepStrictEqual(message.opened, { kind: 'no directory' })
    assert.deepEqual(await next(), { from: 7, message: { closed: undefined } })
    tell('leave')
    assert.deepEqual(await ended, [0])
  })
}

test('a thread that reads answers, and ends where it is told to or cannot open its file', async (context) => {
  const reader = programText(join(root, 'src/store/sqlite/reading/reader-thread.ts'))
  const folder = mkdtempSync(join(tmpdir(), 'mneme-thread-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  new DatabaseSync(join(folder, 'log.db')).close()
  for (const [path, isOpened] of [
    ['log.db', true],
    ['nowhere/log.db', false],
  ] as const) {
    const workerData = { settings: settingsOf(join(folder, path), {}) }
    const worker = new Worker(`${withoutEndings}\n${reader}`, { eval: true, workerData })
    const ended = once(worker, 'exit')
    if (isOpened) {
      worker.postMessage({ ask: 'query', text: 'SELECT 7 AS seven', values: [] })
      const [said] = await once(worker, 'message')
      assert.deepEqual(said, { answer: { columns: ['seven'], values: [7] } })
      worker.postMessage('close')
    } else {
      const [said] = await once(worker, 'message')
      assert.equal(said.failure.kind, 'sqlite')
    }
    assert.deepEqual(await ended, [0])
  }
})
