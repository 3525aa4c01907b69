export { MIN_TRAINING_ROWS, trainAutoencoder, type TrainedAutoencoder, type TrainOptions, type TrainReport } from './autoencoder.ts'
export { chooseBackend, type Backend } from './backend.ts'
export { calibrate, MIN_CALIBRATION_SCORES } from './calibrate.ts'
export { LATEST_DAYS, laterModelDue, MODEL_GROWTH, type Reach } from './schedule.ts'
export { generateSigningKey, loadSigningKey, signRelease, type SigningKey } from './sign.ts'
export { trainAllInWorkers, trainInWorker } from './train-in-worker.ts'
export { alignTable, readTable, type Table } from './table.ts'
export { scoreTabular, type TabularOptions } from './tabular.ts'
export { alertedAs, type BuiltRelease, buildRelease, type ReleaseInput } from './release-builder.ts'
export {
  checkDataset,
  type Dataset,
  type DatasetReport,
  driftOf,
  type Finding,
  type Reference,
  referenceOf,
  selectRows,
} from './checks/index.ts'
export { compareReleases, type ShadowComparison, WORSE, worseThan } from './promotion.ts'
export { type HeldOut, type ShadowScore, shadowScore } from './shadow.ts'
export { type BomInput, bomOf } from './bom.ts'
