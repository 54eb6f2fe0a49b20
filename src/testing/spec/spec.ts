/**
 * Given, when, then, for aggregates, projections and reactions. Each runs the functions that a running domain uses, and
 * nothing else: no store to prepare, no clock to wait for.
 */
import type { Aggregate, Commands } from '../../domain/aggregate.ts'
import { refuseOption } from '../../domain/options.ts'
import type { Projection, ProjectionShape } from '../../domain/projection.ts'
import type { AnyReaction, Reaction } from '../../domain/reaction.ts'
import { aggregateSpec, type Spec } from './aggregate-spec.ts'
import { projectionSpec, type SpecOfProjection } from './projection-spec.ts'
import { type ReactionSpec, reactionSpec } from './reaction-spec.ts'

/**
 * Begins a test of an aggregate, a projection with rows or a state, or a reaction, with no history.
 *
 *     spec(Account).given(Opened({ owner: 'Ada' })).when.withdraw({ amount: 1 }).rejects('InsufficientFunds')
 *     spec(Balances).given(on('ada', Deposited({ amount: 5 }))).row('ada', { balance: 5 })
 *     await spec(Welcome).when(on('ada', Opened({ owner: 'Ada' }))).dispatches(gift)
 *
 * @throws DefinitionError `OPTION_INVALID` for anything else
 */
export function spec<State, Kinds, Cmds extends Commands>(
  aggregate: Aggregate<string, State, Kinds, Cmds>,
): Spec<State, Kinds, Cmds>
export function spec<Row, Kinds, Shape extends ProjectionShape>(
  projection: Projection<string, Row, Kinds, Shape>,
): SpecOfProjection<Row, Kinds, Shape>
export function spec<A, State, Kinds>(reaction: Reaction<string, A, State, Kinds>): ReactionSpec<A, State, Kinds>
export function spec(definition: any): unknown {
  if (definition?.decisions instanceof Map) return aggregateSpec(definition)
  if (definition?.handlings instanceof Map) return reactionSpec(definition as AnyReaction) as unknown
  if (definition?.folds instanceof Map) return projectionSpec(definition)
  return refuseOption('definition', 'an aggregate, a projection with rows or a state, or a reaction', definition)
}
