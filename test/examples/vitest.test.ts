/** The simulation in examples/transfer runs under Vitest as it does under `node:test`. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { leftOut } from '../support/size.ts'

const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
const folder = fileURLToPath(new URL('../../examples/transfer/vitest', import.meta.url))

test('a simulation runs under Vitest', { skip: leftOut ?? false, timeout: 600_000 }, () => {
  const args = [vitest, 'run', '--root', folder, '--testTimeout', '60000']
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  assert.equal(status, 0, `${stdout}\n${stderr}`)
  assert.match(stdout, /1 passed/)
})
