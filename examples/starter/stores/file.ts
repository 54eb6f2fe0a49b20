/** Where the events are: in readable files of a folder. Only one process can have it open at a time. */
import { file } from '../../../src/store/file/index.ts'

export const store = file('bank')
