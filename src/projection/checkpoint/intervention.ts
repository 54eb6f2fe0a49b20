/**
 * Interventions: changes of what is stored beside a checkpoint, from any process, whoever leads. The rows and a new
 * term are saved in one compare-and-set, so a leader elsewhere can save nothing that it computed before. It takes over
 * again, and goes on with what it finds. In the leading process, the rows are saved as those of a step are.
 */
import type { Row } from '../../store/store.ts'
import type { Checkpoint } from './checkpoint.ts'

/** What an intervention changes, by what is stored now. Without rows, nothing is changed. */
export interface Intervention<Result> {
  readonly rows?: readonly Row[]
  readonly result: Result
}

/** What it needs of a bookmark, of which nothing else uses anything meanwhile. */
export interface Intervening {
  /** Whether this process leads, and knows all that is stored. */
  leads(): Promise<boolean>
  /** Saves rows as the leader. Returns false if this runner was overtaken. */
  keep(rows: readonly Row[], when: 'durably'): Promise<boolean>
  /** Changes the checkpoint while nothing else does, and then what is known of rows that changed with it. */
  change(rows: readonly Row[], change: () => Promise<boolean>): Promise<boolean>
}

/**
 * @param find goes to the stored checkpoint
 * @param work is asked again if what is stored has changed meanwhile. It gets the name under which rows are stored
 */
export async function intervene<Result>(
  bookmark: Intervening,
  checkpoint: Checkpoint,
  find: () => Promise<unknown>,
  work: (storage: string) => Promise<Intervention<Result>>,
): Promise<Result> {
  for (;;) {
    const leads = await bookmark.leads()
    if (!leads) await find()
    const { rows, result } = await work(checkpoint.name)
    // A leader has no term to raise against itself. Before the first term, nobody has anything to lose.
    const isNothing = rows === undefined || (rows.length === 0 && (leads || checkpoint.term === 0))
    if (isNothing || (leads ? await bookmark.keep(rows, 'durably') : await checkpoint.raise(rows))) return result
  }
}
