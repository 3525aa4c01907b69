import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { DeployKeyFile, DeployKeyId, readDeployKeys } from '@plumbline/gateway'
import { inWords, PlumblineError, TenantName } from '@plumbline/schemas'
import { deployKeysPath } from './secrets.ts'

export interface DeployKeyOptions {
  readonly tenant: string
  /** Where the private half goes. */
  readonly out: string
  /** Default: that of the data folder. */
  readonly keysFile?: string | undefined
  readonly dataDir: string
}

const refused = (message: string): PlumblineError => new PlumblineError('DEPLOY_KEY_REFUSED', message)

/**
 * Makes a key pair: the private half into a new file that only its owner reads, the public half beside those that are registered.
 * Errors: DEPLOY_KEY_REFUSED, DEPLOY_KEYS_INVALID, DATA_DIR_EMPTY.
 */
export const makeDeployKey = async (
  id: string,
  { tenant, out, keysFile, dataDir }: DeployKeyOptions,
): Promise<{ readonly keysFile: string }> => {
  for (const [what, schema, value] of [
    ['name of a key', DeployKeyId, id],
    ['tenant', TenantName, tenant],
  ] as const) {
    const parsed = schema.safeParse(value, { error: inWords })
    if (!parsed.success) throw refused(`The ${what} ${parsed.error.issues[0]?.message ?? 'cannot be used'}.`)
  }
  if (keysFile === undefined && !existsSync(dataDir))
    throw new PlumblineError(
      'DATA_DIR_EMPTY',
      `there is no data folder ${dataDir}; set --data-dir, or name the file of the keys with --keys-file`,
    )
  const path = keysFile === undefined ? deployKeysPath(dataDir) : resolve(keysFile)
  const keys = await readDeployKeys(path)
  if (keys.some((key) => key.id === id))
    throw refused(`A key ${id} is registered in ${path} already. Choose another name, or take that entry out to replace it.`)
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  try {
    writeFileSync(out, privateKey.export({ format: 'pem', type: 'pkcs8' }), { flag: 'wx', mode: 0o600 })
  } catch (cause) {
    throw new PlumblineError(
      'DEPLOY_KEY_REFUSED',
      `The private key cannot be written to ${out}: ${(cause as NodeJS.ErrnoException).code}.`,
      { cause },
    )
  }
  const entry = { id, tenant, publicKey: publicKey.export({ format: 'der', type: 'spki' }).toString('base64') }
  const file = DeployKeyFile.parse({ keys: [...keys, entry] })
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  // Whole or not at all: the service may read it at any moment.
  writeFileSync(`${path}.new`, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o644 })
  renameSync(`${path}.new`, path)
  return { keysFile: path }
}
