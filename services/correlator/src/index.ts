export {
  type CorrelatorHealth,
  type CorrelatorPoint,
  type CorrelatorService,
  type CorrelatorServiceOptions,
  createCorrelator,
} from './correlator.ts'
