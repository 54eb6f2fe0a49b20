/** A file store belongs to one process at a time: another is refused, by name, until the first has ended. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { hasCode, type StoreWarning } from '../../src/index.ts'
import { file } from '../../src/store/file/index.ts'
import { ChildProgram } from '../../src/testing/crash/child-program.ts'
import type { FromHolder } from './lock-holder.ts'

const timeoutMs = 300_000
const holderProgram = new URL('./lock-holder.ts', import.meta.url)

async function freshPath(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'mneme-lock-'))
  context.after(() => rm(directory, { recursive: true, force: true }))
  return join(directory, 'log')
}

/** A process that opens the store, and what it says of that. */
async function holderOf(context: TestContext, path: string): Promise<{ holder: ChildProgram; said: FromHolder }> {
  const { promise, resolve, reject } = Promise.withResolvers<FromHolder>()
  const holder = new ChildProgram(holderProgram, (line) => resolve(JSON.parse(line)), timeoutMs)
  holder.endedWell().catch(reject)
  context.after(async () => {
    holder.kill()
    await holder.ended.catch(() => undefined)
  })
  holder.send({ path })
  return { holder, said: await promise }
}

test('a second process is refused with STORE_LOCKED, which names the process that has it', async (context) => {
  const path = await freshPath(context)
  const store = await file(path).open({ warn: () => {}, now: Date.now })
  const { said } = await holderOf(context, path)
  await store.close()
  assert.ok('code' in said, 'the second process is refused')
  assert.equal(said.code, 'STORE_LOCKED')
  assert.match(said.message, new RegExp(`\\bprocess ${process.pid}\\b`))
})

test('when the process that has it is killed, the next one takes the store over and says so', async (context) => {
  const path = await freshPath(context)
  const { holder, said } = await holderOf(context, path)
  assert.deepEqual(said, { opened: true })
  const refused = await file(path)
    .open({ warn: () => {}, now: Date.now })
    .then(
      () => undefined,
      (error: unknown) => error,
    )
  assert.ok(hasCode(refused, 'STORE_LOCKED'))
  assert.match(refused.message, new RegExp(`\\bprocess ${holder.pid}\\b`))
  holder.kill()
  await holder.ended
  const warnings: StoreWarning[] = []
  const store = await file(path).open({ warn: (warning) => warnings.push(warning), now: Date.now })
  await store.close()
  assert.deepEqual(
    warnings.map(({ code }) => code),
    ['LOCK_TAKEN_OVER'],
  )
  assert.match(warnings[0]!.message, new RegExp(`\\bprocess ${holder.pid}\\b`))
})

test('of ten processes that want a store at once, exactly one gets it', { timeout: timeoutMs }, async (context) => {
  const path = await freshPath(context)
  const holders = await Promise.all(Array.from({ length: 10 }, () => holderOf(context, path)))
  const opened = holders.filter(({ said }) => 'opened' in said)
  assert.equal(opened.length, 1)
  for (const { said } of holders) {
    if ('code' in said) assert.equal(said.code, 'STORE_LOCKED')
  }
})
