/** Appends that are sent as one request: nothing is mixed up, and every caller gets its own answer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { freshPath, openStore, simpleCommit, withDatabase } from '../sqlite-test.fixture.ts'
import { merged, repliesToEach, separate } from './merged-appends.ts'
import { type Flat, packCommits, type Reply, type Request, statusNumbers } from './protocol.ts'

const commits = fc
  .array(fc.record({ id: fc.string({ minLength: 1, maxLength: 3 }), events: fc.integer({ min: 1, max: 3 }) }), {
    minLength: 1,
    maxLength: 3,
  })
  .map((offered) =>
    offered.map(({ id, events }) =>
      simpleCommit(`c${id.codePointAt(0)}`, {
        events: Array.from({ length: events }, (_, i) => ({ type: 'T', data: i })),
      }),
    ),
  )
const append = fc.record({ commits, writer: fc.constantFrom('a', 'b', null) }).map(
  ({ commits, writer }): Request => ({
    call: 'append',
    commits: packCommits(commits),
    callers: [commits.length],
    writer,
    now: 1,
  }),
)
const other = fc.constant<Request>({ call: 'resetProjection', projection: 'p' })
const requests = fc.array(fc.oneof({ weight: 5, arbitrary: append }, other), { minLength: 1, maxLength: 12 })

/** An answer that names the request, with results of every length. */
function answerTo(request: Request, name: number): Flat {
  if (request.call !== 'append') return [name]
  return Array.from({ length: request.callers[0]! }, (_, i) =>
    i % 2 === 0
      ? [statusNumbers.stored, name, i, 1]
      : i % 3 === 0
        ? [statusNumbers.conflict, name]
        : [statusNumbers.duplicate, name, i, 1, 1, null, null],
  ).flat()
}

test('merged requests are separated again, and every answer goes to its caller', () => {
  fc.assert(
    fc.property(requests, (all) => {
      const sent = merged(all)
      assert.deepEqual(sent.flatMap(separate), all)
      const answers = all.map(answerTo)
      let next = 0
      const replies = sent.map((request): Reply => {
        const parts = separate(request).flatMap(() => answers[next++]!)
        return { answer: parts }
      })
      const each = answers.map((answer) => ({ answer }))
      assert.deepEqual(repliesToEach(sent, replies, all.length), each)
      assert.deepEqual(repliesToEach(sent, each as readonly Reply[], all.length), each)
    }),
  )
})

test('of appends at the same time, only the one fails that cannot be stored', async (context) => {
  const path = await freshPath(context)
  const store = await openStore(context, path)
  await withDatabase(path, (database) =>
    database.exec(`CREATE TRIGGER no_b BEFORE INSERT ON events WHEN new.commit_id = 'b'
      BEGIN SELECT RAISE(ABORT, 'not this one'); END`),
  )
  const outcomes = await Promise.allSettled(
    ['a', 'b', 'c', 'a', 'd'].map((id) => store.append([simpleCommit(id)], id === 'c' ? { writer: 'w' } : {})),
  )
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value[0]!.status : outcome.reason.code)),
    ['stored', 'NOT_STORED', 'stored', 'duplicate', 'stored'],
  )
  assert.equal(await store.head(), 3)
})

test('what one caller did not get stored breaks no chain of another one', async (context) => {
  const store = await openStore(context, await freshPath(context))
  const [first, second, third] = await Promise.all([
    store.append([simpleCommit('a', { expected: 3 }), simpleCommit('b', { expected: 0 })]),
    store.append([simpleCommit('c', { expected: 0 }), simpleCommit('d', { expected: 1 })]),
    store.append([simpleCommit('e', { expected: 2 })]),
  ])
  const statuses = [first, second, third].map((results) => results.map(({ status }) => status))
  assert.deepEqual(statuses, [['conflict', 'conflict'], ['stored', 'stored'], ['stored']])
})
