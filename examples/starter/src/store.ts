/** Where the events are: in a SQLite file. */
import { sqlite } from '../../../src/store/sqlite/index.ts'

export const store = sqlite('bank.db')
