import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadRecorderConfig, RecorderConfig } from '@plumbline/recorder/config'
import { loadWorkerConfig, WorkerConfig } from '@plumbline/worker/config'
import { variablesOfOthers } from './variables.ts'

test('one environment serves several processes; what none of them reads stays a mistake', async () => {
  const env = {
    PLUMBLINE_KAFKA_BROKERS: 'localhost:9092',
    PLUMBLINE_MASTER_KEY: 'a'.repeat(64),
    PLUMBLINE_SHARDS: '8',
    PLUMBLINE_TOKEN: 'a-token-of-some-length',
    CLICKHOUSE_URL: 'http://user:password@localhost:8123/plumbline',
    HOME: '/root',
  }
  const [ofRecorder, ofWorker] = [await variablesOfOthers(RecorderConfig, env), await variablesOfOthers(WorkerConfig, env)]
  assert.deepEqual(ofRecorder, ['PLUMBLINE_MASTER_KEY', 'PLUMBLINE_SHARDS', 'PLUMBLINE_TOKEN'])
  assert.deepEqual(ofWorker, ['PLUMBLINE_TOKEN'])
  assert.deepEqual(loadRecorderConfig({ env, ignoreEnv: ofRecorder }).config.kafkaBrokers, ['localhost:9092'])
  assert.equal(loadWorkerConfig({ env, ignoreEnv: ofWorker }).config.shards, 8)
  const mistaken = { ...env, PLUMBLINE_SHARD: '8' }
  const ignoreEnv = await variablesOfOthers(WorkerConfig, mistaken)
  assert.throws(
    () => loadWorkerConfig({ env: mistaken, ignoreEnv }),
    /PLUMBLINE_SHARD: unknown environment variable; did you mean PLUMBLINE_SHARDS\?/,
  )
})
