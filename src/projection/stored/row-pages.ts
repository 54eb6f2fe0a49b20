/** The rows of a projection, one page after the other. */
import type { ProjectionStore, Row, RowQuery } from '../../store/store.ts'
import { ownMark } from './row-key.ts'

/** Returns pages until no row is left. A page may have fewer rows than the limit, or none. */
export async function* rowPages(
  store: Pick<ProjectionStore, 'listRows'>,
  projection: string,
  query: RowQuery,
): AsyncGenerator<readonly Row[]> {
  for (let { after } = query; ; ) {
    const { rows, next } = await store.listRows(projection, { ...query, ...(after !== undefined && { after }) })
    yield rows
    if (next === undefined) return
    after = next
  }
}

/**
 * The rows of the user, without those of the projection itself. The keys of those are ASCII after their mark, so all
 * are before `afterOwn`. A user's key that begins with the mark has it twice, and is before all of them.
 */
export async function* userRowPages(
  store: Pick<ProjectionStore, 'listRows'>,
  projection: string,
  query: Omit<RowQuery, 'after' | 'prefix'>,
): AsyncGenerator<readonly Row[]> {
  yield* rowPages(store, projection, { ...query, prefix: ownMark + ownMark })
  yield* rowPages(store, projection, { ...query, after: afterOwn })
}

const afterOwn = `${ownMark}\u007f`
