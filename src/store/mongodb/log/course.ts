/** The commits that a read goes over, the index that it uses, and the events that it returns. */
import type { StreamId } from '../../../domain/stream.ts'
import { matches } from '../../page.ts'
import type { ReadAllOptions, StoredEvent } from '../../store.ts'
import type { Query } from '../database/database.ts'
import type { Document } from '../database/driver.ts'
import { byId, indexes } from '../database/indexes.ts'

/** The greatest number of alternatives of a filter by index. With more, everything is read and filtered here. */
const alternativesMax = 100

export interface Course {
  readonly place: '_id' | 'from'
  /** The conditions that all its commits meet, for any range. */
  readonly base: Document
  /** The further conditions that the server checks. */
  readonly filter: Document
  readonly hint: Query['hint']
  /** The index over all places of `base`, without `filter`. */
  readonly whole: Query['hint']
  /** Whether there is no filter, so that every place of a range is read, up to its end. */
  readonly isDense: boolean
  /** Whether every commit that the server examines has a matching event. */
  readonly isExact: boolean
  readonly passes: (event: StoredEvent) => boolean
}

export const courseOfStream = ({ aggregate, id }: StreamId): Course => ({
  place: 'from',
  base: { aggregate, id },
  filter: {},
  hint: indexes.byStream,
  whole: indexes.byStream,
  isDense: true,
  isExact: true,
  passes: () => true,
})

/** A course over the log by the most selective index: that of the tags, of the types, or of the aggregates. */
export function courseOfLog(options: ReadAllOptions): Course {
  const [tag, ...furtherTags] = options.tags ?? []
  const types = fewOf(options.types)
  const aggregates = fewOf(options.aggregates)
  const filter: Document = {
    ...(tag !== undefined && { tags: tag }),
    ...(furtherTags.length > 0 && { $and: furtherTags.map((tags) => ({ tags })) }),
    ...(types && { types }),
    ...(aggregates && { aggregate: aggregates }),
  }
  const narrowed = (tag && indexes.byTag) || (types && indexes.byType) || (aggregates && indexes.byAggregate)
  const asked =
    (options.tags?.length ?? 0) + [options.types, options.aggregates].filter((of) => of !== undefined).length
  const passes = (event: StoredEvent) => matches(options, event)
  const isExact = asked === 0 || (asked === 1 && narrowed !== undefined)
  return { place: '_id', base: {}, filter, hint: narrowed || byId, whole: byId, isDense: asked === 0, isExact, passes }
}

/**
 * The condition for a field with several allowed values, or undefined if it may have any value or there are too many
 * for an index.
 */
function fewOf(values: readonly string[] | undefined): string | { readonly $in: readonly string[] } | undefined {
  if (values === undefined || values.length > alternativesMax) return undefined
  return values.length === 1 ? values[0] : { $in: values }
}
