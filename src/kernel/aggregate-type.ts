/** An aggregate's definition with its options settled, as the kernel runs it. */
import type { AggregateOptions, AnyAggregate, Decision, Fold } from '../domain/aggregate.ts'

export interface AggregateType {
  readonly name: string
  readonly folds: ReadonlyMap<string, Fold>
  readonly decisions: ReadonlyMap<string, Decision>
  readonly initial: () => unknown
  readonly snapshotEvery: number | undefined
  readonly stateRevision: number
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
    passivateAfterMs: options.passivateAfterMs ?? passivateAfterMsDefault,
  }
}
