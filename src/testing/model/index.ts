/** A model of the event store, and random sequences that compare a store with it. Needs fast-check. */
export { storeModel } from './store-model.ts'
