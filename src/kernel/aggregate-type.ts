/** The definition of an aggregate with all options resolved, as the kernel runs it. */
import type { AggregateOptions, AnyAggregate, Decision, Fold } from '../domain/aggregate.ts'
import { personalFieldsOf } from '../domain/personal-schema.ts'
import { digestOf } from './digest.ts'

export interface AggregateType {
  readonly name: string
  readonly folds: ReadonlyMap<string, Fold>
  readonly decisions: ReadonlyMap<string, Decision>
  readonly initial: () => unknown
  readonly snapshotEvery: number | undefined
  readonly stateRevision: number
  /** A digest of the functions that make the state. A snapshot that other functions made is not used. */
  readonly fingerprint: string
  readonly passivateAfterMs: number
}

/** How long an idle aggregate stays in memory by default. */
const passivateAfterMsDefault = 60_000

/** Options of the definition take precedence over the defaults given at `start`. */
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
 * The same source text gives the same fingerprint. It does not cover what functions call outside themselves; for
 * changes there, users raise `stateRevision`.
 */
function fingerprintOf({ initial, folds }: AnyAggregate): string {
  const sources = [...folds.values()].map(({ kind, evolve }) => [
    kind.type,
    String(evolve),
    ...kind.revisions.map(({ upcast }) => String(upcast)),
    // A state that was made of plain values is not used once its fields are personal.
    ...kind.revisions.flatMap(({ schema }, i) => personalFieldsOf(schema).map((field) => `${i} ${field}`)),
  ])
  return digestOf([String(initial), ...sources.sort(([a], [b]) => (a! < b! ? -1 : 1))]).toString(36)
}
