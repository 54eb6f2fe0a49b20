/** Numbers in the query of a request. */
import { malformed } from './body.ts'
import { numberMax, wholeNumber } from './request-headers.ts'

/** @throws HttpError `REQUEST_MALFORMED` */
export function wholeParameter(name: string, text: string | undefined, most: number = numberMax): number | undefined {
  if (text === undefined) return undefined
  const number = wholeNumber(text)
  if (number === undefined || number > most) malformed(`${name} is not a whole number from 0 to ${most}`)
  return number
}

/** How many items a page has if its client does not say. */
const limitDefault = 100

/** The greatest number of items in a page: at least one. @throws HttpError `REQUEST_MALFORMED` */
export function limitIn(text: string | undefined, most: number): number {
  const limit = wholeParameter('limit', text, most) ?? Math.min(limitDefault, most)
  return limit === 0 ? malformed(`limit is not a whole number from 1 to ${most}`) : limit
}
