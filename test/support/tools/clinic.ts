/**
 * A domain for the tools: with personal fields, rows, a single state, tables of its own, states that grow large, and a
 * projection that puts events aside. What it prints must not disturb a program that reads the results.
 */
import { z } from 'zod'
import { aggregate, domain, event, type Personal, personal, projection, reaction, reject } from '../../../src/index.ts'

if (process.argv.includes('mcp')) console.log('The clinic is loaded.')

const registration = z.object({ name: z.string(), ward: z.string() })
const subject = { subject: () => 'patient', fields: ['name'] } as const
const Registered = event('PatientRegistered', registration).personal(subject)
const Noted = event('NoteWritten', z.object({ text: z.string() }))

interface State {
  readonly name: Personal<string> | undefined
  readonly ward: string
  readonly notes: readonly string[]
}

const Patient = aggregate('patient', (): State => ({ name: undefined, ward: '', notes: [] }))
  .on(Registered, (patient, { name, ward }) => ({ ...patient, name, ward }))
  .on(Noted, (patient, { text }) => ({ ...patient, notes: [...patient.notes, text] }))
  .command('register', personal(registration, subject), ({ ward }, data) =>
    ward === '' ? Registered(data) : reject('AlreadyRegistered', { ward }),
  )
  .command('note', z.object({ text: z.string().max(2_000_000) }), (_, { text }) => Noted({ text }))

const Wards = projection('wards', () => ({ ward: '', notes: 0, last: '' }))
  .on(Registered, (row, { ward }) => ({ ...row, ward }))
  .on(Noted, (row, { text }) => {
    if (text === 'illegible') throw new Error('nobody can read that')
    return { ...row, notes: row.notes + 1, last: text }
  })
  .by((event) => event.stream.id)
  .onFailure({ retries: 0, giveUp: 'park' })

const Census = projection('census', () => ({ patients: 0 }))
  .on(Registered, ({ patients }) => ({ patients: patients + 1 }))
  .single()

const Ledger = projection('ledger').handle([Registered], async () => {})

const Greeting = reaction('greeting', { patient: Patient }).on(Registered, async (event, { dispatch }) => {
  await dispatch({ aggregate: 'patient', id: event.stream.id, name: 'note', data: { text: 'welcome' } })
})

const Later = reaction('later', {})
  .on(Noted, async () => {})
  .from('now')

export const Clinic = domain({
  aggregates: { patient: Patient },
  projections: { wards: Wards, census: Census, ledger: Ledger },
  reactions: { greeting: Greeting, later: Later },
})
