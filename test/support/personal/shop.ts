/** A shop whose customers can be forgotten, for tests on every store. */
import { z } from 'zod'
import { systemEnvironment } from '../../../src/application/system-environment.ts'
import {
  aggregate,
  domain,
  type Environment,
  event,
  type Personal,
  personal,
  projection,
  reject,
} from '../../../src/index.ts'
import { waitForOthersMs } from '../../../src/kernel/personal/key-ring.ts'

const registration = z.object({
  customer: z.string(),
  email: z.email(),
  address: z.object({ city: z.string(), country: z.string() }),
  contacts: z.array(z.object({ kind: z.string(), phone: z.string() })),
})

type Registration = z.infer<typeof registration>

const whose = {
  subject: ({ customer }: { readonly customer: string }): string => customer,
  fields: ['email', 'address.city', 'contacts.phone'],
} as const

const Registered = event('Registered', registration).personal(whose)
const Noted = event('Noted', z.object({ text: z.string() }))

export interface Customer {
  readonly email: Personal<string> | undefined
  readonly contacts: readonly { readonly kind: string; readonly phone: Personal<string> }[]
  readonly notes: number
}

const Customers = aggregate('customer', (): Customer => ({ email: undefined, contacts: [], notes: 0 }), {
  snapshotEvery: 2,
})
  .on(Registered, (customer, { email, contacts }) => ({ ...customer, email, contacts }))
  .on(Noted, (customer) => ({ ...customer, notes: customer.notes + 1 }))
  .command('register', personal(registration, whose), ({ email }, data) =>
    email === undefined ? Registered(data) : reject('RegisteredAlready', { email }),
  )
  .command('change', personal(registration, whose), (_, data) => Registered(data))
  .command('note', z.object({ text: z.string() }), (_, data) => Noted(data))

const Addresses = projection('addresses', () => ({
  email: undefined as Personal<string> | undefined,
  country: '',
  changes: 0,
})).on(Registered, (row, { email, address }) => ({ email, country: address.country, changes: row.changes + 1 }))

export const Shop = domain({ aggregates: { customer: Customers }, projections: { addresses: Addresses } })

/** Texts that must be nowhere. */
export const secrets = ['ada.lovelace@example.org', 'Marylebone', '+44 20 7946 0958'] as const

export const ada = (customer: string): Registration => ({
  customer,
  email: secrets[0],
  address: { city: secrets[1], country: 'GB' },
  contacts: [
    { kind: 'home', phone: secrets[2] },
    { kind: 'work', phone: '+44 20 7946 0001' },
  ],
})

/** An environment in which `forget` does not wait, and whose monotonic clock can be moved. */
export function impatient(): Partial<Environment> & { forward(ms: number): void } {
  let aheadMs = 0
  return {
    elapsed: () => systemEnvironment.elapsed() + aheadMs,
    after: (delayMs, callback, options) =>
      systemEnvironment.after(delayMs === waitForOthersMs ? 0 : delayMs, callback, options),
    forward(ms) {
      aheadMs += ms
    },
  }
}
