/**
 * Puts code into the documentation. A marker `<!-- code: examples/bank/account.ts -->` (or `...ts#region`) before a
 * code block says where the block comes from; this program writes the block again from that file, so that every line of
 * code in the documentation is one that CI compiles and runs. A test refuses documentation that is not up to date.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { asInstalled, root } from './package.ts'

/** The pages whose code is checked. */
export const pages: readonly string[] = ['README.md', ...globSync('docs/**/*.md', { cwd: root })].sort()

const block = /(<!-- code: (?<file>[^#\s]+)(?:#(?<region>[\w-]+))? -->\n)```ts\n.*?```/gs

/** A page with its code blocks as the files have them now. */
export function withCode(page: string, read: (file: string) => string): string {
  return page.replace(block, (...match) => {
    const { file, region } = match.at(-1) as { readonly file: string; readonly region?: string }
    return `${match[1]}\`\`\`ts\n${snippet(read(file), region)}\n\`\`\``
  })
}

/** The code blocks of a page that come from no file. */
export function strayBlocks(page: string): readonly string[] {
  const stray = page.replace(block, '').match(/```(?:ts|typescript|js|javascript)\n.*?```/gs)
  return stray ?? []
}

/** A file, or a region of it, as its reader would write it: importing the package, without header and indentation. */
function snippet(source: string, region: string | undefined): string {
  const whole = region === undefined ? source.replace(/^\/\*\*.*?\*\/\n/s, '') : regionOf(source, region)
  const lines = asInstalled(whole)
    .replace(/^(?: *\n)+/, '')
    .trimEnd()
    .split('\n')
  const indentation = Math.min(...lines.filter(Boolean).map((line) => line.search(/\S/)))
  return lines.map((line) => line.slice(indentation)).join('\n')
}

function regionOf(source: string, region: string): string {
  const found = source.match(new RegExp(`// #region ${region}\\n(.*?)// #endregion`, 's'))
  if (found === null) throw new Error(`there is no region ${region}`)
  return found[1]!
}

if (import.meta.main) {
  for (const page of pages) {
    const before = readFileSync(`${root}${page}`, 'utf8')
    const after = withCode(before, (file) => readFileSync(`${root}${file}`, 'utf8'))
    if (after !== before) writeFileSync(`${root}${page}`, after)
  }
}
