/** What a file says in words: its header, work put off, and things that hold on one machine only. */

import { headerOf, lineAt } from '../support/source.ts'
import { isTest, isTypeScript, type Rule, type Violation } from './rule.ts'

/** What a rule about mere text needs; any tracked file has that. */
export interface Text {
  readonly path: string
  readonly text: string
}

const headerLengthMin = 20

export const header: Rule = {
  name: 'a file begins by saying what it is',
  excuse: 'no header',
  appliesTo: (path) => isTypeScript(path) && !isTest(path),
  check: ({ text }) => {
    if (headerOf(text).length < headerLengthMin) return [{ line: 1, message: 'begins without a header' }]
    const below = /^(?:#!.*\n)?(?:\/\*[\s\S]*?\*\/|(?:\/\/.*\n)+)\n?(\n?)(.*)/.exec(text)
    const isDocstring =
      below?.[1] === '' && /^(export (?!\*|\{|type [{*])|const|function|class|interface)/.test(below[2]!)
    return isDocstring ? [{ line: 1, message: 'begins with the docstring of its first export, not a header' }] : []
  },
}

/** Its pattern is written so that this file does not find itself. */
export const nothingPutOff: Rule = {
  name: 'nothing is put off',
  excuse: 'work put off',
  appliesTo: isTypeScript,
  check: ({ text }) => matches(text, /\b(TO[D]O|FIX[M]E|X{3}|HA[C]K)\b/g, (found) => `says ${found}`),
}

export const negatives: Rule = {
  name: 'a type test shows what does not compile',
  excuse: 'no negative case',
  appliesTo: (path) => path.endsWith('.test-d.ts'),
  check: ({ text }) => (text.includes('@ts-expect-error') ? [] : [{ line: 1, message: 'has no @ts-expect-error' }]),
}

const columnsMax = 120

/** Comments and prose that are wider than the code. Code samples and tables are as wide as they have to be. */
export function wideProse({ path, text }: Text): readonly Violation[] {
  const isMarkdown = path.endsWith('.md')
  if (!isMarkdown && !isTypeScript(path)) return []
  let isCode = false
  return text.split('\n').flatMap((line, i) => {
    if (isMarkdown && /^\s*(```|~~~)/.test(line)) isCode = !isCode
    const isProse = isMarkdown
      ? !isCode && !/^\s*(\||\[[^\]]+\]:)/.test(line)
      : /^\s*(\/\*\*|\* ?(?! {3})|\/\/)/.test(line)
    return isProse && line.length > columnsMax ? [{ line: i + 1, message: `has ${line.length} columns` }] : []
  })
}

/** Paths and hosts of one machine, in any tracked file. Written so that this file does not find itself. */
const local: readonly RegExp[] = [
  /(?<![\w.)\]}~-])\/(?:work|root)\/[\w.]+/g,
  /(?<![\w.)\]}~-])\/(?:home|Users)\/\w+\//g,
  /(?<![\w.])\/tmp\/(?:bash|npm|node)[\w.-]*/g,
  /\b[A-Z]:\\{1,2}Users\\/g,
  /\bregistry\.[\w-]+\.\w+/g,
  /\bhttps?:\/\/[\w.-]*(?:registry|artifactory|verdaccio|nexus)[\w.-]*/g,
  /\bhttps?:\/\/(?:localhost|127\.0\.0\.1):4873\b/g,
]

/** Where a text names a path or a package registry of some machine. */
export function machineTraces({ text }: Text): readonly Violation[] {
  return local.flatMap((pattern) =>
    matches(text, pattern, (found) => `names ${found}, which holds on one machine only`),
  )
}

function matches(text: string, pattern: RegExp, messageOf: (found: string) => string): readonly Violation[] {
  return Array.from(text.matchAll(pattern), (match) => ({
    line: lineAt({ text }, match.index),
    message: messageOf(match[0]),
  }))
}
