/** Tests that are copied from the studio: their text, and that they run. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { leftOut } from '../../../../test/support/size.ts'
import { domainProject } from '../../../../test/support/tools/domain-project.ts'
import { openInspection } from '../../inspection/index.ts'
import type { TestQuestion } from '../views.ts'
import { StandIns } from './stand-ins.ts'
import { testView } from './test-text.ts'

/** Members with a bug: those who join are never active. */
const member = (status: string) => `
  import { aggregate, event, personal, reject } from 'mneme'
  import { z } from 'zod'
  const data = z.object({ id: z.string(), email: z.email(), phone: z.string().regex(/^\\+\\d+$/) })
  const whose = { subject: ({ id }: { id: string }) => id, fields: ['email', 'phone'] } as const
  export const Joined = event('Joined', data).personal(whose)
  export const Welcomed = event('Welcomed', z.object({ at: z.coerce.date(), code: z.string() }))
  const Paid = event('Paid', z.object({ amount: z.number() }))
  export const Member = aggregate('member', () => ({ status: 'none', emails: [] as unknown[], since: null as Date | null }))
    .on(Joined, (state, { email }) => ({ ...state, status: '${status}', emails: [...state.emails, email] }))
    .on(Welcomed, (state, _, { recordedAt }) => ({ ...state, since: recordedAt }))
    .on(Paid, (state) => state)
    .command('join', personal(data, whose), ({ status }, joined) =>
      status === 'none' ? Joined(joined) : reject('Twice', { status }))
    .command('welcome', z.object({}), (_, __, { now, newId }) => Welcomed({ at: now, code: newId() }))
    .command('pay', z.object({ cents: z.number() }), (_, { cents }) => Paid({ amount: cents / 100 }))
`
const bank = `
  import { domain } from 'mneme'
  import { Member } from './member.ts'
  export const Members = domain({ aggregates: { member: Member } })
`
const person = { id: 'ada', email: 'ada@example.org', phone: '+49170' }

/** A project with a member who has joined, was welcomed and has paid, and what the studio says of it. */
async function place(t: Parameters<typeof domainProject>[0]) {
  const project = domainProject(t, { 'member.ts': member('waiting'), 'bank.ts': bank })
  const target = await project.load()
  const started = (await target.domain.start({ store: target.store })) as AsyncDisposable & {
    dispatch(command: object): Promise<unknown>
  }
  const m1 = { aggregate: 'member', id: 'm1' }
  for (const [name, data] of Object.entries({ join: person, welcome: {}, pay: { cents: 500 } }))
    await started.dispatch({ ...m1, name, data })
  await started[Symbol.asyncDispose]()
  const inspection = await openInspection(target)
  t.after(() => inspection.close())
  const view = (sequence: number, question: Partial<TestQuestion> = {}) =>
    testView(
      inspection,
      { ...m1, sequence, edits: [], commands: [], expectation: 'same', ...question },
      new AbortController().signal,
    )
  return { project, view }
}

