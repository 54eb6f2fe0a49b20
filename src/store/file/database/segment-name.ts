/** The names of the log's files: each is named after the first position in it. */

const pattern = /^log-(\d{16})\.jsonl$/

export const segmentName = (firstPosition: number): string => `log-${String(firstPosition).padStart(16, '0')}.jsonl`

/** The first position in a segment with this name, or `undefined` if it is not the name of a segment. */
export function firstPositionOf(name: string): number | undefined {
  const digits = pattern.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}
