/**
 * How ids and keys are written in paths. Every text is an id, but a URL cannot have the segments `.` and `..`: they are
 * resolved before a request is sent. So these get a `~` before them, and so does an id that begins with one.
 */

/** The segment of an id. @throws URIError for a lone surrogate, which is in no id */
export const segmentOf = (id: string): string => encodeURIComponent(/^(~|\.\.?$)/.test(id) ? `~${id}` : id)

/** The id in a decoded segment. */
export const idIn = (segment: string): string => (segment.startsWith('~') ? segment.slice(1) : segment)
