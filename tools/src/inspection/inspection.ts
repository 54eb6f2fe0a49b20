/**
 * An opened store, with the domain whose events it has if that is known. All that only looks needs nothing else: the
 * store is opened once, and the domain's code is asked for states. Nothing is written by opening it, except what the
 * store itself needs (`migrate: false` prevents that where a store has it). Projections and reactions do not run.
 */
import type {
  Accepted,
  AnyAggregate,
  Beginning,
  Json,
  Logger,
  Projections,
  Reactions,
  RecordedEvent,
  Rejected,
  Running,
  StartOptions,
  Store,
  StoredEvent,
  StoreFactory,
  StreamId,
} from '../../../src/index.ts'
import { domain as describe } from '../../../src/index.ts'
import { ToolsError } from '../errors.ts'
import { changedStore } from './changed-store.ts'

/** A domain of any shape: what `domain(...)` returns. */
export interface AnyDomain {
  readonly aggregates: Readonly<Record<string, AnyAggregate>>
  readonly projections: Readonly<Record<string, { readonly name: string }>>
  readonly reactions: Readonly<Record<string, { readonly name: string; readonly beginning: Beginning }>>
  start(options?: StartOptions): Promise<AsyncDisposable>
  upcast(stored: StoredEvent): RecordedEvent
}

/** What to look at. */
export interface Target {
  /** Without it, only stored events can be seen. */
  readonly domain?: AnyDomain
  /** The store of the events and projections. */
  readonly store: StoreFactory
  /** The store of the keys of personal fields, if it is not `store`. */
  readonly keys?: StoreFactory
  /** Where warnings go. The console by default. */
  readonly log?: Logger
  /** Where the domain comes from: the module that exports it, and all that were loaded with it, as paths. */
  readonly code?: { readonly module: string; readonly modules: readonly string[] }
  /** Starts what runs beside the domain: `serve` of a configuration. Only `mneme dev` calls it. */
  readonly serve?: (running: AsyncDisposable) => unknown
}

/** A command as data. */
export interface CommandData {
  readonly aggregate: string
  readonly id: string
  readonly name: string
  readonly data?: unknown
  readonly commandId?: string
  readonly expectedSequence?: number
  readonly metadata?: Readonly<Record<string, Json>>
}

/** The parts of a running domain that do not depend on its types. */
export interface RunningDomain {
  /** What the domain's `start` returned. */
  readonly started: AsyncDisposable
  dispatch(command: CommandData): Promise<Accepted<unknown, RecordedEvent> | Rejected<unknown>>
  /** The instance of an aggregate, by the aggregate's stored name. */
  read(stream: StreamId, at?: { readonly sequence?: number; readonly time?: Date }): Promise<StateReading>
  /** The events of an instance, in order, with their personal values. */
  history(stream: StreamId): AsyncIterable<RecordedEvent>
  readonly projections: Projections<string>
  readonly reactions: Reactions<string>
  /** What reads the rows, the state or the tables of a projection, by the projection's key in the domain. */
  readModel(key: string): unknown
}

/** A state, and where it is: the sequence and position of its last event, or 0. */
export interface StateReading {
  readonly state: unknown
  readonly sequence: number
  readonly position: number
}

export interface Inspection extends AsyncDisposable {
  /** The open store. It is closed with the inspection, and by nothing else. */
  readonly store: Store
  readonly domain: AnyDomain | undefined
  readonly target: Target
  /**
   * The stream of an aggregate, which is given by its key in the domain or by its stored name.
   *
   * @throws ToolsError `AGGREGATE_UNKNOWN` if there is a domain that does not have it
   */
  stream(aggregate: string, id: string): StreamId
  /**
   * The aggregates of the domain, running: for states and commands. Projections and reactions are left out, so that
   * nothing is stored for them. It starts at the first call.
   *
   * @throws ToolsError `DOMAIN_NEEDED`
   */
  aggregates(): Promise<RunningDomain>
  /**
   * The same with projections, which only run if they are started.
   *
   * @throws ToolsError `DOMAIN_NEEDED`
   */
  projections(): Promise<RunningDomain>
  /**
   * The whole domain, running, but projections and reactions only if they are started. It stores where reactions begin
   * that have never run.
   *
   * @throws ToolsError `DOMAIN_NEEDED`
   */
  everything(): Promise<RunningDomain>
  /**
   * One reaction, which only runs if it is started, by its key in the domain. `reactions` is absent if asking it would
   * store where it begins, because it has never run and does not begin at the first event.
   *
   * @param mayBegin whether that may be stored: then `reactions` is there
   * @throws ToolsError `DOMAIN_NEEDED`
   */
  reaction(key: string, mayBegin?: boolean): Promise<ReactionReading>
  close(): Promise<void>
}

/** A reaction, as far as it can be asked without storing anything. */
export interface ReactionReading {
  /** Whether a program has run it, paused it or started its domain. */
  readonly hasBegun: boolean
  readonly reactions?: Reactions<string>
}

