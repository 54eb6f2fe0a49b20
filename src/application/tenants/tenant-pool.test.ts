/** What a pool knows of the work of a domain when it stops it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ProjectionStatus } from '../../projection/running/status.ts'
import { manualEnvironment } from '../../testing/manual-environment.ts'
import type { OpenDomain } from './rest.ts'
import { TenantPool } from './tenant-pool.ts'

/** A pool of domains with one reaction, and what its store says of the first scheduled command. */
function place(openMax: number) {
  const environment = manualEnvironment()
  const opened: string[] = []
  const said = { dueAt: async (_tenant: string): Promise<number | undefined> => undefined }
  const status: ProjectionStatus = {
    ...{ name: 'reaction', state: 'running', position: 0, head: 0, parked: 0 },
    lag: { events: 0, ms: 0 },
  }
  const pool = new TenantPool<OpenDomain>({
    ...{ environment, warn() {}, idleMs: 1000, openMax, waitMs: 60_000 },
    parts: { projections: [], reactions: ['reaction'] },
    async open(tenant) {
      opened.push(tenant)
      return {
        projections: { status: async () => status },
        reactions: {
          status: async () => status,
          async timers() {
            const dueAt = await said.dueAt(tenant)
            return { timers: dueAt === undefined ? [] : [{ dueAt: new Date(dueAt) } as never] }
          },
        },
        load: () => ({ commandsInFlight: 0 }) as never,
        stop: async () => {},
      }
    },
  })
  const use = async (tenant: string) => (await pool.borrow(tenant)).release()
  return { environment, opened, said, pool, use }
}

test('A tenant that was used while it was asked is asked again before it is stopped', async () => {
  const { environment, opened, said, pool, use } = place(1)
  await use('a')
  const asked = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  said.dueAt = async () => {
    asked.resolve()
    await gate.promise
    return undefined
  }
  const other = use('b')
  await asked.promise
  // Meanwhile somebody schedules a command.
  await use('a')
  const dueAt = environment.now() + 5000
  said.dueAt = async (tenant) => (tenant === 'a' ? dueAt : undefined)
  gate.resolve()
  await environment.advance(2000)
  await other
  assert.equal(pool.load().scheduled, 1)
  await environment.advance(5000)
  assert.deepEqual(opened, ['a', 'b', 'a'])
  await pool.stop()
})

test('A tenant whose store failed when it was asked is looked at again a minute later', async () => {
  const { environment, opened, said, pool, use } = place(4)
  said.dueAt = async () => {
    throw new Error('no store')
  }
  await use('a')
  await environment.advance(3000)
  assert.deepEqual([pool.load().open, pool.load().scheduled], [0, 1])
  const dueAt = environment.now()
  said.dueAt = async () => (opened.length < 3 ? dueAt : undefined)
  await environment.advance(70_000)
  assert.deepEqual(opened.slice(0, 2), ['a', 'a'])
  await pool.stop()
})
