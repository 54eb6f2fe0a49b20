/**
 * Customers whose e-mail addresses are unique. An address is claimed first, then the customer takes it. If the program
 * dies in between, the claim is given up after ten minutes, and the address is free again.
 */
import { z } from 'zod'
import { aggregate, claims, domain, event, reaction, reject } from '../../src/index.ts'

// #region customer
export const Emails = claims('email')

const claimed = z.object({ email: z.string(), claim: z.int() })
const AddressTaken = event('EmailTaken', claimed.extend({ previous: claimed.optional() }))
const GivenUp = event('ClaimGivenUp', claimed)

type Claimed = z.infer<typeof claimed>
type State = { readonly now: Claimed | undefined; readonly givenUp: readonly Claimed[] }

const isSame = (a: Claimed | undefined, b: Claimed): boolean => a?.email === b.email && a.claim === b.claim

export const Customer = aggregate('customer', (): State => ({ now: undefined, givenUp: [] }))
  .on(AddressTaken, ({ givenUp }, { email, claim, previous }) => ({
    now: { email, claim },
    givenUp: previous === undefined ? givenUp : [...givenUp, previous],
  }))
  .on(GivenUp, (state, claim) => ({ ...state, givenUp: [...state.givenUp, claim] }))

  .command('take', claimed, ({ now, givenUp }, claim) => {
    if (isSame(now, claim)) return undefined
    return givenUp.some((each) => isSame(each, claim)) ? reject('TooLate') : AddressTaken({ ...claim, previous: now })
  })
  // Either the customer has taken the address, or from now on cannot take it with this claim.
  .command('giveUp', claimed, ({ now, givenUp }, claim) =>
    isSame(now, claim) || givenUp.some((each) => isSame(each, claim)) ? undefined : GivenUp(claim),
  )
// #endregion

const aggregates = { email: Emails.aggregate, customer: Customer }

// #region release
const patienceMs = 10 * 60 * 1000

export const FreeEmails = reaction('free emails', aggregates)
  .on(Emails.Claimed, ({ stream: { id: email }, data: { owner, claim } }, { schedule }) => {
    schedule({ aggregate: 'customer', id: owner, name: 'giveUp', data: { email, claim } }, { afterMs: patienceMs })
  })
  .on(GivenUp, async ({ stream: { id: owner }, data: { email, claim } }, { dispatch }) => {
    await dispatch({ aggregate: 'email', id: email, name: 'release', data: { owner, claim } })
  })
  // A customer who has another address now gives the old one back.
  .on(AddressTaken, async ({ stream: { id: owner }, data: { previous } }, { dispatch }) => {
    if (previous === undefined) return
    const { email, claim } = previous
    await dispatch({ aggregate: 'email', id: email, name: 'release', data: { owner, claim } })
  })
  .onFailure({ giveUp: 'park' }) // one that fails does not keep others from being freed
// #endregion

// #region take
/** Gives a customer an address. It can be repeated after any failure. */
export async function takeEmail(shop: RunningShop, id: string, address: string): Promise<void> {
  const email = address.trim().toLowerCase()
  const customer = shop.customer(id) // throws now if the id is none
  const { state } = await shop.email(email).claim({ owner: id }) // CommandRejected 'Taken': somebody else has it
  await customer.take({ email, claim: state.claim })
}
// #endregion

export const Shop = domain({ aggregates, reactions: { freeEmails: FreeEmails } })
type RunningShop = Awaited<ReturnType<typeof Shop.start>>
