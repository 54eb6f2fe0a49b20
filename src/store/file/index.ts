/** `mneme/file`: the store in plain files. */
export { type FileOptions, file } from './file.ts'
