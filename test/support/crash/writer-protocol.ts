/** What the bank's writer is told, and what it says, as lines of JSON. */
import type { Account } from '../../../examples/bank/account.ts'
import type { CommandOf } from '../../../src/index.ts'

/** A command to the bank; it always has an id. */
export type BankCommand = CommandOf<{ readonly account: typeof Account }> & { readonly commandId: string }

/** A place in the files of this machine. The sizes are small, so that what happens once a day happens every second. */
export type FilePlace =
  | { readonly store: 'sqlite'; readonly path: string }
  | {
      readonly store: 'file'
      readonly path: string
      readonly segmentBytesMax: number
      readonly compactBytesMin: number
      readonly mayLoseOnPowerFailure: boolean
    }

/** A place on a server. */
export type ServerPlace = {
  readonly url: string
  /** How long the store waits for the server; its default if it is left out. */
  readonly timeoutMs?: number
} & (
  | { readonly store: 'postgres'; readonly schema: string }
  | { readonly store: 'mongodb'; readonly database: string }
  | { readonly store: 'nats'; readonly prefix: string; readonly replicas?: 1 | 3 }
)

/** Where the writer keeps the bank. */
export type Place = FilePlace | ServerPlace

/** Where the writer is to end itself by `kill -9`: at one of the calls to the disk that follow a moment. */
export interface LethalCall {
  readonly after: 'opening' | 'stopping'
  /** Which calls are counted. The durable writes are those of the log. */
  readonly of: 'all calls' | 'durable writes'
  /** 1 for the first call. */
  readonly call: number
  /** How much of it is done before the end: of a write this share of its bytes, of anything else all from a half on. */
  readonly done: number
}

/** What the writer is told: once to begin, then to stop. */
export type ToWriter =
  | {
      readonly tell: 'begin'
      readonly place: Place
      /** The prefix of the ids of its commands, and the seed of what they are. */
      readonly name: string
      readonly seed: number
      readonly callers: number
      readonly accounts: readonly string[]
      /** Commands of earlier writers that nobody has had an answer to. */
      readonly repeat: readonly BankCommand[]
      readonly lethalCall: LethalCall | undefined
    }
  | { readonly tell: 'stop' }

/** Where a command's event is, and what the balance was after it. */
export interface Told {
  readonly sequence: number
  readonly position: number
  readonly balance: number
}

/** What the writer says. A command is announced before it is sent; whatever comes after is the answer that it got. */
export type FromWriter =
  | { readonly say: 'ready' }
  | { readonly say: 'opening' }
  | { readonly say: 'stopping' }
  | { readonly say: 'announced'; readonly command: BankCommand }
  | ({ readonly say: 'acknowledged'; readonly commandId: string } & Told)
  | { readonly say: 'rejected'; readonly commandId: string }
  /** The command got an error that leaves its outcome open, or says that nothing was decided. */
  | { readonly say: 'unanswered'; readonly commandId: string; readonly code: string }
  /** The command got an error after which it is worth trying again, and is sent again. */
  | { readonly say: 'retried'; readonly commandId: string; readonly code: string }
  /** A file of a file store is durable up to this byte. */
  | { readonly say: 'durable'; readonly file: string; readonly length: number }
  | { readonly say: 'warned'; readonly message: string }
