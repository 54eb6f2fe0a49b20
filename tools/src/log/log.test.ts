/** Whole logs: written as lines, put into any store, and checked. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, type TestContext, test } from 'node:test'
import { Bank } from '../../../examples/bank/bank.ts'
import { commit, memory, type Store, StoreError, type StoreFactory } from '../../../src/index.ts'
import { sqlite } from '../../../src/store/sqlite/index.ts'
import { onEveryStore } from '../../../test/support/stores/every-store.ts'
import { changedStore } from '../inspection/changed-store.ts'
import { exportTo, exportToFile } from './export-log.ts'
import { importLog } from './import-log.ts'
import { type LogFormat, linesOf } from './lines.ts'
import { patientStore } from './patient-store.ts'
import { streamKey, TextNumbers } from './text-numbers.ts'
import { type Finding, verifyLog } from './verify-log.ts'

const quiet = { warn: () => {}, now: Date.now }

async function opened(t: TestContext, factory: StoreFactory): Promise<Store> {
  const store = await factory.open(quiet)
  t.after(() => store.close())
  return store
}

/** Commits of all shapes: several events, odd ids and texts, metadata, tags, marks of commands, a strange clock. */
async function fill(store: Store): Promise<void> {
  const ids = ['ada', 'b/o "b"', 'ünï\u2028cödé 😀', '%2F#?', 'x'.repeat(300)]
  for (const [i, id] of ids.entries()) {
    const stream = { aggregate: i % 2 === 0 ? 'account' : 'Zähler/2', id }
    const event = (n: number) => ({
      type: `Happened ${n}`,
      revision: n + 1,
      data: { n, text: `line\nend ${id}`, list: [null, true, 1e21, ''] },
      metadata: n === 0 ? {} : { user: 'eve', traceparent: '00-ab-cd-01' },
      tags: n === 0 ? [] : ['a tag', `t${i}`],
    })
    const command = { name: 'do', digest: 2 ** 52 + i }
    await store.append([
      commit({ stream, expected: 0, id: `c ${i}`, recordedAt: 1e12 + i, events: [event(0)], command }),
      commit({ stream, expected: 1, id: `d ${i}`, recordedAt: i, events: [event(1), event(2), event(0)] }),
    ])
  }
}

async function textOf(store: Store, format: LogFormat = 'json') {
  let text = ''
  const write = async (part: string) => {
    text += part
  }
  const { digest } = await exportTo(store, write, { format })
  return { text, digest }
}

/** In pieces that end in the middle of lines and characters. */
async function* bytesOf(text: string, size = 1000): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function findingsOf(store: Store, upcast?: (event: never) => unknown) {
  const findings: Finding[] = []
  const onFinding = (finding: Finding) => void findings.push(finding)
  const summary = await verifyLog(store, { onFinding, findingsMax: 20, ...(upcast && { upcast: upcast as never }) })
  return { ...summary, findings }
}

await onEveryStore('A log', (place) => {
  test('is the same in another store, in both formats, and is good there', async (t) => {
    const source = await opened(t, memory())
    await fill(source)
    const original = await textOf(source)
    const target = await opened(t, await place.place(t))
    const half = original.text.split('\n').slice(0, 8).join('\n')
    const begun = await importLog(target, bytesOf(`${half}\n`))
    assert.deepEqual([begun.events, begun.kept], [8, 0])
    const events = original.text.split('\n').length - 1
    // The other format goes on where the first has ended.
    const rest = await importLog(target, bytesOf((await textOf(source, 'cloudevents')).text, 77))
    assert.deepEqual(rest, { events, kept: 8, digest: original.digest, goesOn: false })
    assert.deepEqual(await textOf(target), original)
    const { findings, ...summary } = await findingsOf(target)
    assert.deepEqual([findings, summary.digest, summary.events], [[], original.digest, events])
  })
})

