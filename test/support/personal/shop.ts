/** A shop whose customers can be forgotten, for tests on every store. */
import { z } from 'zod'
import { systemEnvironment } from '../../../src/application/system-environment.ts'
import {
  aggregate,
  domain,
  type Environment,
  event,
  forgotten,
  Personal,
  personal,
  projection,
  reaction,
  reject,
} from '../../../src/index.ts'
import { waitForOthersMs } from '../../../src/kernel/personal/key-holders.ts'

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

const letter = z.object({ to: z.string(), address: z.string() })
const toWhom = { subject: ({ to }: { readonly to: string }): string => to, fields: ['address'] } as const
const Sent = event('LetterSent', letter).personal(toWhom)

/** Letters to customers. A letter that was sent is not sent again; its rejection has the address. */
const Letters = aggregate('letter', () => ({ sent: 0 }))
  .on(Sent, ({ sent }) => ({ sent: sent + 1 }))
  .command('send', personal(letter, toWhom), ({ sent }, data) =>
    sent === 0 ? Sent(data) : reject('SentAlready', { address: data.address }),
  )

/** Writes letters to new customers. Every kind of row that a reaction has holds an address. */
const Greetings = reaction('greetings', { letter: Letters })
  .state(() => ({ last: undefined as Personal<string> | undefined }))
  .onFailure({ retries: 0, giveUp: 'park' })
  .on(Registered, async ({ data, stream }, { dispatch, schedule, step, setState }) => {
    const to = data.customer
    const found = await step('look up', () => Personal.of(to, `found ${String(data.email.value)}`))
    if (found.value === forgotten) return
    const send = { aggregate: 'letter', id: stream.id, name: 'send' } as const
    await dispatch({ ...send, data: { to, address: data.email } })
    // The answer is a rejection, which is stored until the event is handled.
    await dispatch({ ...send, data: { to, address: found } })
    schedule({ ...send, data: { to, address: data.email } }, { afterMs: 86_400_000 })
    schedule({ ...send, data: { to, address: found.value } }, { afterMs: 86_400_000 }, { key: 'plain' })
    setState({ last: found })
    if (stream.id === 'fails') throw new Error(`no letter can be sent to ${String(data.email.value)}`)
  })

/** A shop without letters. */
export const Shop = domain({ aggregates: { customer: Customers }, projections: { addresses: Addresses } })

export const ShopWithLetters = domain({
  aggregates: { customer: Customers, letter: Letters },
  projections: { addresses: Addresses },
  reactions: { greetings: Greetings },
})

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
