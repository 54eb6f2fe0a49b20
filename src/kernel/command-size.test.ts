/** The data of a command has a limit. Data above it is refused at once, and counting stops at the limit. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { z } from 'zod'
import { recorder } from '../../test/support/kernel/rig.ts'
import { aggregate, domain, event, memory } from '../index.ts'
import type { KernelLimits } from './limits.ts'

const commandSizeMax = 1000
const Kept = event('Kept', z.object({}))

/** A domain with one command that accepts anything, and counts of the runs of its schema and its decision. */
async function start(limits: Partial<KernelLimits> = { commandSizeMax }) {
  const seen = { schema: 0, decision: 0 }
  const anything = z.any().refine(() => ++seen.schema)
  const Box = aggregate('box', () => 0)
    .on(Kept, (n) => n + 1)
    .command('keep', anything, () => {
      seen.decision++
      return Kept()
    })
  const running = await domain({ aggregates: { box: Box } }).start({
    store: memory(),
    log: recorder(),
    limits,
  })
  return { running, seen }
}

/** A list of ones that counts how often an item is read. */
function countedList(length: number): { readonly list: readonly unknown[]; readonly reads: () => number } {
  let reads = 0
  const list = new Proxy([], {
    get: (target, key) => {
      if (key === 'length') return length
      if (typeof key !== 'string' || !/^\d+$/.test(key)) return Reflect.get(target, key)
      reads++
      return 1
    },
  })
  return { list, reads: () => reads }
}

describe('A command whose data is too large', () => {
  const tooLarge: Record<string, unknown> = {
    'a text': 'x'.repeat(commandSizeMax),
    'a list of numbers': Array.from({ length: 200 }, (_, i) => i),
    'a list of nothing': new Array(4_000_000_000),
    'a record': Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`key ${i}`, i])),
    'a key': { ['k'.repeat(commandSizeMax)]: 1 },
    'a map': new Map(Array.from({ length: 200 }, (_, i) => [i, i])),
    'a set': new Set(Array.from({ length: 200 }, (_, i) => i)),
    'lists in lists': Array.from({ length: 300 }, () => [[]]),
    bytes: new Uint8Array(commandSizeMax + 1),
    'a buffer of bytes': new ArrayBuffer(commandSizeMax + 1),
    'a view of bytes': new DataView(new ArrayBuffer(commandSizeMax + 1)),
    'bytes of a buffer': Buffer.alloc(commandSizeMax + 1),
    'a large number': 10n ** 2000n,
    'what an object gives out as JSON': { toJSON: () => 'x'.repeat(commandSizeMax) },
  }
  for (const [what, data] of Object.entries(tooLarge)) {
    test(`is refused before its schema and its decision see it: ${what}`, async () => {
      const { running, seen } = await start()
      const box = running.box('a')
      const sendings = [
        () => box.keep(data),
        () => box.try.keep(data),
        () => running.dispatch({ aggregate: 'box', id: 'a', name: 'keep', data } as never),
        () => box.keep({ deep: [data] }),
      ]
      const facts = { aggregate: 'box', command: 'keep', sizeMax: commandSizeMax }
      for (const send of sendings) await assert.rejects(send, { code: 'COMMAND_TOO_LARGE', facts })
      assert.deepEqual(seen, { schema: 0, decision: 0 })
      await running.stop()
    })
  }

  test('is read only up to the limit', async () => {
    const { running, seen } = await start()
    const { list, reads } = countedList(3_000_000)
    await assert.rejects(async () => running.box('a').keep({ list }), { code: 'COMMAND_TOO_LARGE' })
    assert.ok(reads() > 0 && reads() <= commandSizeMax / 8, `${reads()} of its numbers were looked at`)
    assert.deepEqual(seen, { schema: 0, decision: 0 })
    await running.stop()
  })

  test('differs from one that is nested too deep', async () => {
    const { running } = await start({})
    const tree: { parent?: unknown; children: unknown[] } = { children: [] }
    tree.children = [{ parent: tree }, { parent: tree }]
    const loop: Record<string, unknown> = {}
    loop['self'] = loop
    for (const data of [tree, loop]) {
      await assert.rejects(async () => running.box('a').keep(data), { code: 'DATA_NOT_JSON', message: /or a cycle/ })
    }
    await running.stop()
  })
})

test("A command whose data is exactly at the limit is accepted; each byte counts as one, also a buffer's", async () => {
  const { running, seen } = await start()
  const fitting = ['x'.repeat(commandSizeMax - 2), new Uint8Array(commandSizeMax), Buffer.alloc(commandSizeMax)]
  for (const data of fitting) await running.box('a').keep(data)
  assert.equal(seen.decision, fitting.length)
  await running.stop()
})

test('By default, data that fits into one commit may be sent as a command', async () => {
  const Noted = event('Noted', z.object({ text: z.string() }))
  const Note = aggregate('note', () => 0)
    .on(Noted, (n) => n + 1)
    .command('write', z.object({ text: z.string() }), (_, data) => Noted(data))
  const store = memory()
  await using running = await domain({ aggregates: { note: Note } }).start({ store, log: recorder() })
  const { limits } = await store.open({ now: () => 0, warn: () => {} })
  // The rest is the size of an event, its labels and the key of the text.
  const text = 'x'.repeat(limits.commitSizeMax - 100)
  assert.equal((await running.note('a').write({ text })).sequence, 1)
})
