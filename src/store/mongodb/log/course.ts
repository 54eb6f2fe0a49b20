/** Which commits a read goes over, by which index, and which of their events it gives. */
import type { StreamId } from '../../../domain/stream.ts'
import { matches } from '../../page.ts'
import type { ReadAllOptions, StoredEvent } from '../../store.ts'
import type { Query } from '../database/database.ts'
import type { Document } from '../database/driver.ts'
import { byId, indexes } from '../database/indexes.ts'

/** So many alternatives a filter by index has at most; with more, all is read and filtered here. */
const alternativesMax = 100

export interface Course {
  readonly place: '_id' | 'from'
  /** What all of them have, whatever the range. */
  readonly base: Document
  /** What the index narrows them down to. */
  readonly filter: Document
  readonly hint: Query['hint']
  /** The index that has all places of the base, whatever the filter. */
  readonly whole: Query['hint']
  /** Without a filter every place of a range is met, up to its end. */
  readonly isDense: boolean
  /** Whether every commit that the server examines has an event that passes. */
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

/** A course over the log by the index that narrows it down most: that of the tags, of the types, of the aggregates. */
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
 * What a field is to be among several values; undefined if it may be anything, or if they are too many for an index.
 */
function fewOf(values: readonly string[] | undefined): string | { readonly $in: readonly string[] } | undefined {
  if (values === undefined || values.length > alternativesMax) return undefined
  return values.length === 1 ? values[0] : { $in: values }
}
