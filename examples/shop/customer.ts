/** Customers. Each has an e-mail address that nobody else has, and can leave and be forgotten. */
import { z } from 'zod'
import { aggregate, claims, event, type Personal, personal, reaction, reject } from '../../src/index.ts'

/** The address itself is personal, so what is claimed is its keyed hash. */
export const Emails = claims('email')
const claimed = z.object({ hash: z.string(), claim: z.int() })

const registration = personal(claimed.extend({ customer: z.string(), name: z.string().min(1), email: z.email() }), {
  subject: ({ customer }) => customer,
  fields: ['name', 'email'],
})

const Registered = event('CustomerRegistered', registration)
const EmailGivenUp = event('EmailGivenUp', claimed)

type State =
  | { readonly phase: 'new' | 'gone' }
  | {
      readonly phase: 'registered'
      readonly name: Personal<string>
      readonly email: Personal<string>
      readonly hash: string
      readonly claim: number
    }

export const Customer = aggregate('customer', (): State => ({ phase: 'new' }))
  .on(Registered, (_, { name, email, hash, claim }) => ({ phase: 'registered', name, email, hash, claim }))
  .on(EmailGivenUp, (state, { hash }) =>
    state.phase === 'registered' && state.hash !== hash ? state : { phase: 'gone' },
  )

  .command('register', registration, ({ phase }, data) =>
    phase === 'new' ? Registered(data) : reject(phase === 'gone' ? 'TooLate' : 'AlreadyRegistered'),
  )
  .command('leave', z.object({}), (state) =>
    state.phase === 'registered' ? EmailGivenUp({ hash: state.hash, claim: state.claim }) : undefined,
  )
  // Either the customer has registered with this claim, or from now on cannot.
  .command('giveUp', claimed, (state, claim) =>
    state.phase === 'registered' && state.hash === claim.hash ? undefined : EmailGivenUp(claim),
  )

const patienceMs = 10 * 60 * 1000

/** Frees the addresses of those who left, and those that were claimed by a program that died before it registered. */
export const FreeEmails = reaction('free emails', { email: Emails.aggregate, customer: Customer })
  .on(Emails.Claimed, ({ stream: { id: hash }, data: { owner, claim } }, { schedule }) => {
    schedule({ aggregate: 'customer', id: owner, name: 'giveUp', data: { hash, claim } }, { afterMs: patienceMs })
  })
  .on(EmailGivenUp, async ({ stream: { id: owner }, data: { hash, claim } }, { dispatch }) => {
    await dispatch({ aggregate: 'email', id: hash, name: 'release', data: { owner, claim } })
  })
  .onFailure({ giveUp: 'park' })
