/** Commands: `POST /aggregates/account/ada/deposit` with the data as the body. */
import { HttpError, hasCode, OutcomeUnknownError } from '../domain/error.ts'
import type { RecordedEvent } from '../domain/event.ts'
import type { Accepted, Outcome } from '../domain/outcome.ts'
import type { AnyRejection } from '../domain/rejection.ts'
import { malformed, readJson } from './body.ts'
import { shownEvent } from './events.ts'
import { answer, checkRead, deadline, type Exchange, hooked, parametersOf, written } from './exchange.ts'
import { problemResponse, rejectionProblem } from './problem.ts'
import { commandIdOf, etagOf, expectedSequenceOf, positionHeader, traceOf } from './request-headers.ts'
import { aggregateOf } from './routes.ts'

/**
 * Sends a command. It is checked completely, then its sender, and only then is it decided.
 *
 * @throws HttpError, InputError, and what `dispatch` throws
 */
export async function sendCommand(exchange: Exchange): Promise<Response> {
  const { service, request, params } = exchange
  const { bank, settings } = service
  const key = params['aggregate']!
  const { name: aggregate } = aggregateOf(service, key)
  parametersOf(request, [])
  const id = params['id']!
  const commandId = commandIdOf(request.headers)
  const expectedSequence = expectedSequenceOf(request.headers)
  const wantsState = !prefersMinimal(request.headers)
  const data = await readJson(request, settings)
  const name = params['command']!
  const command = bank.parseCommand({ aggregate, id, name, data, commandId, expectedSequence })
  const asked = { user: exchange.user, request, command }
  const { maySend } = settings
  const isAllowed = maySend === undefined || (await hooked('maySend', () => maySend(asked))) === true
  if (!isAllowed) throw new HttpError('REQUEST_FORBIDDEN', { what: 'send this command' })
  if (wantsState) await checkRead(exchange, { kind: 'state', aggregate: key, id })
  const given = await hooked('metadata', () => settings.metadata?.(asked))
  const isRecord = given === undefined || (typeof given === 'object' && given !== null)
  const metadata = isRecord ? { ...traceOf(request.headers), ...given } : given
  const outcome = await decided(exchange, { ...command, metadata })
  if (!outcome.accepted) return rejected(exchange, outcome.rejection as AnyRejection)
  return accepted(exchange, outcome, wantsState)
}

/**
 * The answer to a command that was accepted.
 *
 * @throws OutcomeUnknownError `OUTCOME_UNKNOWN` if it was stored, and the answer cannot be written: its sender can get
 *   the answer with its id
 */
function accepted(exchange: Exchange, outcome: Accepted<unknown, RecordedEvent>, wantsState: boolean): Response {
  const { state, sequence, position, events } = outcome
  try {
    const shown = events.map((event) => shownEvent(exchange.service, event))
    const body = wantsState ? { state, sequence, position, events: shown } : { sequence, position }
    return answer(exchange, body, { ETag: etagOf(sequence), [positionHeader]: String(position) })
  } catch (error) {
    const [first] = events
    if (first === undefined) throw error
    exchange.service.report(error)
    const { stream, commitId: commandId } = first
    throw new OutcomeUnknownError('OUTCOME_UNKNOWN', { stream, commandId }, error)
  }
}

/** The outcome, within the limit of time. A command that was not decided by then never is. */
async function decided(exchange: Exchange, command: object): Promise<Outcome> {
  const { signal, end } = deadline(exchange)
  try {
    return await exchange.service.bank.try.dispatch({ ...command, signal })
  } catch (error) {
    if (hasCode(error, 'ABORTED') && hasCode(signal.reason, 'REQUEST_TIMED_OUT')) throw signal.reason
    // Everything from the client was checked before.
    const isOfMetadata = hasCode(error, 'DATA_NOT_JSON') || hasCode(error, 'COMMAND_MALFORMED')
    if (!isOfMetadata) throw error
    throw new Error('The option metadata of http(...) has returned what cannot be stored', { cause: error })
  } finally {
    end()
  }
}

function rejected(exchange: Exchange, { code, details }: AnyRejection): Response {
  const shown = details === undefined ? undefined : written(exchange, details)
  const status = exchange.service.settings.conflicts?.includes(code) === true ? 409 : 422
  return problemResponse(rejectionProblem(code, shown, status))
}

/** `Prefer: return=minimal` (RFC 7240): for senders who may not read. */
function prefersMinimal(headers: Headers): boolean {
  const wanted = /(?:^|[,;\s])return\s*=\s*"?([\w-]+)/i.exec(headers.get('prefer') ?? '')?.[1]?.toLowerCase()
  if (wanted === undefined || wanted === 'representation') return false
  return wanted === 'minimal' || malformed('Prefer: return is neither minimal nor representation')
}
