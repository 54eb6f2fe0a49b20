/**
 * When a writer is killed: under load, while it opens the store, while it stops, or in the middle of one call to the
 * disk.
 */
import type { Random } from '../../../src/testing/random.ts'
import type { LethalCall, Place } from './writer-protocol.ts'

/** Chosen before the writer begins, and printed if the round fails. */
export type KillPlan =
  /** When so many answers were heard. */
  | { readonly kill: 'under load'; readonly answers: number }
  /** So long after the writer says that it opens the store. */
  | { readonly kill: 'opening'; readonly delayMs: number }
  /** So long after it says that it stops, which it is told to do when so many answers were heard. */
  | { readonly kill: 'stopping'; readonly answers: number; readonly delayMs: number }
  /** By itself, at a call to the disk; it is told to stop when so many answers were heard. */
  | { readonly kill: 'at a call'; readonly answers: number; readonly lethalCall: LethalCall }

const openingMsMax = { files: 60, server: 300 }
const stoppingMsMax = 15

/** Mostly under load, but every kind comes up again and again. */
export function killPlanOf(random: Random, { store, ...place }: Place): KillPlan {
  const kind = random.next()
  const answers = random.chance(0.3) ? random.int(1, 30) : random.int(30, 700)
  if (store === 'file' && kind < 0.5) return { kill: 'at a call', answers, lethalCall: lethalCallOf(random) }
  if (kind < 0.7) return { kill: 'under load', answers }
  const openingMs = 'url' in place ? openingMsMax.server : openingMsMax.files
  if (kind < 0.85) return { kill: 'opening', delayMs: random.next() * openingMs }
  return { kill: 'stopping', answers, delayMs: random.next() * stoppingMsMax }
}

function lethalCallOf(random: Random): LethalCall {
  const done = random.next()
  const kind = random.next()
  const all = { of: 'all calls', done } as const
  if (kind < 0.3) return { ...all, after: 'opening', call: random.int(1, 80) }
  if (kind < 0.5) return { ...all, after: 'opening', call: random.int(80, 500) }
  if (kind < 0.8) return { of: 'durable writes', done, after: 'opening', call: random.int(1, 40) }
  return { ...all, after: 'stopping', call: random.int(1, 40) }
}

/** After how many answers the writer is told to stop; never, in the plans that kill it before. */
export function answersUntilStop(plan: KillPlan): number {
  if (plan.kill === 'stopping') return plan.answers
  const stops = plan.kill === 'at a call' && plan.lethalCall.after === 'stopping'
  return stops ? plan.answers : Number.POSITIVE_INFINITY
}
