/** What adapters use to turn other formats into events. */
export { type Destinations, findDestinations } from './destination.ts'
export * from './plain.ts'
export { notJson } from './syntax.ts'
