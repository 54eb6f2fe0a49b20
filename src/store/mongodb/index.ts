/** `mneme/mongodb`: the store on MongoDB and servers that speak its protocol. */
export { mongodb } from './mongodb.ts'
export type { MongodbOptions } from './options.ts'
