/** What simulated runs have met: faults, and marks of rare things. The table of it is in `docs/testing.md`. */
import { faultNames } from '../../../src/testing/simulation/faults.ts'
import { markNames } from '../../../src/testing/simulation/marks.ts'
import type { SimulationReport } from '../../../src/testing/simulation/simulate.ts'

/** How often each fault and each mark was met. */
export interface Counts {
  readonly faults: Map<string, number>
  readonly marks: Map<string, number>
}

/** The seeds of the table, from 1 on. They meet every mark. */
export const countsSeeds = 1000

/** So many seeds, wherever they begin, meet every mark. */
export const marksSeeds = 10_000

/** Adds what a run has met. */
export function countRuns({ faults, marks }: Counts, report: SimulationReport): void {
  for (const name of faultNames) faults.set(name, (faults.get(name) ?? 0) + (report.faults[name] ?? 0))
  for (const name of markNames) marks.set(name, (marks.get(name) ?? 0) + (report.marks[name] ?? 0))
}

/** The faults and the marks that were never met. */
export const missedMarks = ({ faults, marks }: Counts): readonly string[] =>
  [...faults, ...marks].filter(([, count]) => count === 0).map(([name]) => name)

const head = '| fault or mark | times |'
const tablePattern = /\| fault or mark \|[^\n]*\n\| ---[^\n]*\n(?<rows>(?:\|[^\n]*\n)*)/

/** The names in the table. */
export const namesInTable = (page: string): readonly string[] =>
  Array.from((tablePattern.exec(page)?.groups?.['rows'] ?? '').matchAll(/^\| (.+?) \|/gm), ([, name]) =>
    name!.replaceAll('`', ''),
  )

/** The page with another table. */
export function withCounts(page: string, { faults, marks }: Counts): string {
  const rows = [...Array.from(faults, ([name, count]) => [`\`${name}\``, count] as const), ...marks].map(
    ([name, count]) => `| ${name} | ${count.toLocaleString('en')} |`,
  )
  return page.replace(tablePattern, () => `${[head, '| --- | --- |', ...rows].join('\n')}\n`)
}
