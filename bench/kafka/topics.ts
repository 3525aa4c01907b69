import { ensureTopics } from '@plumbline/adapters/kafka'
import type { BenchBroker } from './broker.ts'

export const ensureBenchTopics = ({ brokers }: BenchBroker, prefix: string, shards: number): Promise<void> =>
  ensureTopics({ brokers }, { prefix, shards })
