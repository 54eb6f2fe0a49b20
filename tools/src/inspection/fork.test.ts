/** Forks of streams with personal data: what they use of the keys is told to those who forget somebody. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { aggregate, domain, event, type Personal, personal } from '../../../src/index.ts'
import { sqlite } from '../../../src/store/sqlite/index.ts'
import { until } from '../../../test/support/until.ts'
import { fork, openInspection } from './index.ts'

const data = z.object({ person: z.string(), email: z.email() })
const fields = { subject: ({ person }: { readonly person: string }) => person, fields: ['email'] } as const
const Joined = event('Joined', data).personal(fields)
const Member = aggregate('member', () => ({ email: null as unknown }))
  .on(Joined, (_, { email }) => ({ email }))
  .command('join', personal(data, fields), (_, joined) => Joined(joined))
const Members = domain({ aggregates: { member: Member } })

/** The value, if it can be read. */
function readable(value: Personal<string>): unknown {
  try {
    return value.value
  } catch {
    return undefined
  }
}

test('somebody who is forgotten cannot be read in a fork any more, and a fork leaves nothing behind', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'mneme-fork-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const store = sqlite(join(folder, 'members.db'))
  await using members = await Members.start({ store })
  await members.member('m1').join({ person: 'ada', email: 'ada@example.org' })
  await using inspection = await openInspection({ store, domain: Members, log: { warn() {} } })
  const holders = async () => {
    const { rows } = await inspection.store.listRows('personal keys', { prefix: 'holder ', limit: 10 })
    return rows.map(({ key }) => key)
  }
  const before = await holders()
  {
    await using trial = await fork(inspection, { aggregate: 'member', id: 'm1' })
    const { state } = await trial.read(trial.stream)
    const { email } = state as { readonly email: Personal<string> }
    assert.equal(email.value, 'ada@example.org')
    assert.equal((await holders()).length, before.length + 1)
    await members.forget('ada')
    assert.notEqual(readable(email), 'ada@example.org')
  }
  // Its end may still be stored: nobody waits for that for more than a second.
  await until(async () => `${await holders()}` === `${before}`, 'the fork has left nothing')
})
