/** What happens when a projection or a reaction cannot handle an event. */
import { checkKeys, checkWhole, refuseOption } from './options.ts'

/**
 * What happens in the end: 'stop' before the event; 'skip' it with a warning; or 'park' it: it is kept, and so are
 * later events with the same key, in their order, while all others flow. What is parked is tried again, or let go, when
 * somebody says so.
 */
export type GiveUp = 'stop' | 'skip' | 'park'

export interface FailurePolicy {
  /**
   * How often it is tried again: 10 times by default, not at all for a fold (it is pure, so trying again hardly helps).
   */
  readonly retries?: number
  /** The pause before the first retry in milliseconds; it doubles each time. 100 by default. */
  readonly pauseFirstMs?: number
  /** The longest pause between retries in milliseconds. 10,000 by default. */
  readonly pauseMaxMs?: number
  /** And then: 'stop' by default. */
  readonly giveUp?: GiveUp
}

export const policyDefault: Required<FailurePolicy> = Object.freeze({
  retries: 10,
  pauseFirstMs: 100,
  pauseMaxMs: 10_000,
  giveUp: 'stop',
})

/**
 * A policy with what was changed.
 *
 * @throws DefinitionError `OPTION_INVALID`
 */
export function changedPolicy(policy: Required<FailurePolicy>, changes: FailurePolicy): Required<FailurePolicy> {
  checkKeys('onFailure(policy)', changes, ['retries', 'pauseFirstMs', 'pauseMaxMs', 'giveUp'])
  const changed = { ...policy, ...changes }
  for (const option of ['retries', 'pauseFirstMs', 'pauseMaxMs'] as const) {
    checkWhole(option, changed[option] ?? null, 0)
  }
  const { giveUp } = changed
  if (giveUp !== 'stop' && giveUp !== 'skip' && giveUp !== 'park') {
    refuseOption('giveUp', "'stop', 'skip' or 'park'", giveUp)
  }
  return Object.freeze(changed)
}
