/** Checks fields of documents when they are read. A changed field is reported as damage, with its place. */
import { StoreError } from '../../../domain/error.ts'

/** Whether a value is one that the store writes in a field. */
export type FieldCheck = (value: unknown) => boolean

export const whole: FieldCheck = (value) => Number.isSafeInteger(value)
export const text: FieldCheck = (value) => typeof value === 'string'

/** A field that may be absent. */
export const optional =
  (check: FieldCheck): FieldCheck =>
  (value) =>
    value === undefined || check(value)

export const listOf =
  (check: FieldCheck): FieldCheck =>
  (value) =>
    Array.isArray(value) && value.every(check)

/** A document within a document. */
export const record =
  (checks: Readonly<Record<string, FieldCheck>>): FieldCheck =>
  (value) =>
    typeof value === 'object' && value !== null && wrongField(value, checks) === undefined

/** @throws StoreError `STORE_CORRUPT` */
export function checkFields<Document extends object>(
  document: Document,
  checks: Readonly<Record<string, FieldCheck>>,
  { store, where }: { readonly store: string; readonly where: string },
): Document {
  const wrong = wrongField(document, checks)
  if (wrong === undefined) return document
  throw new StoreError('STORE_CORRUPT', { store, where, reason: `its field ${wrong} is not what was written` })
}

function wrongField(document: object, checks: Readonly<Record<string, FieldCheck>>): string | undefined {
  for (const field in checks) {
    if (!checks[field]!((document as Readonly<Record<string, unknown>>)[field])) return field
  }
  return undefined
}
