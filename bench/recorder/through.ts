import { openKafkaOutboxLog } from '@plumbline/adapters/kafka'
import { createRecorder } from '../../services/recorder/src/index.ts'
import type { BenchBroker } from '../kafka/broker.ts'
import type { Blocks } from './blocks.ts'
import { type Run, type Target, checkRows, rowBytes, timed } from './target.ts'

export interface RecorderRun extends Run {
  /** On the disk of ClickHouse, per row. */
  readonly rowBytes: number
}

/** The recorder as it ships, from the first block it has in hand until the last row is stored: joining its readers is no rate. */
export const recorderRun = (
  { brokers }: BenchBroker,
  prefix: string,
  { engine, database }: Target,
  { rows }: Blocks,
): Promise<RecorderRun> =>
  database(async (store) => {
    const log = await openKafkaOutboxLog({ brokers }, { prefix })
    const begun = Promise.withResolvers<void>()
    const recorder = createRecorder({ log, store: () => store, onPoint: (point) => point === 'recorder:read' && begun.resolve() })
    try {
      await recorder.start()
      await begun.promise
      const run = await timed(rows, engine.pid, () => recorder.drained())
      await checkRows(store, rows)
      return { ...run, rowBytes: await rowBytes(store) }
    } finally {
      await recorder.stop()
      await log.close()
    }
  })
