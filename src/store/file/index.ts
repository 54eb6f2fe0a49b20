/** `mneme/file`: the store in plain files. */
export { file } from './file.ts'
export type { FileOptions } from './options.ts'
