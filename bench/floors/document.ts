/** The documents that a bare projection keeps: what `examples/bank/balances.ts` says, written by hand. */

/** A row of the balances. */
export interface Document {
  owner: string
  balance: number
  lastMovement?: string
}

export const emptyDocument: Readonly<Document> = Object.freeze({ owner: '', balance: 0 })

/** What a bare projection has of an event; the data as text. */
export interface BareEvent {
  readonly type: string
  readonly data: string
  readonly recordedAt: number
}

/** Changes a document by an event of its account. */
export function evolveDocument(document: Document, { type, data, recordedAt }: BareEvent): void {
  const { owner, amount } = JSON.parse(data) as { readonly owner?: string; readonly amount?: number }
  if (type === 'AccountOpened') {
    document.owner = owner!
    return
  }
  document.balance += amount!
  document.lastMovement = new Date(recordedAt).toISOString()
}
