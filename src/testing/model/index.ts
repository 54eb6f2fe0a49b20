/** Compares a store with a model of the event store, by random steps. Needs fast-check. */
export { storeModel } from './store-model.ts'
