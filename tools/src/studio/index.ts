/** The studio, as the command line starts it. */
export { type Studio, type StudioOptions, startStudio } from './studio.ts'
