/** `mneme/file`: the store in plain files. */
export { file, vacuum } from './file.ts'
export type { FileOptions } from './options.ts'
