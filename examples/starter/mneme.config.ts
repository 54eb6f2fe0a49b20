/** What the command line and the studio look at: `npx mneme events`, `npm run studio`. */
import { defineConfig } from '../../tools/src/index.ts'
import { Bank } from './src/bank.ts'
import { store } from './src/store.ts'

export const config = defineConfig({ domain: Bank, store })