export interface InspectionOptions {
  /** Whether the domain runs as in a program of the user: all of it, with its projections and reactions. */
  readonly isRunning?: boolean
}

/**
 * Opens a store, and looks at it through the domain if there is one.
 *
 * @throws StoreError
 */
export async function openInspection(
  target: Target,
  { isRunning = false }: InspectionOptions = {},
): Promise<Inspection> {
  const { domain, log = console } = target
  const warn = ({ code, message }: { readonly code: string; readonly message: string }) =>
    void log.warn(`${message} [${code}]`)
  const store = await target.store.open({ warn, now: Date.now })
  const started = new Map<string, Promise<{ readonly running: RunningDomain; stop(): Promise<void> }>>()
  const projections = isRunning ? 'automatic' : 'manual'
  const shared = { store: lent(store), projections, log, ...(target.keys && { keys: target.keys }) } as const
  const start = (which: string, described: AnyDomain) => {
    const begun = started.get(which) ?? running(described, shared)
    started.set(which, begun)
    return begun.then((domain) => domain.running)
  }
  const everything = async () => start('everything', domainOf({ domain }))
  let closed: Promise<void> | undefined
  const closeAll = async () => {
    try {
      for (const begun of started.values()) await (await begun.catch(() => undefined))?.stop()
    } finally {
      await store.close()
    }
  }
  const close = () => {
    closed ??= closeAll()
    return closed
  }
  return Object.freeze({
    store,
    domain,
    target,
    stream: (aggregate: string, id: string) => ({ aggregate: nameOf(domain, aggregate), id }),
    aggregates: async () => {
      if (isRunning) return everything()
      const { aggregates } = domainOf({ domain })
      return start('aggregates', describe({ aggregates }))
    },
    projections: async () => {
      if (isRunning) return everything()
      const { aggregates, projections } = domainOf({ domain })
      return start('projections', describe({ aggregates, projections: projections as {} }))
    },
    everything,
    reaction: async (key: string, mayBegin = false) => {
      const described = domainOf({ domain })
      const { [key]: named } = described.reactions
      const { position, term } = await store.loadCheckpoint(`reaction ${named!.name}`)
      const hasBegun = term > 0 || position > 0
      if (isRunning) return { hasBegun, reactions: (await everything()).reactions }
      if (!hasBegun && !mayBegin && isStored(named!.beginning)) return { hasBegun }
      const { aggregates } = described
      const alone = describe({ aggregates, reactions: { [key]: named } as {} })
      return { hasBegun, reactions: (await start(`reaction ${key}`, alone)).reactions }
    },
    close,
    [Symbol.asyncDispose]: close,
  })
}

/** Whether the start of a domain stores where a reaction begins: it depends on the log at that time. */
const isStored = (beginning: Beginning) => beginning !== 'first' && !(beginning instanceof Date)

/** The domain behind the store. @throws ToolsError `DOMAIN_NEEDED` */
export function domainOf({ domain }: Pick<Inspection, 'domain'>): AnyDomain {
  if (domain !== undefined) return domain
  throw new ToolsError('DOMAIN_NEEDED', 'This needs the code of the domain, and none is given', {
    advice: 'Give --domain MODULE, or write a mneme.config.ts that names the domain',
  })
}

/** The stored name of an aggregate. */
function nameOf(domain: AnyDomain | undefined, aggregate: string): string {
  if (domain === undefined) return aggregate
  const own = Object.hasOwn(domain.aggregates, aggregate) ? domain.aggregates[aggregate] : undefined
  const known = own ?? Object.values(domain.aggregates).find(({ name }) => name === aggregate)
  if (known !== undefined) return known.name
  throw new ToolsError('AGGREGATE_UNKNOWN', `The domain has no aggregate ${JSON.stringify(aggregate)}`, {
    advice: `It has ${Object.keys(domain.aggregates).join(', ')}`,
  })
}

/** A store that is open already, for somebody who would open and close one. */
const lent = (store: Store): StoreFactory => {
  const own = changedStore(store, { close: async () => {} })
  return { name: store.name, open: async () => own }
}

/** Starts a domain of any shape. */
export async function running(
  domain: AnyDomain,
  options: StartOptions,
): Promise<{ readonly running: RunningDomain; stop(): Promise<void> }> {
  const started = (await domain.start(options)) as Running<Record<string, AnyAggregate>, {}, {}>
  const keys = new Map(Object.entries(domain.aggregates).map(([key, { name }]) => [name, key]))
  const parts = started as unknown as Pick<RunningDomain, 'projections' | 'reactions'> & {
    readonly try: Pick<RunningDomain, 'dispatch'>
  }
  return {
    running: {
      started,
      dispatch: (command) => parts.try.dispatch(command),
      read: ({ aggregate, id }, at) => started[keys.get(aggregate)!]!(id).read(at),
      history: ({ aggregate, id }) => started[keys.get(aggregate)!]!(id).history(),
      projections: parts.projections,
      reactions: parts.reactions,
      readModel: (key) => started[key as keyof typeof started],
    },
    stop: () => started.stop(),
  }
}
