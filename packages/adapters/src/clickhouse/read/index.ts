export { alertReader, type AlertPlace, type AlertSelection } from './alerts.ts'
export { eventReader } from './events.ts'
export { incidentReader, type IncidentSelection } from './incidents.ts'
export { identityReader, type Described, type IdentityReaderOptions } from './identities.ts'
