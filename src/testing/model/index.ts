/** A model of the event store, and random sequences that compare a store with it. Needs fast-check. */
export { type ModelOptions, storeModel } from './store-model.ts'
