/**
 * The form of a tidy rule, and how it is run. A file may break a rule that makes it worse if its header says why, in a
 * line such as `Tidy: longer than 400 lines because the table is one thing.` Each rule names the words of its excuse.
 */
import { headerOf, type Source } from '../support/source.ts'

/** Something that a rule does not like. */
export interface Violation {
  readonly line: number
  readonly message: string
}

/** One rule of the house style, about one file at a time. */
export interface Rule {
  /** As in "the tree keeps this rule: ...". */
  readonly name: string
  /** What stands between `Tidy: ` and ` because ` in the header of a file that is excused. */
  readonly excuse: string
  readonly appliesTo: (path: string) => boolean
  readonly check: (source: Source) => readonly Violation[]
}

/** What a rule finds, as `path:line message`, excused files left out. */
export function findings(rule: Rule, sources: readonly Source[]): readonly string[] {
  return sources
    .filter(({ path, text }) => rule.appliesTo(path) && !isExcused(rule.excuse, text))
    .flatMap((source) => rule.check(source).map(({ line, message }) => `${source.path}:${line} ${message}`))
}

/** Whether a file's header gives a reason for breaking a rule. */
export function isExcused(excuse: string, text: string): boolean {
  const header = headerOf(text).replaceAll(/\s+/g, ' ')
  const [, reason = ''] = header.split(`Tidy: ${excuse} because `)
  return reason.length >= 10
}

export const isTest = (path: string): boolean => /\.test(-d)?\.ts$/.test(path)
export const isTypeScript = (path: string): boolean => path.endsWith('.ts')
