/** What a client throws if a request has failed. */

/**
 * The service answered with a problem, or did not answer.
 *
 * `code` is that of the service, such as `SEQUENCE_UNEXPECTED`. The client itself has two more: `UNREACHABLE` if there
 * was no answer, and `ANSWER_UNKNOWN` if the answer is none of a service of Mneme.
 */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  readonly code: string
  /** The HTTP status; 0 if there was no answer. */
  readonly status: number
  /** Whether the same request may succeed later. */
  readonly retryable: boolean
  /** What the service said, for instance the `issues` of a command's data. */
  readonly problem: Readonly<Record<string, unknown>>
  /** The id of the command, if it was one. Repeat the command with it: it has one effect. */
  readonly commandId: string | undefined

  constructor(problem: Readonly<Record<string, unknown>>, commandId?: string, cause?: unknown) {
    const { code, status, retryable, detail, title } = problem
    super(`${detail ?? title ?? 'The request failed'} [${code}]`, cause === undefined ? undefined : { cause })
    this.code = String(code)
    this.status = Number(status)
    this.retryable = retryable === true
    this.problem = problem
    this.commandId = commandId
  }
}
