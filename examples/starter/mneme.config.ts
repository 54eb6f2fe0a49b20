/** What the command line and the studio work with: `npm run dev`, `npx mneme events`. */
import { defineConfig } from '../../tools/src/index.ts'
import { Bank } from './src/bank.ts'
import { serve } from './src/server.ts'
import { store } from './src/store.ts'

export const config = defineConfig({ domain: Bank, store, serve })
