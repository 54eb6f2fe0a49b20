/** Asks the server of the studio. */
import type {
  CatalogueView,
  ChangeView,
  ClusterInfo,
  CommandsView,
  DevelopmentView,
  ErrorView,
  EventsView,
  EventView,
  FollowerView,
  Info,
  ManageQuestion,
  OutcomeView,
  ParkedView,
  ReasonsView,
  RebuildView,
  RowEndView,
  RowsView,
  SentCommand,
  StepsView,
  TestQuestion,
  TestView,
  TimersView,
  TraceView,
  WaitingView,
  WorldQuestion,
  WorldView,
} from '../src/studio/views.ts'
import { listen } from './live.ts'
import { asked } from './token.ts'

export interface Stream {
  readonly aggregate: string
  readonly id: string
}

/** A row of a projection. */
export interface RowName {
  readonly projection: string
  readonly key: string
}

/** Which events of the log are shown. */
export interface Filters {
  readonly types: readonly string[]
  readonly aggregates: readonly string[]
  readonly tags: readonly string[]
}

type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>

function address(path: string, query: Query): string {
  const all = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue
    for (const each of Array.isArray(value) ? value : [value]) all.append(name, String(each))
  }
  return `${path}?${all}`
}

/** @throws Error with what the server says */
async function ask<Answer>(path: string, query: Query = {}, signal?: AbortSignal): Promise<Answer> {
  return answerOf(await asked(address(path, query), signal ? { signal } : {}))
}

/** Asks with a body. @throws Error with what the server says */
async function post<Answer>(path: string, body: object, signal?: AbortSignal): Promise<Answer> {
  const headers = { 'content-type': 'application/json' }
  const options = { method: 'POST', headers, body: JSON.stringify(body), ...(signal && { signal }) }
  return answerOf(await asked(path, options))
}

async function answerOf<Answer>(response: Response): Promise<Answer> {
  const answer: unknown = await response.json()
  if (response.ok) return answer as Answer
  throw new Error((answer as ErrorView).error.message)
}

const filtering = ({ types, aggregates, tags }: Filters): Query => ({ type: types, aggregate: aggregates, tag: tags })

export const api = {
  info: (): Promise<Info> => ask('/api/info'),
  /** Newest first, before a position. */
  events: (filters: Filters, to?: number, signal?: AbortSignal): Promise<EventsView> =>
    ask('/api/events', { ...filtering(filters), to, limit: 100 }, signal),
  /** An event, not cut as in a list. */
  event: (position: number, signal?: AbortSignal): Promise<EventView> => ask('/api/event', { position }, signal),
  end: ({ aggregate, id }: Stream, signal?: AbortSignal): Promise<{ readonly end: number }> =>
    ask('/api/end', { aggregate, id }, signal),
  steps: ({ aggregate, id }: Stream, from: number, count: number, signal?: AbortSignal): Promise<StepsView> =>
    ask('/api/steps', { aggregate, id, from, count }, signal),
  /** What has made the value at a path what it is at a sequence. */
  reasons: (
    { aggregate, id }: Stream,
    path: ChangeView['path'],
    sequence: number,
    signal?: AbortSignal,
  ): Promise<ReasonsView> => ask('/api/reasons', { aggregate, id, path: JSON.stringify(path), sequence }, signal),
  rows: (projection: string, key: string, after?: string): Promise<RowsView> =>
    ask('/api/rows', { projection, key, after }),
  row: {
    steps: (row: RowName, from: number, count: number, signal?: AbortSignal): Promise<StepsView> =>
      ask('/api/row/steps', { ...row, from, count }, signal),
    end: (row: RowName, signal?: AbortSignal): Promise<RowEndView> => ask('/api/row/end', { ...row }, signal),
    reasons: (row: RowName, path: ChangeView['path'], sequence: number, signal?: AbortSignal): Promise<ReasonsView> =>
      ask('/api/row/reasons', { ...row, path: JSON.stringify(path), sequence }, signal),
  },
  waiting: (reaction: string, after?: string): Promise<WaitingView> =>
    ask('/api/reactions/waiting', { reaction, after }),
  timers: (reaction: string, after?: string): Promise<TimersView> => ask('/api/reactions/timers', { reaction, after }),
  cluster: (): Promise<{ readonly cluster: ClusterInfo | null }> => ask('/api/cluster'),
  /** @param near only what is near this position is looked at */
  trace: (id: string, near?: number, signal?: AbortSignal): Promise<{ readonly trace: TraceView | null }> =>
    ask('/api/trace', { id, near }, signal),
  catalogue: (): Promise<{ readonly catalogue?: CatalogueView }> => ask('/api/catalogue'),
  development: (): Promise<{ readonly development: DevelopmentView | null }> => ask('/api/development'),
  commands: (aggregate: string): Promise<CommandsView> => ask('/api/commands', { aggregate }),
  world: (question: WorldQuestion, signal?: AbortSignal): Promise<WorldView> => post('/api/world', question, signal),
  test: (question: TestQuestion, signal?: AbortSignal): Promise<TestView> => post('/api/test', question, signal),
  /** Really sends a command. */
  send: (command: SentCommand): Promise<OutcomeView> => post('/api/send', command),
  manage: (question: ManageQuestion): Promise<object> => post('/api/manage', question),
  rebuilds: (): Promise<{ readonly rebuilds: readonly RebuildView[] }> => ask('/api/rebuilds'),
  parked: (): Promise<{ readonly parked: readonly ParkedView[] }> => ask('/api/parked'),
  followers: (): Promise<{ readonly followers: readonly FollowerView[] }> => ask('/api/followers'),
  /** Calls back for each new event from a position on. @returns a function that ends that */
  live(
    filters: Filters,
    from: number,
    onEvent: (event: EventView) => void,
    onState: (isOpen: boolean) => void,
  ): () => void {
    const onData = (data: string) => onEvent(JSON.parse(data) as EventView)
    return listen(address('/api/live', { ...filtering(filters), from }), onData, onState)
  },
}
