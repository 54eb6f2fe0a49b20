/** The results as a page: what was reached, against which floor and target, and what it cost. */
import { availableParallelism } from 'node:os'
import { type Figure, type Spread, storeNames } from './figure.ts'
import { limitOf } from './limit.ts'
import { targetsOf } from './target.ts'

/** A benchmark that is over. */
export interface Run {
  readonly figures: readonly Figure[]
  readonly failures: readonly string[]
  /** Stores that were not measured, and why. */
  readonly leftOut?: readonly string[]
  /** What the stores ran on that need a server. */
  readonly servers?: readonly string[]
  readonly minutes: number
}

/** The whole page, in Markdown. */
export function report({ figures, failures, leftOut = [], servers = [], minutes }: Run): string {
  const missed = figures.flatMap((figure) =>
    targetsOf(figure)
      .filter((target) => !target.isMet(figure))
      .map((target) =>
        `- ${figure.id} on ${figure.store}: ${target.what}, is ${shown(figure)}. ${limitOf(figure) ?? ''}`.trim(),
      ),
  )
  const sections = storeNames
    .map((store) => ({ store, own: figures.filter((figure) => figure.store === store) }))
    .filter(({ own }) => own.length > 0)
    .flatMap(({ store, own }) => [`## ${store}`, '', ...mainTable(own), '', ...costTable(own), ''])
  return [
    '# Results',
    '',
    `Written by \`npm run bench\`, not by hand. ${machineLine(servers)} The run took ${minutes.toFixed(1)} minutes.`,
    '',
    ...howToRead,
    '',
    ...section('Targets that were missed', missed),
    ...section(
      'What was left out',
      leftOut.map((line) => `- ${line}.`),
    ),
    ...section(
      'What failed',
      failures.map((failure) => `- ${failure.split('\n')[0]}`),
    ),
    ...sections,
  ].join('\n')
}

const howToRead: readonly string[] = [
  'How to read this: every figure is the median of its rounds, and every workload has a process of its own on each store.',
  'A command or commit counts when it is answered, and a durable store answers when it has synced. The *floor* is the same',
  'work done by a bare loop between the same rounds: the same bytes or rows, in the same batches, with one sync each. The',
  'ratio is the median over the rounds of ours by the floor: of rates more is better, of times less. Figures of a shared',
  'or busy machine vary by tens of percent from run to run; ratios vary less.',
]

/** The machine and the servers on it, without anything that would name it. */
export function machineLine(servers: readonly string[] = []): string {
  const date = new Date().toISOString().slice(0, 10)
  const programs = [`Node ${process.versions.node}`, ...servers, `${process.platform} ${process.arch}`]
  return `${availableParallelism()} cores, ${programs.join(', ')}, ${date}.`
}

const section = (title: string, lines: readonly string[]): readonly string[] =>
  lines.length === 0 ? [] : [`## ${title}`, '', ...lines, '']

function mainTable(figures: readonly Figure[]): readonly string[] {
  return table(
    ['', 'workload', 'figure', 'floor', 'ratio', 'target', 'met'],
    figures.map((figure) => {
      const { id, what, floor, unit } = figure
      const targets = targetsOf(figure)
      return [
        id,
        what,
        shown(figure),
        floor === undefined ? '' : `${rounded(floor.value)} ${unit}`,
        floor === undefined ? '' : floor.ratio.toFixed(2),
        targets.map((target) => target.what).join('; '),
        targets.map((target) => (target.isMet(figure) ? 'yes' : '**no**')).join('; '),
      ]
    }),
  )
}

function costTable(figures: readonly Figure[]): readonly string[] {
  return table(
    [
      '',
      'events a sync p50 / p99',
      'latency p50 / p99 / p99.9 (ms)',
      'CPU s per 100,000 operations',
      'peak memory (MB)',
    ],
    figures.map(({ id, eventsPerSync, latencyMs, cpuSecondsPer100k, memoryPeakBytes }) => [
      id,
      eventsPerSync === undefined ? '' : `${eventsPerSync.p50} / ${eventsPerSync.p99}`,
      latencyMs === undefined ? '' : latencies(latencyMs),
      cpuSecondsPer100k === undefined ? '' : cpuSecondsPer100k.toFixed(2),
      String(Math.round(memoryPeakBytes / 1e6)),
    ]),
  )
}

const latencies = ({ p50, p99, p999 }: Spread): string => [p50, p99, p999].map(rounded).join(' / ')

/** A table of Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)]
}

const shown = ({ value, unit }: Figure): string => `${rounded(value)} ${unit}`

/** Three digits that mean something, and no more. */
export function rounded(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  if (Math.abs(value) < 100) return String(Number(value.toPrecision(3)))
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.abs(value))) - 2)
  return (Math.round(value / unit) * unit).toLocaleString('en')
}