describe('An import', () => {
  test('refuses what is not the log that the store has begun with, and changes nothing', async (t) => {
    const source = await opened(t, memory())
    await fill(source)
    const lines = (await textOf(source)).text.split('\n').slice(0, -1)
    const changed = (i: number, change: (line: Record<string, unknown>) => object) =>
      lines.map((line, at) => (at === i ? JSON.stringify({ ...JSON.parse(line), ...change(JSON.parse(line)) }) : line))
    const whole = (some: readonly string[]) => `${some.join('\n')}\n`
    const refused: [what: string, text: string, code: string, message: RegExp, stored: number][] = [
      ['a gap', whole(lines.toSpliced(4, 1)), 'LINE_INVALID', /Line 5 has the event at position 6/, 0],
      ['no JSON', 'hello\n', 'LINE_INVALID', /Line 1 is not JSON/, 0],
      ['a list', '[]\n', 'LINE_INVALID', /position|aggregate/, 0],
      ['no tags', whole(changed(0, () => ({ tags: 'a' }))), 'LINE_INVALID', /tags are not a list/, 0],
      ['no end', lines.join('\n'), 'LINE_INVALID', /Line 20 has no end\. The export was not finished/, 0],
      [
        'a cut commit',
        whole(lines.slice(0, 3)),
        'LINE_INVALID',
        /position 2 has 3 events, of which the lines have 2/,
        0,
      ],
      ['a wrong sequence', whole(changed(0, () => ({ sequence: 2 }))), 'LINE_INVALID', /1 does not continue/, 0],
      ['a later one', whole(changed(5, () => ({ sequence: 4 }))), 'LINE_INVALID', /its sequence is 4\.$/, 5],
      ['one in a commit', whole(changed(2, () => ({ sequence: 5 }))), 'LINE_INVALID', /its sequence is 5\.$/, 1],
      [
        'a commit again',
        whole(changed(5, () => ({ commitId: 'c 0', aggregate: 'account', id: 'ada', sequence: 5 }))),
        'LINE_INVALID',
        /its commit is there already/,
        5,
      ],
    ]
    for (const [what, text, code, message, stored] of refused) {
      const target = await opened(t, memory())
      await assert.rejects(importLog(target, bytesOf(text)), { code, message }, what)
      assert.equal(await target.head(), stored, what)
    }
    const other = await opened(t, memory())
    await importLog(other, bytesOf(whole(changed(0, () => ({ data: 'changed' })))))
    await assert.rejects(importLog(other, bytesOf(whole(lines))), { code: 'LOG_DIFFERS', message: /at position 1 / })
    // A store that has more is not touched, and told.
    const { goesOn, events } = await importLog(source, bytesOf(whole(lines.slice(0, 4))))
    assert.deepEqual([goesOn, events, await source.head()], [true, 4, lines.length])
  })

  test('keeps the marks of commands, so that an id is still one command', async (t) => {
    const factory = memory()
    const bank = await Bank.start({ store: factory, projections: 'manual' })
    await bank.account('ada').open({ owner: 'ada' }, { commandId: 'c1' })
    await bank.stop()
    const { text } = await textOf(await opened(t, factory))
    const copy = memory()
    await importLog(await opened(t, copy), bytesOf(text))
    await using again = await Bank.start({ store: copy, projections: 'manual' })
    const same = await again.account('ada').open({ owner: 'ada' }, { commandId: 'c1' })
    assert.equal(same.sequence, 1)
    const other = again.account('ada').open({ owner: 'eve' }, { commandId: 'c1' })
    await assert.rejects(other, { code: 'COMMAND_ID_REUSED' })
  })
})

describe('An export to a file', () => {
  test('goes on behind the whole lines that are there, and refuses the file of another log', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'mneme-export-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    const path = join(folder, 'log.jsonl')
    const source = await opened(t, memory())
    await fill(source)
    const { text, digest } = await textOf(source)
    const options = { format: 'json' } as const
    const all = text.split('\n').length - 1
    // Cut within a line, after a line within a commit, and before the last line feed.
    for (const [cut, kept] of [
      [0, 0],
      [text.indexOf('\n', 900) + 50, undefined],
      [text.split('\n').slice(0, 3).join('\n').length + 1, 3],
      [text.length - 1, all - 1],
      [text.length, all],
    ] as const) {
      await writeFile(path, text.slice(0, cut))
      const summary = await exportToFile(source, path, options)
      assert.deepEqual([summary.digest, summary.events], [digest, all])
      if (kept !== undefined) assert.equal(summary.kept, kept)
      assert.equal(await readFile(path, 'utf8'), text)
    }
    await assert.rejects(exportToFile(source, path, { format: 'cloudevents' }), { code: 'LOG_DIFFERS' })
    const other = await opened(t, memory())
    await assert.rejects(exportToFile(other, path, options), { code: 'LOG_DIFFERS', message: /another event at/ })
    assert.equal(await readFile(path, 'utf8'), text)
  })

  test('leaves a file alone that is no export, also one without a whole line', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'mneme-export-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    const path = join(folder, 'notes.txt')
    const source = await opened(t, memory())
    await fill(source)
    const { text } = await textOf(source)
    const [first] = text.split('\n')
    for (const others of ['my notes', ' ', '\0\0', `${first} and more`, first!.replace('1', '2'), `${text}my notes`]) {
      await writeFile(path, others)
      await assert.rejects(exportToFile(source, path, { format: 'json' }), { code: 'LOG_DIFFERS' }, others.slice(0, 20))
      assert.equal(await readFile(path, 'utf8'), others)
    }
  })
})

