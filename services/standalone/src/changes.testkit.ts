import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createLogger } from '@plumbline/runtime'
import type { ApiError, ChangeAnswer } from '@plumbline/schemas'
import { loadStandaloneConfig, type StandaloneConfig, startStandalone, type Standalone } from './index.ts'

export const SHARDS = 3

export interface Site {
  readonly dir: string
  readonly service: Standalone
  readonly key: KeyObject
  announce(
    body: unknown,
    how?: { readonly key?: KeyObject; readonly name?: string; readonly url?: string; readonly headers?: Record<string, string> },
  ): Promise<readonly [status: number, answer: ChangeAnswer & ApiError]>
}

/** An instance without a store on this folder. `more`: other options. */
export const start = (dir: string, more: Partial<StandaloneConfig> = {}): Promise<Standalone> =>
  startStandalone(
    {
      ...loadStandaloneConfig({ env: {} }).config,
      httpPort: 0,
      dataDir: dir,
      shards: SHARDS,
      demo: false,
      alertsStdout: false,
      policyFile: join(dir, 'policy.yaml'),
      // Nothing listens there: the log takes what it gets, the rows wait.
      clickhouseUrl: 'http://127.0.0.1:9',
      ...more,
    },
    { logger: createLogger({ name: 'test', level: 'silent' }) },
  )

export const register = (dir: string, keys: readonly { readonly id: string; readonly tenant: string; readonly key: KeyObject }[]): void => {
  mkdirSync(join(dir, 'keys'), { recursive: true })
  const publicKey = (key: KeyObject): string => key.export({ format: 'der', type: 'spki' }).toString('base64')
  writeFileSync(
    join(dir, 'keys', 'deploy-keys.json'),
    JSON.stringify({ keys: keys.map(({ key, ...rest }) => ({ ...rest, publicKey: publicKey(key) })) }),
  )
}

/** One with the deploy key `ci`, which speaks for the tenant default. */
export const site = async (t: TestContext, more: Partial<StandaloneConfig> = {}): Promise<Site> => {
  const dir = mkdtempSync(join(tmpdir(), 'plumbline-changes-'))
  // Of a version part six bits are kept: under one key in 63 two of a test would be the same.
  mkdirSync(join(dir, 'log'))
  writeFileSync(join(dir, 'log', 'master.key'), Buffer.alloc(32, 7), { mode: 0o600 })
  const service = await start(dir, more)
  t.after(async () => {
    await service.stop()
    rmSync(dir, { recursive: true, force: true })
  })
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  register(dir, [{ id: 'ci', tenant: 'default', key: publicKey }])
  return {
    dir,
    service,
    key: privateKey,
    async announce(body, { key = privateKey, name = 'ci', url = service.url, headers = {} } = {}) {
      const text = typeof body === 'string' ? body : JSON.stringify(body)
      const signature = sign(null, Buffer.from(text), key).toString('base64')
      const answer = await fetch(`${url}/v1/changes`, {
        method: 'POST',
        headers: { 'plumbline-key': name, 'plumbline-signature': signature, ...headers },
        body: text,
      })
      return [answer.status, (await answer.json()) as ChangeAnswer & ApiError]
    },
  }
}

export const request = (change: Record<string, unknown> = {}) => ({
  what: { model: 'alpha-2' },
  scope: { identities: ['support-*'] },
  from: new Date().toISOString(),
  reason: 'New model',
  by: 'jane',
  ...change,
})
