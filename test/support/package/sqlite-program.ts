/** A program of a user with a SQLite store, as text, to be bundled into a single file together with `consumer.ts`. */

/** Prints what is left in the account, and what the projection wrote into the file that is its argument. */
export const sqliteProgram = `
import { domain, projection, sql } from 'mneme'
import { sqlite } from 'mneme/sqlite'
import { Account, Opened } from './consumer.ts'

const Names = projection('names')
  .handle([Opened], async (events, { transaction }) => {
    for (const { data } of events) await transaction.query(sql\`INSERT INTO names VALUES (\${data.owner})\`)
  })
  .prepare(({ transaction }) => transaction.query('CREATE TABLE IF NOT EXISTS names (name TEXT)'))

async function main() {
  const path = process.argv[2]
  const Bank = domain({ aggregates: { account: Account }, projections: { names: Names } })
  const bank = await Bank.start({ store: sqlite(path) })
  const account = bank.account('ada')
  await account.open({ owner: 'Ada' })
  await account.deposit({ amount: 100 })
  const { state } = await account.withdraw({ amount: 30 })
  const names = await bank.names.read(sql\`SELECT name FROM names\`, { atLeast: await bank.head() })
  await bank.stop()
  console.log(JSON.stringify([state.balance, names]))
}

main()
`
