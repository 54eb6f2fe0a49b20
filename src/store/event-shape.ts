/** Whether what a store has read as an event's metadata and tags can be that. */

/**
 * What is wrong with metadata and tags that fit their checksum. Another program may have written both.
 *
 * @returns nothing if an event can have them
 */
export function faultOfShape(metadata: unknown, tags: unknown): string | undefined {
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) return 'its metadata is no object'
  if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string')) return 'its tags are no list of texts'
  return undefined
}
