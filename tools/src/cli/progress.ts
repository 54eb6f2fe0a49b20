/**
 * How far a long work is, how fast, and how long the rest will take: one line that is written again and again. It is
 * only for terminals. On anything else it would be in the way.
 */

/** How far something is, out of how much. */
export interface Progress {
  at(done: number): void
  /** Takes the line away. */
  end(): void
}

export interface ProgressOptions {
  /** As in `reading 1,000 of 5,000 events`. */
  readonly verb: string
  readonly unit: string
  /** 0 if it is unknown. */
  readonly total: number
  /** Where the line is written. */
  readonly stream: Pick<NodeJS.WriteStream, 'write' | 'isTTY'>
  /** The time in milliseconds, of a clock that nobody sets. */
  readonly now?: () => number
}

/** How often the line is written at most, in milliseconds. */
const everyMs = 200
const eraseLine = '\r\u001b[2K'

/** Shows how far a work is, if somebody looks. */
export function showProgress({ verb, unit, total, stream, now = () => performance.now() }: ProgressOptions): Progress {
  if (!stream.isTTY) return { at: () => {}, end: () => {} }
  const startedAt = now()
  let writtenAt = startedAt
  let isShown = false
  return {
    at(done) {
      const at = now()
      if (at - writtenAt < everyMs) return
      writtenAt = at
      isShown = true
      stream.write(`${eraseLine}${progressText({ verb, unit, total, done, tookMs: at - startedAt })}`)
    },
    end() {
      if (isShown) stream.write(eraseLine)
    },
  }
}

/** `reading 1,000 of 5,000 events (20%), 500 a second, 8 s left` */
export function progressText({
  verb,
  unit,
  total,
  done,
  tookMs,
}: Pick<ProgressOptions, 'verb' | 'unit' | 'total'> & { readonly done: number; readonly tookMs: number }): string {
  const perSecond = tookMs > 0 ? (done / tookMs) * 1000 : 0
  const rate = `${counted(Math.round(perSecond))} a second`
  if (total === 0) return `${verb} ${counted(done)} ${unit}, ${rate}`
  const percent = Math.min(100, Math.floor((done / total) * 100))
  const left = perSecond > 0 ? `, ${durationText(Math.max(0, total - done) / perSecond)} left` : ''
  return `${verb} ${counted(done)} of ${counted(total)} ${unit} (${percent}%), ${rate}${left}`
}

const counted = (number: number): string => number.toLocaleString('en')

/** Seconds as people say them. */
function durationText(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
