/** What the program `mneme` works with when it is started in this folder. */
import { sqlite } from '../../src/store/sqlite/index.ts'
import { defineConfig } from '../../tools/src/index.ts'
import { TransferBank } from './bank.ts'

export const config = defineConfig({ domain: TransferBank, store: sqlite('transfers.db') })
