import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { openEmbeddedLog } from '@plumbline/adapters/lmdb'
import { createLogger } from '@plumbline/runtime'
import { Alert } from '@plumbline/schemas'
import { loadStandaloneConfig, startStandalone, type Standalone, type StandaloneConfig } from './index.ts'

const golden = JSON.parse(readFileSync(new URL('../../../schemas/fixtures/v1/alerts.json', import.meta.url), 'utf8')) as {
  readonly accepted: readonly { readonly output: unknown }[]
}
const model = Alert.parse(golden.accepted[0]?.output)

/** A whole, valid alert; `n` makes its id. */
export const alertOf = (n: number, tenant = model.facts.tenant, change: Partial<Alert> = {}): Alert => ({
  ...model,
  id: `00000000-0000-5000-8000-${String(n).padStart(12, '0')}`,
  severity: 'high',
  historic: false,
  facts: { ...model.facts, tenant, action: `act-${n}` },
  replay: { ...model.replay, position: { ...model.replay.position, shard: 0, offset: n } },
  ...change,
})

/** An instance without a store whose log held these alerts already when it started, and the lines it logs. */
export const instanceWithAlerts = async (
  t: TestContext,
  alerts: readonly Alert[],
  more: Partial<StandaloneConfig> = {},
): Promise<{ readonly service: Standalone; readonly lines: readonly string[]; readonly dataDir: string }> => {
  const dataDir = mkdtempSync(join(tmpdir(), 'plumbline-alerting-'))
  const log = await openEmbeddedLog({ dir: join(dataDir, 'log'), shards: 2 })
  await log.publish('alerts', alerts)
  await log.close()
  const lines: string[] = []
  const logger = createLogger({ name: 'test', level: 'info', destination: { write: (line: string) => void lines.push(line) } })
  const config: StandaloneConfig = {
    ...loadStandaloneConfig({ env: {} }).config,
    httpPort: 0,
    dataDir,
    shards: 2,
    demo: false,
    alertsStdout: false,
    policyFile: join(dataDir, 'policy.yaml'),
    // Nothing listens there: the log takes events, the rows wait.
    clickhouseUrl: 'http://127.0.0.1:9',
    ...more,
  }
  const service = await startStandalone(config, { logger })
  t.after(async () => {
    await service.stop()
    rmSync(dataDir, { recursive: true, force: true })
  })
  return { service, lines, dataDir }
}

/** Asks until the answer is there; fails after 20 s. */
export const until = async <T>(ask: () => Promise<T | undefined | false>): Promise<T> => {
  for (let tries = 0; tries < 400; tries++) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('It never came.')
}
