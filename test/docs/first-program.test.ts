/** The program that README.md begins with does what its comments say, on every version of Node that is promised. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { root } from '../../scripts/package.ts'

const run = promisify(execFile)

test('the first program prints what it promises, and finds its data when it runs again', async (context) => {
  const cwd = await mkdtemp(join(tmpdir(), 'mneme-first-program-'))
  context.after(() => rm(cwd, { recursive: true, force: true }))
  const program = join(root, 'examples/first-program.ts')
  const first = await run(process.execPath, [program], { cwd })
  assert.equal(first.stdout, '70\nInsufficientFunds\n{ count: 2 }\n')
  const second = await run(process.execPath, [program], { cwd })
  assert.equal(second.stdout, '140\nInsufficientFunds\n{ count: 4 }\n')
})

test('README.md shows no syntax that Node 22.18 lacks', async () => {
  const page = await readFile(join(root, 'README.md'), 'utf8')
  const blocks = page.match(/```ts\n.*?```/gs) ?? []
  assert.ok(blocks.length > 0)
  for (const block of blocks) assert.doesNotMatch(block, /\busing\b/)
})
