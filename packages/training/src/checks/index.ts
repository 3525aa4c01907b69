export { BLIND_SPOTS, checkDataset, type CheckOptions, type DatasetReport } from './check.ts'
export { CHECKS, type Check, type Dataset, type Finding, rowCount, selectRows, type Severity } from './dataset.ts'
export { driftOf, type Reference, referenceOf } from './drift.ts'
