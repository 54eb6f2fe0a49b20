/** The store in memory. */
export { memory } from './memory.ts'
