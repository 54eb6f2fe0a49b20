/** How the type of a problem says whether it is a rejection or an error. The client reads it too. */

/** The beginning of the types of problems that are rejections. A domain chooses their codes. */
export const rejectionPrefix = 'urn:mneme:rejection:'
export const errorPrefix = 'urn:mneme:error:'
