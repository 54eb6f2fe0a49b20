/** Events that a program does not understand, met by a subscription or a history: where they are, and how to go on. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { recorder } from '../../test/support/kernel/rig.ts'
import {
  aggregate,
  domain,
  event,
  forgotten,
  hasCode,
  type MnemeError,
  memory,
  type Personal,
  personal,
  type Store,
  type StoredEvent,
} from '../index.ts'

const noted = (revisions: 1 | 2, text: z.ZodType<string> = z.string()) => {
  const Noted = event('Noted', z.object({ text }))
  const Kind = revisions === 1 ? Noted : Noted.revise(z.object({ text, by: z.string() }), (old) => ({ ...old, by: '' }))
  const Notes = aggregate('notes', () => ({ count: 0 }))
    .on(Kind as typeof Noted, ({ count }) => ({ count: count + 1 }))
    .command('note', z.object({ text: z.string() }), (_, { text }) => Kind({ text, by: 'ada' } as never) as never)
  return domain({ aggregates: { notes: Notes } })
}

/** A log with four notes of `a`, of which the old program does not understand the second and third, and one of `b`. */
async function withNewerNotes() {
  const store = memory()
  const options = { store, log: recorder() }
  const [older, newer] = [await noted(1).start(options), await noted(2).start(options)]
  await older.notes('a').note({ text: '1' })
  await older.notes('b').note({ text: 'of b' })
  for (const text of ['2', '3']) await newer.notes('a').note({ text })
  await newer.stop()
  await older.stop()
  return await noted(1).start(options)
}

