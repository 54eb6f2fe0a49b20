/** `mneme mcp`, used by a client of the official kind, as a process over stdio. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, type TestContext, test } from 'node:test'
import { sqlite } from '../../../src/store/sqlite/index.ts'
import { leftOut, sized } from '../../../test/support/size.ts'
import { FormerClinic } from '../../../test/support/tools/former-clinic.ts'
import { contentsOf, type McpPlace, mcpArguments, mcpPlace } from '../../../test/support/tools/mcp.ts'
import { bytesMax } from './bounds.ts'

const domain = 'test/support/tools/clinic.ts'
/** An answer has what it lists, and some words around it. */
const answerMax = bytesMax + 20_000

/** A database in which two patients are registered, and their projections have run. */
async function filled(t: TestContext, notes: readonly string[] = ['fever', 'illegible', 'well']): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'mneme-mcp-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const database = join(folder, 'clinic.db')
  const clinic = await FormerClinic.start({ store: sqlite(database), projections: 'manual', log: { warn() {} } })
  await clinic.patient('p1').register({ name: 'Ada Lovelace', ward: 'north' }, { commandId: 'first' })
  await clinic.patient('p2').register({ name: 'Grace Hopper', ward: 'south' })
  for (const text of notes) await clinic.patient('p1').note({ text })
  await clinic.reactions.runOnce('greeting')
  for (const name of ['wards', 'census', 'ledger'] as const) await clinic.projections.runOnce(name)
  await clinic.stop()
  return database
}

const p1 = { aggregate: 'patient', id: 'p1' }

type Ask = McpPlace['value']

async function asksForHistory(value: Ask): Promise<void> {
  assert.deepEqual(await value('list_streams', { aggregate: 'patient', limit: 1 }), {
    aggregate: 'patient',
    ids: ['p1'],
    cursor: 'p1',
  })
  assert.deepEqual((await value('list_streams', { aggregate: 'patient', cursor: 'p1' })).ids, ['p2'])

  const whole = await value('read_events', { limit: 3 })
  assert.deepEqual(
    whole.events.map(({ position, type }: any) => [position, type]),
    [
      [1, 'PatientRegistered'],
      [2, 'PatientRegistered'],
      [3, 'NoteWritten'],
    ],
  )
  assert.deepEqual(whole.events[0].data, { name: '[personal]', ward: 'north' })
  const rest = await value('read_events', { limit: 3, cursor: whole.cursor })
  assert.deepEqual(
    rest.events.map(({ position }: any) => position),
    [4, 5, 6],
  )
  const newest = await value('read_events', { ...p1, newest_first: true, limit: 1 })
  assert.deepEqual([newest.events[0].sequence, newest.events[0].data], [5, { text: 'welcome' }])
  const before = await value('read_events', { ...p1, newest_first: true, limit: 1, cursor: newest.cursor })
  assert.equal(before.events[0].sequence, 4)
  assert.equal((await value('read_events', { types: ['PatientRegistered'] })).events.length, 2)

  const now = await value('state', p1)
  const notes = ['fever', 'illegible', 'well', 'welcome']
  assert.deepEqual([now.sequence, now.state], [5, { name: '[personal]', ward: 'north', notes }])
  assert.equal((await value('state', { ...p1, path: ['notes', 2] })).state, 'well')
  assert.deepEqual((await value('state', { ...p1, sequence: 1 })).state.notes, [])
  assert.match((await value('state', { ...p1, at: '2020-01-01T00:00:00Z' })).note, /initial state/)
  assert.deepEqual(await value('diff', { ...p1, from: 1, to: 2 }), {
    ...p1,
    from: 1,
    to: 2,
    changes: [{ path: 'notes[0]', after: 'fever' }],
  })
}

async function asksForCauses(value: Ask): Promise<void> {
  const { correlationId, commands } = await value('trace', { command_or_correlation_id: 'first' })
  assert.equal(correlationId, 'first')
  assert.deepEqual(
    commands.map(({ causationId, events }: any) => [causationId, events[0].type]),
    [
      [null, 'PatientRegistered'],
      ['first', 'NoteWritten'],
    ],
  )

  const bounded = { command_or_correlation_id: 'first', ...p1, to: 2 }
  assert.equal((await value('trace', bounded)).count, 1)

  const catalogue = await value('catalogue')
  assert.deepEqual(catalogue.aggregates[0].commands, ['register', 'note'])
  const [, note] = (await value('catalogue', { aggregate: 'patient' })).commands
  assert.deepEqual(note.data.properties, { text: { type: 'string', maxLength: 2_000_000 } })
}

