/** The store in memory. */
export { memory } from './memory-store.ts'
