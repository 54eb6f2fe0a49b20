/** What happens when a projection or a reaction cannot handle an event. */
import { checkKeys, checkWhole, refuseOption } from './options.ts'

/**
 * What happens after the last retry. 'stop': the projection stops before the event. 'skip': it leaves the event out,
 * with a warning. 'park': it puts the event aside, and later events with the same key queue behind it, while all others
 * are handled. Parked events stay until `retryParked` or `skipParked` is called.
 */
export type GiveUp = 'stop' | 'skip' | 'park'

export interface FailurePolicy {
  /** How often an event is retried. 10 by default; 0 for rows, because a fold is pure and would fail again. */
  readonly retries?: number
  /** The pause before the first retry in milliseconds; it doubles each time. 100 by default. */
  readonly pauseFirstMs?: number
  /** The longest pause between retries in milliseconds. 10,000 by default. */
  readonly pauseMaxMs?: number
  /** What happens after the last retry. 'stop' by default. */
  readonly giveUp?: GiveUp
}

export const policyDefault: Required<FailurePolicy> = Object.freeze({
  retries: 10,
  pauseFirstMs: 100,
  pauseMaxMs: 10_000,
  giveUp: 'stop',
})

/**
 * A policy with some changes.
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
