/**
 * Many tenants in a cluster of processes, of which some are killed under load. Nobody else gets an error. Each command
 * that was acknowledged is in the log of its tenant, once. What was scheduled is sent, once, although the member is
 * killed that would have sent it, and nobody calls its tenant any more.
 *
 * Tidy: sleeps because the members need the processor between two looks.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { ChildProgram } from '../../src/testing/crash/child-program.ts'
import type { Place } from '../support/crash/writer-protocol.ts'
import { withSeed } from '../support/seed.ts'
import { dropSchema } from '../support/servers/postgres-place.ts'
import { findPostgres } from '../support/servers/postgres-server.ts'
import { onServer } from '../support/servers/server.ts'
import { leftOut } from '../support/size.ts'
import type { FromMember, ToMember } from './cluster-program.ts'
import { Pots } from './pots.ts'
import { storeOf } from './store-of.ts'

const program = new URL('./cluster-program.ts', import.meta.url)
const timeoutMs = 600_000
const count = 3
const names = Array.from({ length: 4 }, (_, i) => `t${i}`)
/** Acknowledged commands before each kill under load. */
const enough = 60

/** Looks again after a pause: the members need the processor. */
async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 120_000
  while (!(await isSo())) {
    assert.ok(Date.now() < end, `this did not happen: ${what}`)
    await setTimeout(50)
  }
}

class Members {
  readonly #context: TestContext
  readonly #place: Place
  readonly acknowledged: (FromMember & { readonly say: 'acknowledged' })[] = []
  readonly failed: string[] = []
  serving = 0
  resting = 0

  constructor(context: TestContext, place: Place) {
    this.#context = context
    this.#place = place
  }

  begin(seed: number): ChildProgram {
    const child = new ChildProgram(program, (line) => this.#hear(JSON.parse(line)), timeoutMs)
    this.#context.after(() => child.kill())
    child.send({ tell: 'begin', place: this.#place, tenants: names, seed } satisfies ToMember)
    return child
  }

  #hear(message: FromMember): void {
    if (message.say === 'acknowledged') this.acknowledged.push(message)
    else if (message.say === 'failed') this.failed.push(message.why)
    else if (message.say === 'serves') this.serving++
    else this.resting++
  }
}

/** @param kills how many members are killed under load, and replaced */
async function killed(context: TestContext, place: Place, kills: number): Promise<void> {
  const members = new Members(context, place)
  await withSeed(async (random) => {
    const begin = () => members.begin(random.int(1, 2 ** 31))
    const children = Array.from({ length: count }, begin)
    const kill = async () => {
      const [victim] = children.splice(random.int(0, children.length - 1), 1)
      victim!.kill()
      await victim!.ended
    }
    const { acknowledged } = members
    for (let round = 1; round <= kills; round++) {
      const wanted = acknowledged.length + enough
      await until('enough is acknowledged', () => acknowledged.length >= wanted || members.failed.length > 0)
      await kill()
      children.push(begin())
    }
    await until('all serve', () => members.serving === children.length + kills || members.failed.length > 0)
    for (const child of children) child.send({ tell: 'rest' } satisfies ToMember)
    await until('all rest', () => members.resting === count || members.failed.length > 0)
    await kill()
    assert.deepEqual(members.failed, [])
    for (const name of names) {
      const ids = acknowledged.filter(({ tenant }) => tenant === name).map(({ commandId }) => commandId)
      await checkTenant(place, name, ids)
    }
    for (const child of children) child.kill()
    await Promise.all(children.map(({ ended }) => ended))
  })
}

/** Looks at the log of a tenant, and lets nothing run. */
async function checkTenant(place: Place, name: string, acknowledged: readonly string[]): Promise<void> {
  await using bank = await Pots.start({ store: storeOf(place, name), projections: 'manual', log: { warn() {} } })
  const read = async () => {
    const ids: string[] = []
    const [asked, sent] = [new Map<string, number>(), new Map<string, number>()]
    const epochs = new Map<string, number>()
    const head = await bank.head()
    for await (const { commitId, type, data, position, stream, metadata } of bank.events()) {
      ids.push(commitId)
      const counts = type === 'Asked' ? asked : data.amount === 1000 ? sent : undefined
      counts?.set(stream.id, (counts.get(stream.id) ?? 0) + 1)
      const epoch = metadata['clusterEpoch'] as number
      assert.ok(epoch >= (epochs.get(stream.id) ?? 0), 'epochs of a stream never go down')
      epochs.set(stream.id, epoch)
      if (position === head) break
    }
    return { ids, asked, sent }
  }
  await until(`${name} has sent what was scheduled`, async () => {
    const { asked, sent } = await read()
    return [...asked].every(([pot, count]) => (sent.get(pot) ?? 0) >= count)
  })
  const { ids, asked, sent } = await read()
  assert.deepEqual(sent, asked, `${name} has sent each once`)
  assert.equal(new Set(ids).size, ids.length, `${name} has no command twice`)
  const lost = acknowledged.filter((id) => !ids.includes(id))
  assert.deepEqual(lost, [], `${name} has lost nothing`)
}

const title = 'tenants of members that are killed live on in the others, with all that was scheduled'

test(`${title}, on SQLite`, { timeout: timeoutMs, ...(leftOut && { skip: leftOut }) }, async (context) => {
  const path = await mkdtemp(join(tmpdir(), 'mneme-tenants-'))
  context.after(() => rm(path, { recursive: true, force: true, maxRetries: 5 }))
  await killed(context, { store: 'sqlite', path }, 1)
})

const prefix = `tc${process.pid}`
const places = [...names, 'catalog']
if (leftOut !== undefined) test(`${title}, on PostgreSQL`, { skip: leftOut }, () => {})
else {
  await onServer('In a cluster on PostgreSQL', findPostgres, (server) =>
    test(title, { timeout: timeoutMs }, async (context) => {
      context.after(() => Promise.all(places.map((name) => dropSchema(server, `${prefix}_${name}`))))
      await killed(context, { store: 'postgres', url: server.url, schema: prefix }, 0)
    }),
  )
}
