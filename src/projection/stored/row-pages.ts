/** The rows of a projection, one page after the other. */
import type { ProjectionStore, Row, RowQuery } from '../../store/store.ts'

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
