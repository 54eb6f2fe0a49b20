/** What a tool is: a name, what it is for, the arguments that it takes, and how it answers. */
import type { StandardSchemaWithJSON } from '@modelcontextprotocol/server'
import { z } from 'zod'
import type { Json } from '../../../src/index.ts'
import type { Inspection } from '../inspection/index.ts'

/** What a tool has when it is called. */
export interface Call<Input> {
  readonly input: Input
  readonly inspection: Inspection
  /** Is aborted when the caller does not want the answer any more. */
  readonly signal: AbortSignal
}

export interface Tool {
  readonly name: string
  /** For whoever chooses a tool: what it answers, and what to ask next. */
  readonly description: string
  readonly input: StandardSchemaWithJSON
  /** Whether a call may store events. */
  readonly isWriting: boolean
  answer(call: Call<unknown>): Promise<Json>
}

/** Makes a tool. Arguments with other names than those of the shape are refused. */
export function tool<const Shape extends z.ZodRawShape>(parts: {
  readonly name: string
  readonly description: string
  readonly input: Shape
  readonly isWriting?: boolean
  answer(call: Call<z.output<z.ZodObject<Shape>>>): Promise<Json>
}): Tool {
  const { name, description, isWriting = false, answer } = parts
  return { name, description, isWriting, input: z.strictObject(parts.input), answer: answer as Tool['answer'] }
}

/** The longest text that an argument may be. Ids have at most 1 KB, and this is more than any of them. */
const textMax = 2000
export const text = (): z.ZodString => z.string().min(1).max(textMax)

export const cursor = (): z.ZodOptional<z.ZodString> =>
  text().optional().describe('the cursor of the answer before, to go on behind it')

export const limit = (otherwise: number, most: number): z.ZodDefault<z.ZodNumber> =>
  z.int().min(1).max(most).default(otherwise)

export const sequence = (): z.ZodNumber => z.int().min(0)

/** The arguments that name a stream. */
export const stream: { readonly aggregate: z.ZodString; readonly id: z.ZodString } = {
  aggregate: text().describe('the name of the aggregate, such as account'),
  id: text().describe('the id of the instance'),
}
