/** What a run has started ends with it, also what has another parent by then. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'

const isTold = existsSync('/proc/self/environ')

test('an interrupted run ends the programs of its tests, whoever is their parent', {
  skip: isTold ? false : 'only Linux tells',
}, async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'mneme-ending-'))
  context.after(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const server = `setInterval(() => {}, 1000)`
  writeFileSync(
    join(folder, 'a.test.ts'),
    `import { spawn } from 'node:child_process'
     import { test } from 'node:test'
     test('goes on and on', async () => {
       const child = spawn(process.execPath, ['-e', ${JSON.stringify(server)}], { detached: true, stdio: 'ignore' })
       child.unref()
       console.log('started ' + child.pid + ' from ' + process.pid)
       await new Promise((resolve) => setTimeout(resolve, 600_000))
     })`,
  )
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const run = spawn(process.execPath, [join(import.meta.dirname, 'test.ts'), 'a.test.ts'], { cwd: folder, env })
  const ended = once(run, 'exit')
  let pids: readonly number[] = []
  for await (const line of createInterface({ input: run.stdout! })) {
    const found = /started (\d+) from (\d+)/.exec(line)
    if (found === null) continue
    pids = [Number(found[1]), Number(found[2])]
    break
  }
  run.kill('SIGTERM')
  const [code] = await ended
  assert.equal(code, 143)
  for (const pid of pids) await gone(pid)
})

/** A process that was ended is there until its parent has heard of it. */
async function gone(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}/environ`) && isAlive(pid)) await new Promise(setImmediate)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
