/** The folders in which the transcripts of the documentation are run: a configuration and a log for each name. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Bank } from '../../examples/starter/src/bank.ts'
import { TransferBank } from '../../examples/transfer/bank.ts'
import { root } from '../../scripts/package.ts'
import { sqlite } from '../../src/store/sqlite/index.ts'
import { type Place, toolsPlace } from '../support/tools/mneme.ts'
import { Orders } from '../support/tools/orders.ts'

type World = (t: TestContext) => Promise<Place>

const starting = (folder: string) =>
  ({ store: sqlite(join(folder, 'bank.db')), projections: 'manual', log: { warn: () => {} } }) as const

/** A bank in which ada has given 30 of her 100 to bob. Its balances have not seen the end of that yet. */
const transfers: World = async (t) => {
  const place = await toolsPlace(t)
  const bank = await TransferBank.start(starting(place.folder))
  await bank.account('ada').open({ owner: 'ada' })
  await bank.account('ada').deposit({ amount: 100 })
  await bank.account('bob').open({ owner: 'bob' })
  await bank.transfer('t1').request({ from: 'ada', to: 'bob', amount: 30 }, { commandId: 'the request' })
  await bank.projections.runOnce('balances')
  for (let handled = -1, position = 0; handled !== position; ) {
    handled = position
    position = (await bank.reactions.runOnce('moveMoney')).position
  }
  await bank.stop()
  return place
}

/** Two orders, of which the second has an item that nothing can handle. */
const orders: World = async (t) => {
  const place = await toolsPlace(t)
  await configure(place, 'Orders', 'test/support/tools/orders.ts')
  const running = await Orders.start(starting(place.folder))
  await running.order('o1').place({ item: 'tea' })
  await running.order('o2').place({ item: 'broken' })
  await running.projections.runOnce('items')
  await running.reactions.runOnce('reminders')
  await running.stop()
  return place
}

/** The bank of the tutorial: its events were stored before the account changed. */
const tutorial: World = async (t) => {
  const place = await toolsPlace(t)
  const before = await Bank.start(starting(place.folder))
  await before.account('ada').open({ owner: 'Ada' })
  await before.account('ada').deposit({ amount: 100 })
  await before.stop()
  const path = JSON.stringify(join(root, 'examples/tutorial/account.ts'))
  const code = `import { domain } from ${JSON.stringify(join(root, 'src/index.ts'))}
    import { Account } from ${path}
    export const Bank = domain({ aggregates: { account: Account } })`
  await writeFile(join(place.folder, 'bank.ts'), code)
  await configure(place, 'Bank', join(place.folder, 'bank.ts'))
  return place
}

async function configure({ folder }: Place, domain: string, module: string): Promise<void> {
  const from = (path: string) => JSON.stringify(join(root, path))
  const code = `import { ${domain} } from ${JSON.stringify(module.startsWith('/') ? module : join(root, module))}
    import { sqlite } from ${from('src/store/sqlite/index.ts')}
    export const config = { domain: ${domain}, store: sqlite('bank.db') }`
  await writeFile(join(folder, 'mneme.config.ts'), code)
}

export const worlds: Readonly<Record<string, World>> = { transfers, orders, tutorial }
