/**
 * Many tenants in two processes, of which one after the other is killed under load. Afterwards each command that was
 * acknowledged is in the log of its tenant, once, and nowhere else. Each scheduled command was sent, once, although
 * nobody called its tenant any more.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { tenants } from '../../src/index.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'
import { ChildProgram } from '../../src/testing/crash/child-program.ts'
import { recorder } from '../support/kernel/rig.ts'
import { withSeed } from '../support/seed.ts'
import { sized } from '../support/size.ts'
import type { Acknowledged, Orders } from './killed-program.ts'
import { Pots } from './pots.ts'

const program = new URL('./killed-program.ts', import.meta.url)
const count = sized(1000, 40)
const openMax = sized(50, 8)
const rounds = 2
/** Acknowledged commands in each round. */
const enough = sized(250, 100)
const timeoutMs = 1_800_000

test('of many tenants no command is lost or doubled, whichever process is killed', {
  timeout: timeoutMs,
}, async (context) => {
  const directory = await mkdtemp(join(tmpdir(), 'mneme-tenants-'))
  context.after(() => rm(directory, { recursive: true, force: true }))
  const acknowledged: Acknowledged[] = []
  await withSeed(async (random) => {
    let heard = 0
    let onEnough = () => {}
    const begin = (): ChildProgram => {
      const child = new ChildProgram(
        program,
        (line) => {
          acknowledged.push(JSON.parse(line))
          if (++heard === enough) onEnough()
        },
        timeoutMs,
      )
      context.after(() => child.kill())
      child.send({ directory, tenants: count, openMax, seed: random.int(1, 2 ** 31) } satisfies Orders)
      return child
    }
    const children = [begin(), begin()]
    for (let round = 1; round <= rounds; round++) {
      heard = 0
      await new Promise<void>((resolve) => {
        onEnough = resolve
      })
      const [victim] = children.splice(random.int(0, 1), 1)
      victim!.kill()
      const { signal, complaints } = await victim!.ended
      assert.equal(signal, 'SIGKILL', complaints)
      children.push(begin())
    }
    for (const child of children) child.kill()
    await Promise.all(children.map(({ ended }) => ended))
  })

  // Nobody calls a tenant from now on. They are woken twice: the first time a command may be due only later.
  const start = (name: string) => ({ store: sqlite(`${directory}/${name}.db`), leaseMs: 1000 })
  await using banks = tenants(Pots, { start, openMax, log: recorder() })
  const names = Array.from({ length: count }, (_, i) => `tenant ${i + 1}`)
  for (let time = 1; time <= 2; time++) assert.deepEqual((await banks.wake(names)).failed, [])

  let stored = 0
  for (const name of names) {
    const ids: string[] = []
    const asked = { a: 0, b: 0 }
    const sent = { a: 0, b: 0 }
    await banks.use(name, async (bank) => {
      const head = await bank.head()
      if (head === 0) return
      for await (const { commitId, type, data, position, stream } of bank.events()) {
        const id = stream.id as 'a' | 'b'
        ids.push(commitId)
        if (type === 'Asked') asked[id]++
        else if (data.amount === 1000) sent[id]++
        if (position === head) break
      }
    })
    assert.equal(new Set(ids).size, ids.length, `${name} has no command twice`)
    const lost = acknowledged.filter(({ tenant, commandId }) => tenant === name && !ids.includes(commandId))
    assert.deepEqual(lost, [], `${name} has lost nothing`)
    assert.deepEqual(sent, asked, `${name} has sent what was scheduled`)
    stored += ids.length
  }
  assert.ok(stored >= acknowledged.length && acknowledged.length >= rounds * enough)
})
