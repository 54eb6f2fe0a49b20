/** The program of a member that a test runs in a process of its own, and what it is told and says. */
import { inspect } from 'node:util'
import type { DomainCluster } from '../../../src/cluster/cluster.ts'
import { HttpTransport, proofOf } from '../../../src/cluster/http/http-transport.ts'
import { ClusterNode } from '../../../src/cluster/node.ts'
import { type CommandOf, MnemeError } from '../../../src/index.ts'
import { listen, say as sayAnything } from '../../../src/testing/crash/told-program.ts'
import { faultyStore } from '../../../src/testing/faulty-store.ts'
import { storeAt } from '../crash/place.ts'
import type { Place } from '../crash/writer-protocol.ts'
import { CuttableTransport } from './cuttable-transport.ts'
import { type End, Transfers } from './transfers.ts'
import { secret } from './vaults.ts'

/** A command of a caller. It always has an id. */
export type MemberCommand = CommandOf<(typeof Transfers)['aggregates']> & { readonly commandId: string }

/** What a member is told. */
export type ToMember =
  | { readonly tell: 'start'; readonly place: Place }
  | { readonly tell: 'send'; readonly command: MemberCommand }
  /** Takes its links to others, or its store, from it for a while. */
  | { readonly tell: 'cut'; readonly from: 'others' | 'store'; readonly forMs: number }
  /** What it is doing, for a failure that nobody understands otherwise. */
  | { readonly tell: 'describe' }
  | { readonly tell: 'stop' }

/** What a member says. */
export type FromMember =
  | { readonly say: 'started' }
  | {
      readonly say: 'answer'
      readonly commandId: string
      readonly answer: 'yes' | 'no' | 'nothing' | 'error'
      /** The sequence of what was stored, and the amount of the vault that the answer says. */
      readonly sequence?: number
      readonly amount?: number
      /** How the transfer has ended, if it has. */
      readonly end?: End | undefined
      readonly why?: string
      /** Whether the caller may send it again after this error. */
      readonly mayRepeat?: boolean
      /** How long the caller waited, in milliseconds. */
      readonly tookMs: number
    }
  /** What was taken from it is back. */
  | { readonly say: 'whole' }
  | { readonly say: 'described'; readonly as: string }
  | { readonly say: 'stopped' }

/**
 * Of members and of the reaction. On a machine that is busy with other things, a store may answer later than a shorter
 * lease lasts. Owners then change often, and nobody leads for long enough to get on.
 */
const leaseMs = 3000
/** However busy the machine is, no call takes so long. */
const patienceMs = 600_000

const say = (message: FromMember): void => sayAnything(message)

type Answered = Omit<FromMember & { readonly say: 'answer' }, 'say' | 'commandId' | 'tookMs'>

const transport = new CuttableTransport(new HttpTransport({ address: '127.0.0.1:0', advertise: undefined, secret }))
let isStoreCut = false
let member: Awaited<ReturnType<typeof Transfers.start>> | undefined

async function start(place: Place): Promise<void> {
  // The answer of the first call is lost. Later ones do not reach the store.
  let lost = 0
  const store = faultyStore(storeAt(place), () => {
    if (!isStoreCut) lost = 0
    return isStoreCut ? (lost++ === 0 ? 'after' : 'before') : undefined
  })
  const proof = { secretProof: proofOf(secret), leaseMs, routeTimeoutMs: patienceMs }
  const cluster: DomainCluster = { node: (parts) => new ClusterNode({ ...parts, transport, ...proof }) }
  member = await Transfers.start({
    ...{ store, cluster, log: { warn() {} }, limits: { stopTimeoutMs: patienceMs } },
    ...{ leaseMs, pollIntervalMs: 250 },
  })
}

function cut(from: 'others' | 'store', forMs: number): void {
  if (from === 'others') transport.cut(forMs)
  else isStoreCut = true
  setTimeout(() => {
    if (from === 'store') isStoreCut = false
    say({ say: 'whole' })
  }, forMs)
}

async function send(command: MemberCommand): Promise<void> {
  const { commandId } = command
  const sentAt = performance.now()
  const told = (answered: Answered) =>
    say({ say: 'answer', commandId, tookMs: performance.now() - sentAt, ...answered })
  try {
    const outcome = await member!.try.dispatch(command)
    if (outcome.accepted) {
      const { sequence, state, events } = outcome
      const found = 'end' in state ? { end: state.end } : { amount: state.amount }
      told({ answer: events.length > 0 ? 'yes' : 'nothing', sequence, ...found })
    } else told({ answer: 'no', amount: outcome.rejection.details.amount })
  } catch (error) {
    const isKnown = error instanceof MnemeError
    const mayRepeat = isKnown && (error.retryable || error.code === 'OUTCOME_UNKNOWN')
    told({ answer: 'error', mayRepeat, why: isKnown ? `${error.code} ${error.message} ${error.cause}` : String(error) })
  }
}

/** What its reaction does, and how it sees the cluster. */
async function describe(): Promise<string> {
  const [status, waiting] = await Promise.all([
    member!.reactions.status('moveMoney').catch(String),
    member!.reactions.waiting('moveMoney').catch(String),
  ])
  return inspect(
    { status, waiting, cluster: member!.cluster.status() },
    { depth: 8, maxArrayLength: 10, breakLength: Infinity, compact: true },
  )
}

listen((message: ToMember) => {
  if (message.tell === 'send') void send(message.command)
  else if (message.tell === 'cut') cut(message.from, message.forMs)
  else if (message.tell === 'describe') void describe().then((as) => say({ say: 'described', as }))
  else if (message.tell === 'start') void start(message.place).then(() => say({ say: 'started' }))
  else {
    void member!.stop().then(() => {
      say({ say: 'stopped' })
      process.exit(0)
    })
  }
})
