/**
 * Transfers between vaults: a reaction takes the money from one and puts it into another. If that one does not take it,
 * the money goes back. A transfer records each end that it is told, so that a second one would be seen in the log.
 */
import { z } from 'zod'
import { aggregate, domain, event, reaction } from '../../../src/index.ts'
import { Vault } from './vaults.ts'

const parties = z.object({ from: z.string(), to: z.string(), amount: z.number() })

const Started = event('TransferStarted', parties)
const Completed = event('TransferCompleted', z.object({}))
/** `amount`: what the vault held that refused it. */
const refusal = z.object({ why: z.enum(['TooLittle', 'TooMuch']), amount: z.number() })
const Refused = event('TransferRefused', refusal)

/** How a transfer has ended. */
export type End = 'completed' | 'refused'

const Transfer = aggregate('transfer', (): { readonly end: End | undefined } => ({ end: undefined }))
  .on(Started, (state) => state)
  .on(Completed, () => ({ end: 'completed' }))
  .on(Refused, () => ({ end: 'refused' }))
  .command('start', parties, (_, data) => Started(data))
  .command('look', z.object({}), () => undefined)
  .command('complete', z.object({}), () => Completed())
  .command('refuse', refusal, (_, data) => Refused(data))

/** How long the reaction rests between two steps, in milliseconds, so that faults find it in the middle of them. */
const restMs = 30
const rest = () => new Promise((resolve) => setTimeout(resolve, restMs))

const aggregates = { vault: Vault, transfer: Transfer }

const MoveMoney = reaction('move money', aggregates, { concurrency: 8 })
  .on(Started, async ({ stream: { id: transfer }, data: { from, to, amount } }, { dispatch }) => {
    const refuse = (why: 'TooLittle' | 'TooMuch', found: { readonly amount: number }) =>
      dispatch({ aggregate: 'transfer', id: transfer, name: 'refuse', data: { why, amount: found.amount } })
    const data = { amount, transfer }
    const taken = await dispatch({ aggregate: 'vault', id: from, name: 'take', data })
    await rest()
    if (!taken.accepted) return void (await refuse('TooLittle', taken.rejection.details))
    const received = await dispatch({ aggregate: 'vault', id: to, name: 'receive', data })
    await rest()
    if (received.accepted)
      return void (await dispatch({ aggregate: 'transfer', id: transfer, name: 'complete', data: {} }))
    await dispatch({ aggregate: 'vault', id: from, name: 'put', data })
    await refuse('TooMuch', received.rejection.details)
  })
  // A member without its store fails for long, and must not stop the reaction for all.
  .onFailure({ retries: 1000, pauseFirstMs: 20, pauseMaxMs: 500 })

export const Transfers = domain({ aggregates, reactions: { moveMoney: MoveMoney } })
/** The same without the reaction, for whoever only reads. */
export const TransfersRead = domain({ aggregates })
