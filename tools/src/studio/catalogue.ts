/** What the domain is made of, and who handles which event. */
import type { AnyAggregate } from '../../../src/index.ts'
import type { AnyDomain } from '../inspection/index.ts'
import type { CatalogueView } from './views.ts'

interface Kind {
  readonly type: string
  readonly family: unknown
  readonly revisions: readonly unknown[]
}

/** The definition of a projection or a reaction, as far as it says which events it handles. */
interface Handling {
  readonly name: string
  readonly shape?: string
  readonly kinds?: readonly Kind[]
  readonly folds?: ReadonlyMap<unknown, { readonly kind: Kind }>
  readonly handlings?: ReadonlyMap<unknown, { readonly kind: Kind }>
  readonly aggregates?: Readonly<Record<string, Pick<AnyAggregate, 'name'>>>
}

export function catalogueView({ aggregates, projections, reactions }: AnyDomain): CatalogueView {
  const handlers = (kind: 'projection' | 'reaction', all: Readonly<Record<string, Handling>>) =>
    Object.values(all).map((each) => ({ called: `${kind} ${each.name}`, families: familiesOf(each) }))
  const everybody = [...handlers('projection', projections), ...handlers('reaction', reactions)]
  return {
    aggregates: Object.values(aggregates).map(({ name, decisions, folds }) => ({
      name,
      commands: [...(decisions as ReadonlyMap<string, unknown>).keys()],
      events: [...(folds as ReadonlyMap<unknown, { readonly kind: Kind }>).values()].map(({ kind }) => ({
        type: kind.type,
        revision: kind.revisions.length,
        handledBy: everybody.filter(({ families }) => families.has(kind.family)).map(({ called }) => called),
      })),
    })),
    projections: Object.values<Handling>(projections).map(({ name, shape = 'rows' }) => ({ name, shape })),
    reactions: Object.values<Handling>(reactions).map(({ name, aggregates: sendsTo = {} }) => ({
      name,
      sendsTo: Object.values(sendsTo).map((aggregate) => aggregate.name),
    })),
  }
}

function familiesOf({ kinds = [], folds, handlings }: Handling): ReadonlySet<unknown> {
  const handled = [...(folds ?? []), ...(handlings ?? [])].map(([, { kind }]) => kind)
  return new Set([...kinds, ...handled].map(({ family }) => family))
}
