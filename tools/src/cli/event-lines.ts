/** Events as lines for people. */
import type { ShownEvent } from '../inspection/index.ts'
import { cut, jsonLine, type Output, oneLine, plain, streamText, widthOf } from './output.ts'

/** `12  2026-01-01T10:00:00.000Z  account/ada #3  MoneyDeposited  {"amount":5}`, coloured and cut for a terminal. */
export function eventText(event: ShownEvent, output: Pick<Output, 'style' | 'columns'>): string {
  const { position, recordedAt, aggregate, id, sequence, type, data, unreadable } = event
  const place = `${String(position).padStart(6)}  ${recordedAt}  ${streamText({ aggregate, id })} #${sequence}`
  const start = `${place}  ${plain(type)}  `
  const rest = cut(jsonLine(data), Math.max(10, output.columns - widthOf(start)))
  const [dim, name] = [output.style('dim', rest), output.style('bold', plain(type))]
  const line = `${place}  ${name}  ${dim}`
  return unreadable === undefined
    ? line
    : `${line}\n        ${output.style('yellow', `unreadable: ${oneLine(unreadable)}`)}`
}
