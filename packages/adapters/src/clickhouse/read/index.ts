export { alertReader, type AlertPlace, type AlertSelection } from './alerts.ts'
export { eventReader } from './events.ts'
export { identityReader, type Described, type IdentityReaderOptions } from './identities.ts'
