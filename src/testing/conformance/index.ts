/** The conformance kit: every promise of the store port, as tests of any store. */
export type { MakeStore, StoreCapabilities, StorePlace } from './kit.ts'
export { storeConformance } from './store-conformance.ts'