const unreadable = (sequence: number, position: number, code: string) => (error: unknown) => {
  assert.ok(hasCode(error, 'EVENT_UNREADABLE'), String(error))
  const { checksum, ...facts } = error.facts
  assert.deepEqual(facts, { event: 'Noted', stream: { aggregate: 'notes', id: 'a' }, sequence, position })
  assert.ok(checksum > 0)
  assert.equal((error.cause as MnemeError).code, code)
  assert.match(error.message, /^The event Noted at sequence \d of notes "a" \(position \d\) cannot be read \(/)
  return true
}

/** What a subscription gives until it fails, and its error. */
async function until(events: AsyncIterable<{ readonly position: number }>) {
  const positions: number[] = []
  try {
    for await (const { position } of events) positions.push(position)
  } catch (error) {
    return { positions, error: error as MnemeError<'EVENT_UNREADABLE'> }
  }
  return { positions, error: undefined }
}

test('a subscription to the log names the place of an unreadable event, and another one goes on behind it', async () => {
  await using notes = await withNewerNotes()
  const first = await until(notes.events())
  assert.deepEqual(first.positions, [1, 2])
  unreadable(2, 3, 'EVENT_NEWER')(first.error)
  const second = await until(notes.events({ after: first.error!.facts }))
  assert.deepEqual(second.positions, [])
  unreadable(3, 4, 'EVENT_NEWER')(second.error)
  const third = notes.events({ after: second.error!.facts })[Symbol.asyncIterator]()
  const next = third.next()
  await notes.notes('b').note({ text: 'again' })
  assert.equal((await next).value!.position, 5)
  await third.return?.()
})

test('a subscription to a stream and a history do the same', async () => {
  await using notes = await withNewerNotes()
  const first = await until(notes.notes('a').events())
  assert.deepEqual(first.positions, [1])
  unreadable(2, 3, 'EVENT_NEWER')(first.error)
  const second = await until(notes.notes('a').events({ after: first.error!.facts }))
  unreadable(3, 4, 'EVENT_NEWER')(second.error)
  const history = await until(notes.notes('a').history())
  assert.deepEqual(history.positions, [1])
  unreadable(2, 3, 'EVENT_NEWER')(history.error)
  const rest = await until(notes.notes('a').history({ from: history.error!.facts.sequence + 1 }))
  unreadable(3, 4, 'EVENT_NEWER')(rest.error)
  const behind = await until(notes.notes('a').history({ from: rest.error!.facts.sequence + 1 }))
  assert.deepEqual(behind, { positions: [], error: undefined })
})

test('an event that its schema does not accept any more is unreadable because of EVENT_INVALID', async () => {
  const store = memory()
  await using before = await noted(1).start({ store, log: recorder() })
  await before.notes('a').note({ text: 'short' })
  await using after = await noted(1, z.string().min(50)).start({ store, log: recorder() })
  unreadable(1, 1, 'EVENT_INVALID')((await until(after.events())).error)
})

test('a domain upcasts an event that was read from a store, or says why it cannot', async () => {
  const factory = memory()
  const [older, newer] = [noted(1), noted(2)]
  const running = await older.start({ store: factory, log: recorder() })
  await running.notes('a').note({ text: 'first' })
  await running.stop()
  const later = await newer.start({ store: factory, log: recorder() })
  await later.notes('a').note({ text: 'second' })
  await later.stop()
  const store = await factory.open({ warn: () => {}, now: Date.now })
  const { events } = await store.readAll({ from: 1, to: 3 })
  const upcast = events.map((event) => newer.upcast(event))
  assert.deepEqual(
    upcast.map(({ data, revision, position }) => [data, revision, position]),
    [
      [{ text: 'first', by: '' }, 1, 1],
      [{ text: 'second', by: 'ada' }, 2, 2],
    ],
  )
  assert.throws(() => older.upcast(events[1]!), unreadable(2, 2, 'EVENT_NEWER'))
  // Of an aggregate that it does not have, it knows nothing better than what is stored.
  const stranger = { ...events[0]!, stream: { aggregate: 'other', id: 'a' } }
  assert.deepEqual(newer.upcast(stranger).data, { text: 'first' })
})

test('a domain upcasts an event with personal values that nobody has opened, and spoils them for nobody', async (t) => {
  const fields = { subject: ({ id }: { readonly id: string }) => id, fields: ['email'] } as const
  const data = z.object({ id: z.string(), email: z.email() })
  const Joined = event('Joined', data).personal(fields)
  const Members = domain({
    aggregates: {
      member: aggregate('member', () => ({ email: undefined as unknown }))
        .on(Joined, (_, { email }) => ({ email }))
        .command('join', personal(data, fields), (_, joined) => Joined(joined)),
    },
  })
  const kept = await memory().open({ warn: () => {}, now: Date.now })
  t.after(() => kept.close())
  // The same objects at each reading, as a store may return them, and no longer those that were sealed here.
  const copies = new Map<number, StoredEvent>()
  const copy = (stored: StoredEvent) => {
    const known = copies.get(stored.position) ?? { ...stored, data: JSON.parse(JSON.stringify(stored.data)) }
    copies.set(stored.position, known)
    return known
  }
  const methods = {
    readStream: async (...args: Parameters<Store['readStream']>) => (await kept.readStream(...args)).map(copy),
    close: async () => {},
  }
  const lent = new Proxy(kept, {
    get(target, name) {
      const found: unknown = Object.hasOwn(methods, name) ? Reflect.get(methods, name) : Reflect.get(target, name)
      return typeof found === 'function' ? found.bind(target) : found
    },
  })
  const options = { store: { name: 'kept', open: async () => lent }, log: recorder() }
  const first = await Members.start(options)
  await first.member('m').join({ id: 'ada', email: 'ada@example.org' })
  await first.stop()
  const stream = { aggregate: 'member', id: 'm' }
  const [stored] = await lent.readStream(stream, { from: 1, to: 2 })
  const { email } = Members.upcast(stored!).data as { readonly email: Personal<string> }
  assert.deepEqual([email.value, String(email)], [forgotten, '[personal]'])
  await using second = await Members.start(options)
  const read = (await second.member('m').state()).email as Personal<string>
  assert.equal(read.value, 'ada@example.org')
})
