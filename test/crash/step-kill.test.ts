/**
 * A process is killed in the middle of saving a step, again and again: its rows and its checkpoint are there together
 * or not at all, and the next process saves its own step at once, whatever the killed one had left open on the server.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Store } from '../../src/index.ts'
import { at } from '../../src/testing/checkpoint-at.ts'
import { ChildProgram } from '../../src/testing/crash/child-program.ts'
import type { Random } from '../../src/testing/random.ts'
import { within } from '../support/crash/deadline.ts'
import { storeAt } from '../support/crash/place.ts'
import { serverKinds, serverPlace } from '../support/crash/server-place.ts'
import type { Place } from '../support/crash/writer-protocol.ts'
import { withSeed } from '../support/seed.ts'
import { onServer } from '../support/servers/server.ts'
import { sized } from '../support/size.ts'

const rounds = sized(10, 2)
const timeoutMs = 300_000
/** A lease is seldom shorter than this, and a transaction that is left open lasts a minute. */
const holdUpMsMax = 20_000
const projection = 'balances'
const program = new URL('./step-saver.ts', import.meta.url)

/** Lets a process save steps, kills it in the middle of one, and gives the number of that one. */
async function killInStep(saver: ChildProgram, heard: { saving: number }, place: Place, random: Random): Promise<void> {
  const enough = random.int(1, 10)
  const delayMs = random.next() * 5
  const before = heard.saving
  const begun = Promise.withResolvers<void>()
  saver.send({ place, projection })
  const watch = setInterval(() => heard.saving >= before + enough && begun.resolve(), 1)
  await Promise.race([begun.promise, saver.ended])
  clearInterval(watch)
  setTimeout(() => saver.kill(), delayMs)
  const { signal, complaints } = await saver.ended
  assert.equal(signal, 'SIGKILL', complaints)
}

/** The step that every row is of. */
async function stepOfRows(store: Store): Promise<number> {
  const { rows } = await store.listRows(projection, { limit: 1000 })
  const steps = new Set(rows.map(({ value }) => (value as { readonly step: number }).step))
  assert.equal(steps.size, 1, `the rows are all of one step, not of ${[...steps]}`)
  return [...steps][0]!
}

async function killSavers(context: TestContext, place: Place, random: Random): Promise<void> {
  const heard = { saving: 0 }
  const start = () =>
    new ChildProgram(program, (line) => Object.assign(heard, JSON.parse(line) as typeof heard), timeoutMs)
  let next = start()
  context.after(() => next.kill())
  const store = await storeAt(place).open({ warn: () => {}, now: Date.now })
  let longestMs = 0
  try {
    for (let round = 1; round <= rounds; round++) {
      const saver = next
      next = start()
      await killInStep(saver, heard, place, random)
      const begun = performance.now()
      await within(holdUpMsMax, takeOver(store, heard.saving), () => `the next one still waits, in round ${round}`)
      longestMs = Math.max(longestMs, performance.now() - begun)
      const step = await stepOfRows(store)
      assert.ok(step === heard.saving - 1 || step === heard.saving)
    }
  } finally {
    await store.close()
  }
  context.diagnostic(`the next one waited ${Math.round(longestMs)} ms at most`)
}

/**
 * Saves a step that changes nothing but the checkpoint, behind wherever the other one has come to, as a runner does.
 */
async function takeOver(store: Store, saving: number): Promise<void> {
  for (;;) {
    const { position: from } = await store.loadCheckpoint(projection)
    assert.ok(from === saving - 1 || from === saving, `the step ${saving} was begun last, and ${from} is saved`)
    const value = { step: from }
    try {
      return await store.saveStep(projection, { from: at(from), to: at(from), rows: [{ key: 'row 0', value }] })
    } catch (error) {
      // What the killed one had asked for may come about after it.
      assert.equal((error as { code?: string }).code, 'CHECKPOINT_CONFLICT')
    }
  }
}

const title = (where: string): string => `a process that is killed while it saves a step holds nobody up, on ${where}`

test(title('SQLite'), { timeout: 2 * timeoutMs }, async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'mneme-step-kill-'))
  context.after(() => rm(directory, { recursive: true, force: true }))
  const place: Place = { store: 'sqlite', path: join(directory, 'bank.db') }
  await withSeed((random) => killSavers(context, place, random))
})

for (const { store, name, find } of serverKinds) {
  await onServer(name, find, (server) => {
    test(title(name), { timeout: 2 * timeoutMs }, (context) =>
      withSeed((random) => killSavers(context, serverPlace(context, server, store), random)),
    )
  })
}