/** Changes what happened. Triggers keep everybody from doing that, but not a disk. */
function harm(path: string, statement: string): void {
  const database = new DatabaseSync(path)
  const triggers = database.prepare(`SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'`).all()
  for (const { name } of triggers) database.exec(`DROP TRIGGER ${name}`)
  database.exec(statement)
  for (const { sql } of triggers) database.exec(String(sql))
  database.close()
}

describe('The check of a log', () => {
  test('finds damage on the disk, and goes on behind it', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'mneme-verify-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    const path = join(folder, 'log.db')
    const store = await sqlite(path).open(quiet)
    await fill(store)
    // SQLite's store checks smaller files when it opens them.
    const stream = { aggregate: 'large', id: 'a' }
    const events = Array.from({ length: 10 }, () => ({ type: 'Large', data: 'x'.repeat(500_000) }))
    await store.append([commit({ stream, expected: 0, id: 'c', recordedAt: 1, events })])
    await store.close()
    harm(path, `UPDATE events SET data = '{"n":7}' WHERE position = 9`)
    const { findings, digest, isWhole } = await findingsOf(await opened(t, sqlite(path)))
    assert.deepEqual([findings[0]!.what, findings[0]!.position, digest, isWhole], ['damaged', 9, undefined, true])
    assert.deepEqual(
      findings.filter(({ what }) => what !== 'damaged' && what !== 'commit'),
      [],
    )
  })

  test('finds damage that reading the log does not show', async (t) => {
    const places = ({ findings }: Awaited<ReturnType<typeof findingsOf>>) =>
      findings.map(({ what, position }) => `${what} ${position}`)
    // What a store keeps of a commit beside its events.
    const folder = await mkdtemp(join(tmpdir(), 'mneme-verify-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    const path = join(folder, 'log.db')
    const made = await sqlite(path).open(quiet)
    await fill(made)
    await made.close()
    harm(path, "UPDATE events SET command = 'other' WHERE position = 5")
    assert.deepEqual(places(await findingsOf(await opened(t, sqlite(path)))), ['damaged 5'])

    // An event that another program has stored again: the log has it twice, and its stream cannot be read.
    const store = await opened(t, memory())
    await fill(store)
    const cause = { store: 'a store', where: 'the end of a stream', reason: 'it is wrong' }
    const twice = changedStore(store, {
      async readAll(...args) {
        const page = await store.readAll(...args)
        const events = page.events.map((event) => (event.position === 6 ? { ...event, sequence: 3 } : event))
        return { ...page, events }
      },
      readStream: () => Promise.reject(new StoreError('STORE_CORRUPT', cause)),
    })
    assert.deepEqual(places(await findingsOf(twice)), ['damaged 6'])
  })

  test('finds what no store may do', async (t) => {
    const store = await opened(t, memory())
    await fill(store)
    const lying = (events: (position: number) => object | undefined) =>
      ({
        ...store,
        head: () => store.head(),
        findCommit: (...args: Parameters<Store['findCommit']>) => store.findCommit(...args),
        readStream: (...args: Parameters<Store['readStream']>) => store.readStream(...args),
        async readAll(...args: Parameters<Store['readAll']>) {
          const page = await store.readAll(...args)
          return { ...page, events: page.events.flatMap((event) => ({ ...event, ...events(event.position) })) }
        },
      }) as Store
    const what = async (events: (position: number) => object | undefined) =>
      (await findingsOf(lying(events))).findings.map((finding) => [finding.what, finding.position])
    assert.deepEqual(await what(() => undefined), [])
    assert.deepEqual(await what((at) => (at === 6 ? { sequence: 3 } : undefined)), [['sequence', 6]])
    const skipped = await what((at) => (at === 20 ? { position: 21 } : undefined))
    assert.deepEqual(skipped[0], ['position', 21])
    assert.deepEqual(await what((at) => (at === 1 ? { commitId: 'other' } : undefined)), [['commit', 1]])
    const unread = await findingsOf(store, (event: { position: number }) => {
      if (event.position % 2 === 0) throw new Error('not understood')
    })
    assert.deepEqual([unread.findings.length, unread.findings[0]!.what], [10, 'unreadable'])
  })

  test('ends when there is too much to find', async (t) => {
    const store = await opened(t, memory())
    await fill(store)
    let told = 0
    const upcast = () => {
      throw new Error('not understood')
    }
    const onFinding = () => void told++
    const summary = await verifyLog(store, { upcast, findingsMax: 3, onFinding })
    assert.deepEqual([told, summary.findings, summary.isWhole, summary.digest], [3, 3, false, undefined])
  })
})

test('the numbers of many texts are kept apart', () => {
  const numbers = new TextNumbers()
  const key = (i: number) => streamKey({ aggregate: `a${i % 3}`, id: `${i}` })
  for (let i = 0; i < 5000; i++) assert.equal(numbers.replace(key(i), 1), 0)
  for (let i = 0; i < 5000; i++) assert.equal(numbers.replace(key(i), i + 2), 1)
  for (let i = 0; i < 5000; i += 7) assert.equal(numbers.replace(key(i), 1), i + 2)
  assert.equal(numbers.size, 5000)
  assert.notEqual(streamKey({ aggregate: 'a', id: 'bc' }), streamKey({ aggregate: 'ab', id: 'c' }))
})

describe('Long work', () => {
  test('tries a read again that may work then, and ends at once for what does not pass', async (t) => {
    const store = await opened(t, memory())
    await fill(store)
    const { digest } = await verifyLog(store, { onFinding: async () => {} })
    const failures: string[] = []
    const failing = (code: 'STORE_UNAVAILABLE' | 'STORE_CORRUPT') => {
      let calls = 0
      const facts = { store: 'memory', doing: 'reading', where: 'x', reason: 'y' }
      const failsOnce = changedStore(store, {
        readAll: async (...args) => {
          if (calls++ === 0) throw new StoreError(code, facts as never)
          return store.readAll(...args)
        },
      })
      const { signal } = new AbortController()
      return patientStore(failsOnce, { signal, onFailure: ({ code }) => failures.push(code) })
    }
    const summary = await verifyLog(failing('STORE_UNAVAILABLE'), { onFinding: async () => {} })
    assert.deepEqual([summary.digest, summary.findings, failures], [digest, 0, ['STORE_UNAVAILABLE']])
    await assert.rejects(textOf(failing('STORE_CORRUPT')), { code: 'STORE_CORRUPT' })
    assert.equal(failures.length, 1)
  })

  test('ends when it is interrupted in the middle of a pause', async () => {
    const controller = new AbortController()
    const store = await memory().open(quiet)
    const broken = changedStore(store, {
      head: async () => {
        throw new StoreError('STORE_UNAVAILABLE', { store: 'memory', doing: 'reading' })
      },
    })
    const onFailure = () => setImmediate(() => controller.abort(new Error('enough')))
    await assert.rejects(patientStore(broken, { signal: controller.signal, onFailure }).head(), { name: 'AbortError' })
  })
})

test('a file without line feeds is refused before all of it is read', async () => {
  const piece = new Uint8Array(1024 * 1024).fill(97)
  let given = 0
  async function* endless() {
    for (; given < 1000; given++) yield piece
  }
  const read = async () => {
    for await (const _ of linesOf(endless())) assert.fail('there is no line')
  }
  await assert.rejects(read, { code: 'LINE_INVALID' })
  assert.ok(given < 150, `${given} MB were read`)
})
