/** An aggregate instance in a sentence: its name, and its id in quotation marks. */
import type { StreamId } from '../domain/stream.ts'

export const named = ({ aggregate, id }: StreamId): string => `${aggregate} ${JSON.stringify(id)}`