async function asksForReadModels(value: Ask, call: McpPlace['call']): Promise<void> {
  const { followers } = await value('projections')
  const { head } = followers[0]
  assert.deepEqual(
    followers.map(({ kind, name, parked }: any) => [kind, name, parked]),
    [
      ['projection', 'wards', 3],
      ['projection', 'census', 0],
      ['projection', 'ledger', 0],
      ['reaction', 'greeting', 0],
      ['reaction', 'later', undefined],
    ],
  )
  const { lag, ...greeting } = followers[3]
  assert.deepEqual(greeting, { kind: 'reaction', name: 'greeting', position: 5, head, parked: 0 })
  assert.equal(lag.events, 2)
  // It has never run, and asking it would store that it begins now.
  assert.deepEqual(followers[4], { kind: 'reaction', name: 'later', position: 0, head, beginning: 'now' })
  assert.deepEqual((await value('parked', { reaction: 'later' })).parked, [])
  const [illegible] = (await value('parked', { projection: 'wards', limit: 1 })).parked
  assert.match(illegible.reason, /nobody can read that/)
  assert.deepEqual(await value('find_rows', { projection: 'wards', where: { notes: { gte: 1 } } }), {
    rows: [
      { key: 'p1', row: { ward: 'north', notes: 1, last: 'fever' } },
      { key: 'p2', row: { ward: 'south', notes: 1, last: 'welcome' } },
    ],
  })
  const first = await value('find_rows', { projection: 'wards', order_by: [['ward', 'descending']], limit: 1 })
  const second = await value('find_rows', {
    projection: 'wards',
    order_by: [['ward', 'descending']],
    cursor: first.cursor,
  })
  assert.deepEqual([first.rows[0].key, second.rows[0].key], ['p2', 'p1'])
  assert.deepEqual(await value('find_rows', { projection: 'census' }), { state: { patients: 2 } })
  assert.match((await call('find_rows', { projection: 'ledger' })).text, /tables of its own/)
}

async function triesCommands(value: Ask): Promise<void> {
  const trial = await value('dry_run', { ...p1, command: 'note', data: { text: 'new' } })
  assert.deepEqual(
    [trial.accepted, trial.sequence, trial.events],
    [true, 6, [{ type: 'NoteWritten', data: { text: 'new' } }]],
  )
  const again = await value('dry_run', { ...p1, command: 'register', data: { name: 'x', ward: 'y' } })
  assert.deepEqual([again.accepted, again.rejection.code], [false, 'AlreadyRegistered'])
  const earlier = await value('dry_run', { ...p1, command: 'register', sequence: 0, data: { name: 'x', ward: 'y' } })
  assert.deepEqual([earlier.accepted, earlier.events[0].data.name], [true, '[personal]'])
}

