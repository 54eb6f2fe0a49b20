/** The Model Context Protocol: a log and its domain as tools for assistants. */
export { serveMcp } from './serve-mcp.ts'
