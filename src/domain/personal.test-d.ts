/** The types of personal fields. */
import { z } from 'zod'
import { aggregate } from './aggregate.ts'
import { event } from './event.ts'
import type { Forgotten, Personal } from './personal.ts'
import { personal } from './personal-schema.ts'

const schema = z.object({
  id: z.string(),
  email: z.string(),
  phone: z.string().optional(),
  contacts: z.array(z.object({ kind: z.string(), name: z.string() })),
})
const whose = { subject: ({ id }: { readonly id: string }) => id }

const Registered = event('Registered', schema).personal({ ...whose, fields: ['email', 'phone', 'contacts.name'] })
// @ts-expect-error there is no such field
event('Registered', schema).personal({ ...whose, fields: ['mail'] })
// @ts-expect-error there is no such field in the items
event('Registered', schema).personal({ ...whose, fields: ['contacts.mail'] })
// @ts-expect-error a subject is an id
event('Registered', schema).personal({ subject: () => 1, fields: ['email'] })

// @ts-expect-error a decision gives personal values
Registered({ id: '1', email: 'a', contacts: [] })

declare const email: Personal<string>
Registered({ id: '1', email, contacts: [{ kind: 'home', name: email }] })

interface State {
  readonly email: Personal<string> | undefined
  readonly phone: Personal<string> | undefined
}
aggregate('customer', (): State => ({ email: undefined, phone: undefined }))
  .on(Registered, (_, { email, phone }) => ({ email, phone }))
  .command('register', personal(schema, { ...whose, fields: ['email', 'phone', 'contacts.name'] }), (_, data) => {
    const value: string | Forgotten = data.email.value
    // @ts-expect-error it may be forgotten
    const certain: string = data.email.value
    void [value, certain]
    return Registered(data)
  })

aggregate('leaky', () => ({ email: '' }))
  // @ts-expect-error a state cannot hold the plain value
  .on(Registered, (_, { email }) => ({ email }))
