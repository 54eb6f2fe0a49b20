/** How the examples print: headings, sentences, details, and data on one line. */
import { inspect } from 'node:util'

export function heading(text: string): void {
  console.log(`\n${text}\n${'-'.repeat(text.length)}`)
}

export function say(text: string): void {
  console.log(text)
}

export function detail(text: string): void {
  console.log(`  ${text}`)
}

export function plain(data: unknown): string {
  return inspect(data, { breakLength: Number.POSITIVE_INFINITY, colors: false })
}