describe('mneme mcp', () => {
  test('answers each question about the log and the domain, with personal values masked', async (t) => {
    const database = await filled(t)
    const { client, call, value } = await mcpPlace(t, database, domain)
    const { tools } = await client.listTools()
    assert.deepEqual(
      tools.map(({ name }) => name),
      [
        ...['list_streams', 'read_events', 'trace', 'catalogue', 'state'],
        ...['diff', 'projections', 'find_rows', 'parked', 'dry_run'],
      ],
    )
    assert.ok(tools.every(({ annotations }) => annotations?.readOnlyHint === true))
    await asksForHistory(value)
    await asksForCauses(value)
    await asksForReadModels(value, call)
    await triesCommands(value)
  })

  test('says what to do if a question makes no sense', { skip: leftOut }, async (t) => {
    const { call, close } = await mcpPlace(t, await filled(t), domain)
    for (const [name, args, expected] of [
      ['list_streams', { aggregate: 'doctor' }, /AGGREGATE_UNKNOWN.*It has patient/],
      ['read_events', { id: 'p1' }, /A stream has an aggregate and an id.*Give both/],
      ['read_events', { cursor: 'x' }, /no cursor.*Give the cursor of the answer before/],
      ['state', { ...p1, sequence: 1, at: '2026-01-01T00:00:00Z' }, /two ways to say the same/],
      ['state', { ...p1, path: ['notes', 9] }, /nothing at notes\[9\]/],
      ['trace', { command_or_correlation_id: 'nothing' }, /NOT_FOUND.*commitId/],
      ['trace', { command_or_correlation_id: 'first', aggregate: 'patient', id: 'p2' }, /NOT_FOUND/],
      ['trace', { command_or_correlation_id: 'first', aggregate: 'patient' }, /Give both/],
      ['find_rows', { projection: 'beds' }, /FOLLOWER_UNKNOWN.*It has wards, census, ledger/],
      ['find_rows', { projection: 'wards', where: { beds: 3 } }, /OPTION_INVALID/],
      ['parked', {}, /Either a projection or a reaction.*Give one of them/],
      ['parked', { reaction: 'wards' }, /FOLLOWER_UNKNOWN.*It has greeting, later/],
      ['dry_run', { ...p1, command: 'cure' }, /has no command.*It has register, note/],
      ['dry_run', { ...p1, command: 'note', data: {} }, /COMMAND_INVALID/],
      ['run_command', { ...p1, command: 'note', data: { text: 'x' } }, /not found/],
      ['state', { aggregate: 'patient' }, /id/],
    ] as const) {
      const { isError, text } = await call(name, args)
      assert.ok(isError, `${name} ${JSON.stringify(args)}: ${text}`)
      assert.match(text, expected)
    }
    await close()
    const alone = await mcpPlace(t, await filled(t))
    assert.match((await alone.call('state', p1)).text, /DOMAIN_NEEDED.*--domain/)
    assert.deepEqual((await alone.value('read_events', { limit: 1 })).events[0].data, {
      name: '[personal]',
      ward: 'north',
    })
  })

  test('keeps each answer small, and goes on behind it', { skip: leftOut }, async (t) => {
    const notes = Array.from({ length: 40 }, (_, n) => `${n} ${'x'.repeat(5000)}`)
    const { value } = await mcpPlace(t, await filled(t, [...notes, 'y'.repeat(100_000)]), domain)
    const read: number[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await value('read_events', { ...p1, limit: 500, ...(cursor && { cursor }) })
      assert.ok(JSON.stringify(page).length < answerMax)
      read.push(...page.events.map(({ sequence }: any) => sequence))
      cursor = page.cursor
      if (cursor === undefined) break
    }
    assert.deepEqual(
      read,
      Array.from({ length: 43 }, (_, n) => n + 1),
    )
    const [large] = (await value('read_events', { ...p1, from: 42, limit: 1 })).events
    assert.deepEqual(large.data, { tooLarge: 'It has 100,011 bytes' })
    const { state } = await value('state', p1)
    assert.deepEqual(state.parts.at(-1), {
      key: 'notes',
      bytes: JSON.stringify([...notes, 'y'.repeat(100_000), 'welcome']).length,
    })
    assert.equal((await value('state', { ...p1, path: ['notes', 3] })).state, notes[3])
    let places = 0
    for (let cursor: string | undefined; ; ) {
      const page = await value('diff', { ...p1, from: 1, ...(cursor && { cursor }) })
      assert.ok(JSON.stringify(page).length < answerMax)
      places += page.changes.length
      cursor = page.cursor
      if (cursor === undefined) break
    }
    assert.equal(places, 42)
    const { rows } = await value('find_rows', { projection: 'wards' })
    assert.equal(rows.length, 2)
    assert.ok(
      JSON.stringify(await value('dry_run', { ...p1, command: 'note', data: { text: 'x' } })).length < answerMax,
    )
  })

  test('sends commands with --write, once for each id, and the domain may reject them', {
    skip: leftOut,
  }, async (t) => {
    const database = await filled(t)
    const { call, client, value } = await mcpPlace(t, database, domain, '--write')
    const { tools } = await client.listTools()
    assert.deepEqual(
      tools.filter(({ annotations }) => annotations?.readOnlyHint === false).map(({ name }) => name),
      ['run_command'],
    )
    const note = { ...p1, command: 'note', data: { text: 'from afar' }, command_id: 'c1' }
    const { position, ...sent } = await value('run_command', note)
    assert.deepEqual([sent.accepted, sent.sequence, sent.events[0].data], [true, 6, { text: 'from afar' }])
    assert.equal((await value('run_command', note)).sequence, 6)
    assert.equal((await value('state', p1)).position, position)
    const register = { ...p1, command: 'register', data: { name: 'x', ward: 'y' } }
    assert.deepEqual((await value('run_command', register)).rejection, {
      code: 'AlreadyRegistered',
      details: { ward: 'north' },
    })
    assert.match(
      (await call('run_command', { ...note, command_id: 'c2', expected_sequence: 1 })).text,
      /SEQUENCE_UNEXPECTED/,
    )
    assert.equal((await value('state', p1)).sequence, 6)
  })

  test('survives hostile calls, and nothing has changed', async (t) => {
    const database = await filled(t)
    const contents = contentsOf(database)
    const { client, call, value, close } = await mcpPlace(t, database, domain)
    const { tools } = await client.listTools()
    const names = [
      ...tools.map(({ name }) => name),
      'run_command',
      '__proto__',
      'constructor',
      '',
      'toString',
      '../state',
    ]
    const keys = ['aggregate', 'id', 'cursor', 'limit', 'command', 'data', 'where', 'projection', 'path', 'from', 'at']
    const odd: readonly unknown[] = [
      ...[null, -1, 1e308, 0.5, true, '', [], {}, [[]], '\u0000', '\ud800', '1; DROP TABLE events', '../../etc/passwd'],
      ...['__proto__', 'constructor', 'patient', 'p1', 'wards', 'note', '$(touch x)', '%s%n', '2026-02-30T00:00:00Z'],
      'a'.repeat(1_000_000),
      Array.from({ length: 20_000 }, () => 1),
      JSON.parse(`${'['.repeat(3000)}${']'.repeat(3000)}`),
      JSON.parse('{"__proto__":{"isWriting":true},"constructor":{"prototype":{"isWriting":true}}}'),
      { gte: { $gt: '' } },
      { text: 'hostile' },
    ]
    const good: Readonly<Record<string, unknown>> = { ...p1, command: 'note', data: { text: 'hostile' } }
    for (let n = 0; n < sized(200, 80); n++) {
      const name = names[n % names.length]!
      // Some calls have what the tool needs and one odd thing, so that it gets past the door, and some nothing odd.
      const properties = tools.find((tool) => tool.name === name)?.inputSchema.properties ?? good
      const args = Object.fromEntries(
        Object.entries({ ...good, projection: 'wards' }).filter(([key]) => key in properties && n % 3 > 0),
      )
      const key = n % 5 === 4 ? '__proto__' : keys[(n * 7) % keys.length]!
      const value = odd[(n * 11) % odd.length]
      if (n % 7 > 0) Object.defineProperty(args, key, { value, enumerable: true, configurable: true })
      const { text } = await call(name, args)
      assert.ok(text.length < answerMax, `${name} answers with ${text.length} characters`)
    }
    const many = await Promise.all(Array.from({ length: 30 }, () => call('dry_run', good)))
    assert.ok(many.every(({ isError, text }) => !isError || /unrecognized|TOO_MANY/i.test(text)))
    assert.equal((await value('state', { aggregate: 'patient', id: 'p1' })).sequence, 5)
    await close()
    assert.equal(contentsOf(database), contents)
  })

  test('goes on after lines that are no messages, and ends with its input', { skip: leftOut }, async (t) => {
    const database = await filled(t)
    const child = spawn(process.execPath, mcpArguments(database, domain), { stdio: ['pipe', 'pipe', 'ignore'] })
    t.after(() => child.kill('SIGKILL'))
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const send = (message: unknown) =>
      child.stdin.write(
        `${typeof message === 'string' ? message : JSON.stringify({ jsonrpc: '2.0', ...(message as object) })}\n`,
      )
    for (const line of [
      '',
      'no JSON',
      '[]',
      '{}',
      '{"jsonrpc":"2.0","id":1}',
      '\u0000',
      '{"jsonrpc":"1.0","method":"x"}',
    ])
      send(line)
    const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'raw', version: '1' } }
    send({ id: 7, method: 'initialize', params })
    const answer = async (id: number) => {
      for (;;) {
        const { value, done } = await lines.next()
        assert.ok(!done, 'the server has ended')
        const message = JSON.parse(value) as { readonly id?: number; readonly result?: any; readonly error?: object }
        if (message.id === id) return message
      }
    }
    assert.equal((await answer(7)).result.serverInfo.name, 'mneme')
    send({ method: 'notifications/initialized' })
    send({ id: 8, method: 'tools/nothing' })
    assert.ok((await answer(8)).error)
    send({ id: 9, method: 'tools/call', params: { name: 'list_streams', arguments: { aggregate: 'patient' } } })
    assert.match((await answer(9)).result.content[0].text, /p1/)
    child.stdin.end()
    const [code] = await once(child, 'close')
    assert.equal(code, 0)
  })
})
