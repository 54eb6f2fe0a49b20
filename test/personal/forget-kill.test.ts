/**
 * A process is killed at each of its writes while it stores a person's first data and forgets the person. The next
 * process finds everything or nothing of each step, and can finish it.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { forgotten } from '../../src/index.ts'
import { ChildProgram } from '../../src/testing/crash/child-program.ts'
import { storeAt } from '../support/crash/place.ts'
import { serverKinds, serverPlace } from '../support/crash/server-place.ts'
import type { Place } from '../support/crash/writer-protocol.ts'
import { ada, impatient, Shop, secrets } from '../support/personal/shop.ts'
import { onServer } from '../support/servers/server.ts'
import { leftOut } from '../support/size.ts'
import type { LethalWrite } from './forgetter.ts'

const program = new URL('./forgetter.ts', import.meta.url)
const timeoutMs = 600_000

const open = (place: Place) =>
  Shop.start({ store: storeAt(place), environment: impatient(), projections: 'manual', log: { warn: () => {} } })

/** Lets the program die at a write. @returns what it said, or `undefined` if it has fewer writes */
async function killAt(place: Place, at: LethalWrite): Promise<readonly string[] | undefined> {
  const said: string[] = []
  const forgetter = new ChildProgram(program, (line) => said.push(JSON.parse(line) as string), timeoutMs)
  forgetter.send({ place, at })
  const { signal, code, complaints } = await forgetter.ended
  if (code === 0) return undefined
  assert.equal(signal, 'SIGKILL', complaints)
  return said
}

async function checkAfter(place: Place, said: readonly string[]): Promise<void> {
  {
    await using shop = await open(place)
    const { email } = await shop.customer('1').state()
    if (said.includes('forgotten')) assert.equal(email?.value, forgotten)
    if (said.includes('registered')) assert.ok(email?.value === secrets[0] || email?.value === forgotten)
    assert.equal((await shop.customer('2').state()).email?.value, secrets[0])
    // The client does not know whether it was stored, and sends it again.
    const again = await shop.customer('1').register(ada('1'), { commandId: 'register' })
    const wasStored = email !== undefined
    assert.equal(again.sequence, 1)
    assert.equal(again.state.email?.value, wasStored ? email.value : secrets[0])
    const { keys, events } = await shop.forget('1')
    assert.ok(keys.length >= 1)
    assert.deepEqual(
      events.map(({ count }) => count),
      [1],
    )
  }
  await using shop = await open(place)
  assert.equal((await shop.customer('1').state()).email?.value, forgotten)
  assert.equal((await shop.customer('2').state()).email?.value, secrets[0])
}

async function killEverywhere(place: () => Promise<Place>): Promise<void> {
  // Before the next write is after the one before it.
  const moments: readonly Omit<LethalWrite, 'write'>[] = [
    { when: 'after', delayMs: 0 },
    ...(leftOut === undefined ? [{ when: 'during', delayMs: 0.5 } as const] : []),
  ]
  for (const moment of moments) {
    for (let write = 1; ; write++) {
      const where = await place()
      await using first = await open(where)
      await first.customer('2').register(ada('2'))
      await first.stop()
      const said = await killAt(where, { write, ...moment })
      if (said === undefined) {
        // A key, an event and a destroyed key are written, and that the process has keys, where others may have some.
        assert.ok(write >= (where.store === 'file' ? 4 : 6))
        break
      }
      await checkAfter(where, said)
    }
  }
}

async function inFolder(t: TestContext, make: (path: string) => Place): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'mneme-forget-kill-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  let n = 0
  await killEverywhere(async () => make(join(folder, `${++n}`)))
}

const title = (where: string): string =>
  `whoever is killed while it forgets somebody leaves nothing half done, on ${where}`

test(title('SQLite'), { timeout: 4 * timeoutMs }, (t) => inFolder(t, (path) => ({ store: 'sqlite', path })))

test(title('files'), { timeout: 4 * timeoutMs, skip: leftOut ?? false }, (t) =>
  inFolder(t, (path) => ({
    store: 'file',
    path,
    segmentBytesMax: 1_000_000,
    compactBytesMin: 1000,
    mayLoseOnPowerFailure: false,
  })),
)

for (const { store, name, find } of leftOut === undefined ? serverKinds : []) {
  await onServer(name, find, (server) => {
    test(title(name), { timeout: 4 * timeoutMs }, (t) => killEverywhere(async () => serverPlace(t, server, store)))
  })
}
