/** The table of planted bugs in `docs/testing.md`: which run has found each. */
import type { Found } from './find-bug.ts'

const head = '| planted bug | found in | at seed | broken promise |'
const tablePattern = /\| planted bug \|[^\n]*\n\| ---[^\n]*\n(?<rows>(?:\|[^\n]*\n)*)/

/** The rows of the table by the name of the bug. */
export function bugTableOf(page: string): ReadonlyMap<string, Found> {
  const rows = tablePattern.exec(page)?.groups?.['rows'] ?? ''
  const cells = rows.split('\n').map((row) => row.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')))
  return new Map(
    cells
      .filter(({ length }) => length === 4)
      .map(([name, scenario, seed, broken]) => [name!, { scenario: scenario!, seed: Number(seed), broken: broken! }]),
  )
}

/** The page with another table. */
export function withBugTable(page: string, found: ReadonlyMap<string, Found>): string {
  const rows = Array.from(
    found,
    ([name, { scenario, seed, broken }]) => `| ${name} | ${scenario} | ${seed} | ${broken} |`,
  )
  return page.replace(tablePattern, () => `${[head, '| --- | --- | --- | --- |', ...rows].join('\n')}\n`)
}
