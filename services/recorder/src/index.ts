export { createRecorder, type Recorder, type RecorderHealth, type RecorderOptions } from './recorder.ts'
export type { RecorderPoint } from './topic.ts'
export { superviseEngine, type SuperviseOptions, type SupervisedEngine } from './supervise.ts'
export type { DeliveryDecider, MakeDecider } from './delivery.ts'
