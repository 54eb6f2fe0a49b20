/** What the pool knows of a tenant whose domain is being opened, open, or being stopped. */
import type { Rest } from './rest.ts'

export interface Entry<Bank> {
  readonly tenant: string
  phase: 'opening' | 'open' | 'stopping'
  /** How many borrow it, or wait until it is open. */
  holds: number
  /** How often it was borrowed. */
  loans: number
  /** When it was last given back, by the monotonic clock. */
  usedAt: number
  /** Until then nobody asks whether it can be stopped. */
  restsAt: number
  readonly opened: Promise<Bank>
  bank: Bank | undefined
  stoppingAt: number
  stopped: Promise<void> | undefined
}

/** What an idle domain still has to do. */
export interface Asked<Bank> {
  readonly entry: Entry<Bank>
  readonly rest: Rest
  /** Whether nobody has borrowed it since it was asked. It may have more to do otherwise. */
  readonly isCurrent: () => boolean
}

/** Whether it can be stopped: it is open, and nobody borrows it. */
export const isIdle = ({ phase, holds }: Entry<unknown>): boolean => phase === 'open' && holds === 0
