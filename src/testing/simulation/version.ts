/** A version of the domain that is simulated, and what the simulation asks of it. */
import type { Domain } from '../../application/domain.ts'
import type { Aggregates, ProjectionsByName, ReactionsByName } from '../../application/running.ts'
import type { AnyAggregate } from '../../domain/aggregate.ts'
import { hasCode } from '../../domain/error.ts'

/** What `domain(...)` returns, whatever is in it. */
export interface AnyDomain extends Pick<Domain<Aggregates, ProjectionsByName, ReactionsByName>, 'aggregates'> {
  readonly projections: ProjectionsByName
  readonly reactions: ReactionsByName
  start(options?: Parameters<Domain<Aggregates, ProjectionsByName, ReactionsByName>['start']>[0]): Promise<object>
}

/** A running domain, as far as a simulation knows it. */
export type Started = Awaited<ReturnType<Domain<any, any, any>['start']>> & { readonly [part: string]: any }

export class Version {
  /** 0 for the first. */
  readonly number: number
  readonly domain: AnyDomain
  /** Whether no newer one comes. */
  readonly isLast: boolean
  readonly aggregates: readonly AnyAggregate[]

  constructor(number: number, domain: AnyDomain, isLast: boolean) {
    this.number = number
    this.isLast = isLast
    this.domain = domain
    this.aggregates = Object.values(domain.aggregates)
  }

  /** The definition of an aggregate, by its name. */
  aggregate(name: string): AnyAggregate {
    return this.aggregates.find((each) => each.name === name)!
  }

  /** Whether an error says that an aggregate has events which this version does not know yet. */
  meetsNewer(error: unknown): boolean {
    if (this.isLast) return false
    const isOuter = hasCode(error, 'AGGREGATE_LOAD_FAILED') || hasCode(error, 'EVENT_UNREADABLE')
    const cause = isOuter ? error.cause : error
    return hasCode(cause, 'EVENT_NEWER') || hasCode(cause, 'EVENT_UNDECLARED')
  }

  /** Its key in the domain. */
  keyOf(aggregate: string): string {
    return Object.entries(this.domain.aggregates).find(([, { name }]) => name === aggregate)![0]
  }
}