describe('A test that is copied', () => {
  test('has the history, the command that was found, and what it led to, and nobody’s data', async (t) => {
    const { view } = await place(t)
    const { text, file, command } = await view(1)
    assert.deepEqual([file, command], ['member-m1-1.test.ts', 'join'])
    assert.equal(
      text,
      `/**
 * member/m1 at version 1, copied from the studio. This file belongs beside bank.ts.
 * Personal values are replaced by others.
 */
import { test } from 'node:test'
import { Personal } from 'mneme'
import { spec } from 'mneme/testing'
import { Joined, Member } from './member.ts'

test('member/m1 at version 1: join', () => {
  spec(Member)
    .when.join({ id: 'ada', email: 'person1@example.org', phone: '+15550000001' })
    .emits(Joined({
      id: 'ada',
      email: Personal.of('ada', 'person1@example.org'),
      phone: Personal.of('ada', '+15550000001'),
    }))
    .leaves({ status: 'waiting', emails: [Personal.of('ada', 'person1@example.org')], since: null })
})
`,
    )
  })

  test('runs, with times and ids, without the command, and of another world', { skip: leftOut }, async (t) => {
    const { project, view } = await place(t)
    const join = { name: 'join', data: { ...person, email: 'eve@example.org' } }
    const questions = {
      welcome: await view(2),
      state: await view(3),
      twice: await view(2, { commands: [join] }),
      other: await view(2, { edits: [{ sequence: 1 }], commands: [join] }),
      typed: await view(0, { commands: [{ name: 'welcome', data: {} }, join] }),
    }
    assert.match(questions.welcome.text, /\.at\('20.*\n {4}\.when\.welcome\(\)\n {4}\.emits\(Welcomed\(\{ at: new Date/)
    assert.match(questions.welcome.text, /code: 'id-1'/)
    assert.deepEqual([questions.welcome.command, questions.state.command], ['welcome', undefined])
    assert.match(questions.state.text, /\{ type: 'Paid', data: \{ amount: 5 \} \} as never\)\n {4}\.leaves\(/)
    assert.match(questions.twice.text, /\.rejects\('Twice', \{ status: 'waiting' \}\)/)
    const all = Object.values(questions).map(({ text }) => text)
    for (const text of all) assert.ok(!/ada@|eve@|49170/.test(text), text)
    // In one file, so that one process runs them.
    const imports = new Set(all.flatMap((text) => text.match(/^import .*$/gm)!))
    const names = [...imports].filter((line) => line.includes('./member.ts'))
    const used = new Set(names.flatMap((line) => /\{ (.*) \}/.exec(line)![1]!.split(', ')))
    const own = `import { ${[...used].join(', ')} } from './member.ts'`
    const others = [...imports].filter((line) => !line.includes('./member.ts'))
    const bodies = all.map((text) => text.replace(/^[\s\S]*?\n(?=test\()/, ''))
    project.write('all.test.ts', [...others, own, ...bodies].join('\n'))
    const { code, out } = await project.run('all.test.ts')
    assert.equal(code, 0, out)
    assert.match(out, /pass 5/)
  })

  test('fails while it is wrong, and passes when it is right', { skip: leftOut }, async (t) => {
    const { project, view } = await place(t)
    const wrong = await view(1, { expectation: 'different' })
    const right = { status: 'active', emails: ['[personal]'], since: null }
    const state = await view(1, { state: right })
    assert.match(state.text, /status: 'active', emails: \[Personal\.of\('ada'/)
    project.write('wrong.test.ts', wrong.text)
    project.write('state.test.ts', state.text)
    const names = ['wrong.test.ts', 'state.test.ts']
    const codes = async () => Promise.all(names.map(async (name) => (await project.run(name)).code))
    assert.deepEqual(await codes(), [1, 1])
    project.write('member.ts', member('active'))
    assert.deepEqual(await codes(), [0, 0])
  })

  test('is refused where there is nothing to test', async (t) => {
    const { view } = await place(t)
    await assert.rejects(view(0), { code: 'USAGE' })
    await assert.rejects(view(1, { commands: [{ name: 'join', data: {} }] }), { code: 'USAGE', message: /refuses/ })
    await assert.rejects(view(1, { commands: [{ name: 'fly', data: {} }] }), {
      code: 'USAGE',
      message: /no command fly/,
    })
  })
})

test('a stand-in is a value that the schema takes, and reads nobody’s value', async () => {
  const standIns = new StandIns()
  const { z } = await import('zod')
  const { personal } = await import('../../../../src/index.ts')
  const contact = z.object({ mail: z.email(), born: z.iso.date(), age: z.int(), code: z.uuid() })
  const schema = personal(z.object({ id: z.string(), contacts: z.array(contact) }), {
    subject: ({ id }) => id,
    fields: ['contacts.mail', 'contacts.born', 'contacts.age', 'contacts.code'],
  })
  const one = { mail: 'x@y.zz', born: '1999-12-31', age: 80, code: '7f0c1d1e-5b5a-4f4e-9d9c-0123456789ab' }
  const made = schema['~standard'].validate({ id: 'p', contacts: [one, one] })
  assert.ok(!(made instanceof Promise) && made.issues === undefined)
  const contacts = {
    mail: 'person1@example.org',
    born: '2000-01-01',
    age: 1,
    code: '00000000-0000-4000-8000-000000000001',
  }
  assert.deepEqual(standIns.inCommand(schema, { id: 'p', contacts: [one, one] }, made.value), {
    id: 'p',
    contacts: [contacts, contacts],
  })
})
