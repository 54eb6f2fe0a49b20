/**
 * How large a page of events or rows may become. They are read a few at once, and a page ends behind the one with which
 * it is large enough. So it costs little memory however large they are, and is never too long for a text.
 */

/** How many events are read at once. */
export const piece = 50

/** A page is full when it has so many characters of JSON. It has at least one event or row. */
export const pageCharactersMax = 8_000_000

/** How many events a live stream reads at once. They are in memory until its client has taken them. */
export const livePageSize = 20
