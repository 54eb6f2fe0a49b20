/** An aggregate's definition with its options settled, as the kernel runs it. */

import type { AggregateOptions, AnyAggregate, Decision, Fold } from '../domain/aggregate.ts'
import { digestOf } from './digest.ts'

export interface AggregateType {
  readonly name: string
  readonly folds: ReadonlyMap<string, Fold>
  readonly decisions: ReadonlyMap<string, Decision>
  readonly initial: () => unknown
  readonly snapshotEvery: number | undefined
  readonly stateRevision: number
  /** Of the functions that make the state: a snapshot that other functions have made is not gone on from. */
  readonly fingerprint: string
  readonly passivateAfterMs: number
}

/** How long an idle aggregate stays in memory if nobody says. */
const passivateAfterMsDefault = 60_000

/** The definition's own options go before the defaults given at `start`. */
export function aggregateType(definition: AnyAggregate, defaults: AggregateOptions): AggregateType {
  const options = { ...defaults, ...definition.options }
  return {
    name: definition.name,
    folds: definition.folds,
    decisions: definition.decisions,
    initial: definition.initial,
    snapshotEvery: options.snapshotEvery,
    stateRevision: options.stateRevision ?? 1,
    fingerprint: fingerprintOf(definition),
    passivateAfterMs: options.passivateAfterMs ?? passivateAfterMsDefault,
  }
}

/**
 * The same for the same source text. What functions refer to outside of themselves is not in it: for that there is
 * `stateRevision`.
 */
function fingerprintOf({ initial, folds }: AnyAggregate): string {
  const sources = [...folds.values()].map(({ kind, evolve }) => [
    kind.type,
    String(evolve),
    ...kind.revisions.map(({ upcast }) => String(upcast)),
  ])
  return digestOf([String(initial), ...sources.sort(([a], [b]) => (a! < b! ? -1 : 1))]).toString(36)
}
