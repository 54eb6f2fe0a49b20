/** What is left of a server when the tests that started it are gone. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Watchdog } from './watchdog.ts'

test('A watchdog ends its server and removes the folder, also if the process id is not followed by the end of a line', async () => {
  for (const end of ['\n/a/path\n', '']) {
    const folder = await mkdtemp(join(tmpdir(), 'mneme-watchdog-'))
    const server = spawn('sleep', ['20'], { stdio: 'ignore' })
    const exited = once(server, 'exit')
    await writeFile(join(folder, 'pid'), `${server.pid}${end}`)
    await new Watchdog(folder, 'pid').dismiss()
    const [, signal] = await exited
    assert.equal(signal, 'SIGQUIT')
    await assert.rejects(stat(folder))
  }
})
