/**
 * People: personal fields in commands, events, states, snapshots, rows, and in what a reaction sends and schedules.
 * Operators forget people while all of this is under way.
 */
import assert from 'node:assert/strict'
import { z } from 'zod'
import {
  aggregate,
  domain,
  event,
  forgotten,
  type Personal,
  personal,
  projection,
  reaction,
} from '../../../src/index.ts'
import type { EndOfRun } from '../../../src/testing/simulation/end-of-run.ts'
import { drawFaults } from '../../../src/testing/simulation/faults.ts'
import { type SimulationReport, simulate } from '../../../src/testing/simulation/simulate.ts'
import type { Together } from './together.ts'

const ofPerson = { subject: ({ person }: { readonly person: string }) => person, fields: ['email'] } as const
const address = personal(z.object({ person: z.string(), email: z.string() }), ofPerson)
const letter = personal(z.object({ person: z.string(), email: z.string(), about: z.string() }), ofPerson)

const Moved = event('PersonMoved', address)
const Sent = event('LetterSent', letter)

type Emails = readonly Personal<string>[]

const Person = aggregate('person', (): { readonly emails: Emails } => ({ emails: [] }))
  .on(Moved, ({ emails }, { email }) => ({ emails: [...emails, email] }))
  .command('move', address, ({ emails }, data) => (emails.at(-1)?.value === data.email.value ? undefined : Moved(data)))

/** The letters of all people, in order. */
const Letters = aggregate('letters', (): { readonly sent: readonly string[]; readonly to: Emails } => ({
  sent: [],
  to: [],
}))
  .on(Sent, ({ sent, to }, { about, email }) => ({ sent: [...sent, about], to: [...to, email] }))
  .command('send', letter, (_, data) => Sent(data))

const Addresses = projection('addresses', (): { readonly emails: Emails } => ({ emails: [] }))
  .on(Moved, ({ emails }, { email }) => ({ emails: [...emails, email] }))
  .by(({ stream }) => stream.id)
const Last = projection('last', (): { readonly email: Personal<string> | undefined } => ({ email: undefined }))
  .on(Moved, (_, { email }) => ({ email }))
  .on(Sent, (_, { email }) => ({ email }))
  .single()

/** Writes to a new address at once, and once more after a while. */
const Greeting = reaction('greeting', { letters: Letters }).on(
  Moved,
  async ({ stream: { id }, sequence, data: { person, email } }, { dispatch, schedule }) => {
    const send = (about: string) =>
      ({ aggregate: 'letters', id: `of ${id}`, name: 'send', data: { person, email, about } }) as const
    schedule(send(`again ${sequence}`), { afterMs: 400 })
    await dispatch(send(`first ${sequence}`))
  },
)

const People = domain({
  aggregates: { person: Person, letters: Letters },
  projections: { addresses: Addresses, last: Last },
  reactions: { greeting: Greeting },
})

const names = ['ada', 'bob', 'cy']

export const people = (
  seed: number,
  steps: number,
  minimise = true,
  together: Together = {},
): Promise<SimulationReport> => {
  const drawn = drawFaults(seed)
  // In every other run processes stand still, or reach nothing, for longer than they may use a key without asking.
  const hostile = {
    forget: 0.2,
    freeze: 0.1,
    partition: 0.05,
    slow: 0.1,
    loseAnswer: 0.05,
    actLater: 0.05,
    crash: 0.05,
  }
  return simulate({
    seed,
    steps,
    minimise,
    domain: People,
    command: (random) => {
      const person = random.pick(names)
      return { aggregate: 'person', id: person, name: 'move', data: { person, email: `${person}@${random.int(1, 5)}` } }
    },
    forget: (random) => random.pick(names),
    faults: seed % 2 === 0 ? hostile : { ...drawn, forget: 0.1, ...(seed % 4 === 1 && { restore: 0.03 }) },
    options: { snapshotEvery: 2, passivateAfterMs: 500, leaseMs: 1000 },
    processes: 3,
    ...together,
    invariants: {
      'an address is that of its person, or forgotten': (end: EndOfRun) => {
        for (const [id, { emails }] of end.states('person')) checkAddresses(id, emails)
        for (const [id, { to }] of end.states('letters')) checkAddresses(id.slice(3), to)
      },
      'every new address gets two letters': (end: EndOfRun) => {
        for (const [id, { emails }] of end.states('person')) {
          const wanted = (emails as Emails).flatMap((_, i) => [`first ${i + 1}`, `again ${i + 1}`])
          assert.deepEqual(end.states('letters').get(`of ${id}`)?.sent.toSorted(), wanted.toSorted())
        }
      },
    },
  })
}

function checkAddresses(person: string, emails: Emails): void {
  for (const { subject, value } of emails) {
    assert.equal(subject, person)
    assert.ok(value === forgotten || value.startsWith(`${person}@`), `${String(value)} of ${person}`)
  }
}
