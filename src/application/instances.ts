/** Questions to all instances of an aggregate: `bank.account.ids()`, and several states or sequences at once. */
import { checkId } from '../domain/id.ts'
import { checkKeys, checkWhole, listExpected, refuseOption } from '../domain/options.ts'
import type { StreamId } from '../domain/stream.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { StreamList } from '../store/stream-list.ts'
import type { IdsOptions, Reading } from './running.ts'

/** The number of ids in a page. */
const idsDefault = 1000
/** The number of states that are loaded at the same time. */
const loadsMax = 16

/** The methods that `Instances` describes. */
export function instancesOf(kernel: Kernel, aggregate: string): object {
  const streamsOf = (ids: readonly string[]): readonly StreamId[] => {
    if (!Array.isArray(ids)) refuseOption('ids', listExpected(ids, 'ids'), ids)
    for (const id of ids) checkId(`the id of an aggregate ${aggregate}`, id)
    return ids.map((id) => Object.freeze({ aggregate, id }))
  }
  return {
    async ids(options: IdsOptions = {}): Promise<StreamList> {
      checkKeys('ids(options)', options, ['after', 'limit'])
      const { after, limit = idsDefault } = options
      if (limit !== Number.POSITIVE_INFINITY) checkWhole('limit', limit, 1)
      if (after !== undefined) checkId(`the id of an aggregate ${aggregate}`, after)
      return kernel.ids(aggregate, { limit, ...(after !== undefined && { after }) })
    },
    async states(ids: readonly string[]): Promise<readonly Reading<unknown>[]> {
      return severalAtOnce(streamsOf(ids), loadsMax, async (stream) => {
        const { state, sequence, position } = await kernel.state(stream, {})
        return Object.freeze({ state, sequence, position })
      })
    },
    async sequences(ids: readonly string[]): Promise<readonly number[]> {
      return kernel.sequences(streamsOf(ids))
    },
  }
}

/** Maps items in their order, with at most so many of them in progress. After a failure, no further one is begun. */
async function severalAtOnce<Item, Result>(
  items: readonly Item[],
  most: number,
  map: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = new Array(items.length)
  let next = 0
  let hasFailed = false
  const worker = async () => {
    while (next < items.length && !hasFailed) {
      const i = next++
      results[i] = await map(items[i]!)
    }
  }
  const workers = Array.from({ length: Math.min(most, items.length) }, async () => {
    try {
      await worker()
    } catch (error) {
      hasFailed = true
      throw error
    }
  })
  await Promise.all(workers)
  return results
}
