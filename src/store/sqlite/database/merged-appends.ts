/**
 * Appends of several callers as one request. The callers of a group often append one commit each. A request, and its
 * answer, cost as much to send to another thread as three commits.
 */
import { endOfResults, type Flat, itemsPerCommit, itemsPerEvent, type Reply, type Request } from './protocol.ts'

type Append = Extract<Request, { readonly call: 'append' }>

/** The same requests, with those merged that follow each other and append for the same writer. */
export function merged(requests: readonly Request[]): readonly Request[] {
  const all: Request[] = []
  for (let from = 0; from < requests.length; ) {
    const first = requests[from]!
    let to = from + 1
    if (first.call === 'append') while (to < requests.length && isLike(first, requests[to]!)) to++
    all.push(to === from + 1 ? first : together(requests.slice(from, to) as Append[]))
    from = to
  }
  return all
}

/** The requests that were merged. */
export function separate(request: Request): readonly Request[] {
  if (request.call !== 'append' || request.callers.length === 1) return [request]
  const { commits } = request
  let from = 0
  return request.callers.map((count) => {
    const to = endOfCommits(commits, from, count)
    const own = { ...request, commits: commits.slice(from, to), callers: [count] }
    from = to
    return own
  })
}

/**
 * A reply for each of the requests that were merged.
 *
 * @param replies one for each merged request, or already one for each of its parts
 */
export function repliesToEach(sent: readonly Request[], replies: readonly Reply[], count: number): readonly Reply[] {
  if (replies.length === count) return replies
  return sent.flatMap((request, i) => {
    const reply = replies[i]!
    if (request.call !== 'append') return [reply]
    const { callers } = request
    return 'answer' in reply ? answersOf(reply.answer as Flat, callers) : callers.map(() => reply)
  })
}

const isLike = (first: Append, next: Request): next is Append => next.call === 'append' && next.writer === first.writer

function together(requests: readonly Append[]): Append {
  const commits: (string | number | null)[] = []
  const callers: number[] = []
  for (const request of requests) {
    for (let i = 0; i < request.commits.length; i++) commits.push(request.commits[i]!)
    for (const count of request.callers) callers.push(count)
  }
  return { ...requests.at(-1)!, commits, callers }
}

function answersOf(answer: Flat, callers: readonly number[]): readonly Reply[] {
  let from = 0
  return callers.map((count) => {
    const to = endOfResults(answer, from, count)
    const own = { answer: answer.slice(from, to) }
    from = to
    return own
  })
}

/** The place after a number of commits in a flat list. */
function endOfCommits(commits: Flat, from: number, count: number): number {
  let at = from
  for (let i = 0; i < count; i++) at += itemsPerCommit + (commits[at + 5] as number) * itemsPerEvent
  return at
}
