/** Writes the text of a test. */
import { isDeepStrictEqual } from 'node:util'
import type { Json } from '../../../../src/index.ts'
import { type AnyDomain, shown } from '../../inspection/index.ts'
import type { TestQuestion, TestView } from '../views.ts'
import { type Decided, decided, type History, stateAfter, type TestCommand, type TestEvent } from './decided.ts'
import { literal, type Needs, property, restored, text } from './literal.ts'
import type { Names } from './names.ts'

export interface TestParts {
  readonly history: History
  /** Without it, only the state after the history is tested. */
  readonly command: TestCommand | undefined
  /** Absent if nobody knows which modules the domain comes from. */
  readonly names: Names | undefined
  readonly domain: { readonly definition: AnyDomain; readonly key: string }
  readonly expectation: TestQuestion['expectation']
  /** The state that should be, if it is another one. */
  readonly state: Json | undefined
  readonly title: string
  readonly areStandInsUsed: boolean
  /** The name of the file beside which the test belongs. */
  readonly beside: string | undefined
}

/** @throws what the code of the domain throws */
export function textOf(parts: TestParts): Pick<TestView, 'text' | 'state'> {
  const { history, command, names, expectation, title } = parts
  const needs: Needs = { personal: false }
  const { events, ending, isTimeless, left } = outcomeOf(parts, needs)
  const given = givenOf({ ...history, isTimeless }, command, names, needs)
  const subject = subjectOf(parts)
  const when = command === undefined ? '' : `.when${property(command.name)}(${dataOf(command.data, needs)})`
  const then = [...(when === '' ? [] : [when]), ...events, ...ending].map((line) => line.replaceAll('\n', '\n    '))
  const about = `${title}${command === undefined ? '' : `: ${command.name}`}`
  const body =
    expectation === 'different'
      ? [
          `  const history = ${[`spec(${subject})`, ...given].join('\n    ')}`,
          '  // This is what happens now, and it is wrong. When you know what is right, expect that instead.',
          '  assert.throws(',
          `    () =>\n      history\n        ${then.map((line) => line.replaceAll('\n', '\n    ')).join('\n        ')},`,
          '    { code: /ERR_ASSERTION|COMMAND_INVALID/ },',
          '  )',
        ]
      : [`  ${[`spec(${subject})`, ...given, ...then].join('\n    ')}`]
  const imports = [
    ...(expectation === 'different' ? ["import assert from 'node:assert/strict'"] : []),
    "import { test } from 'node:test'",
    ...(needs.personal ? ["import { Personal } from 'mneme'"] : []),
    "import { spec } from 'mneme/testing'",
    ...(names?.imports() ?? []),
  ]
  const name = expectation === 'different' ? `${about} must do something else` : about
  const lines = [...headOf(parts), ...imports, '', `test(${text(name)}, () => {`, ...body, '})', '']
  return { text: lines.join('\n'), ...(left !== undefined && { state: shown(left) }) }
}

function headOf({ title, beside, areStandInsUsed }: TestParts): readonly string[] {
  const place =
    beside === undefined ? 'Import the aggregate and its events here.' : `This file belongs beside ${beside}.`
  const standIns = areStandInsUsed ? [' * Personal values are replaced by others.'] : []
  return ['/**', ` * ${title.replaceAll('*/', '* /')}, copied from the studio. ${place}`, ...standIns, ' */']
}

function subjectOf({ history: { aggregate }, names, domain: { definition, key } }: TestParts): string {
  return names?.aggregate(aggregate) ?? names?.throughDomain(definition, key) ?? `domain.aggregates${property(key)}`
}

/** No argument if the command takes nothing. */
function dataOf(data: unknown, needs: Needs): string {
  const written = literal(data, needs, { isPlain: true })
  return written === '{}' ? '' : written
}

/** The lines that give events, with their times if these matter. */
function givenOf(
  { aggregate, given, isTimeless }: History,
  command: TestCommand | undefined,
  names: Names | undefined,
  needs: Needs,
): readonly string[] {
  const lines: string[] = []
  let group: string[] = []
  let atMs = 0
  const flush = () => {
    if (group.length === 1 && !group[0]!.includes('\n')) lines.push(`.given(${group[0]})`)
    else if (group.length > 0) lines.push(`.given(\n${group.map((each) => `      ${each},\n`).join('')}    )`)
    group = []
  }
  const move = (toMs: number) => {
    if (isTimeless || toMs === atMs) return
    flush()
    atMs = toMs
    lines.push(`.at(${text(new Date(toMs).toISOString())})`)
  }
  for (const event of given) {
    move(event.atMs)
    group.push(eventText(aggregate, event, names, needs).replaceAll('\n', '\n      '))
  }
  if (command !== undefined) move(command.atMs)
  flush()
  return lines
}

function eventText(
  aggregate: History['aggregate'],
  { type, data }: Pick<TestEvent, 'type' | 'data'>,
  names: Names | undefined,
  needs: Needs,
): string {
  const written = literal(data, needs)
  return names?.event(aggregate, type, written) ?? `{ type: ${text(type)}, data: ${written} } as never`
}

interface Ending {
  readonly events: readonly string[]
  readonly ending: readonly string[]
  readonly isTimeless: boolean
  /** The state. */
  readonly left?: unknown
}

/** What is expected. Times are left out if they change nothing. */
function outcomeOf({ history, command, names, state }: TestParts, needs: Needs): Ending {
  const leaves = (real: unknown): readonly string[] => {
    const wanted = state === undefined ? real : restored(state, real)
    return [`.leaves(${literal(wanted, needs)})`]
  }
  if (command === undefined) {
    const [without, withTimes] = [true, false].map((isTimeless) => stateAfter({ ...history, isTimeless }))
    const isTimeless = isDeepStrictEqual(without, withTimes)
    return { events: [], ending: leaves(withTimes), isTimeless, left: withTimes }
  }
  const [without, withTimes] = [true, false].map((isTimeless) => decided({ ...history, isTimeless }, command)) as [
    Decided,
    Decided,
  ]
  const isTimeless = isDeepStrictEqual(without, withTimes)
  if ('rejection' in withTimes) {
    const { code, details } = withTimes.rejection
    const args = [text(code), ...(details === undefined ? [] : [literal(details, needs)])]
    return { events: [], ending: [`.rejects(${args.join(', ')})`], isTimeless }
  }
  const { events } = withTimes
  const written = events.map((event) => eventText(history.aggregate, event, names, needs))
  const emits =
    written.length === 0
      ? '.emitsNothing()'
      : written.length === 1
        ? `.emits(${written[0]})`
        : `.emits(\n${written.map((each) => `  ${each.replaceAll('\n', '\n  ')},\n`).join('')})`
  return { events: [emits], ending: leaves(withTimes.state), isTimeless, left: withTimes.state }
}
