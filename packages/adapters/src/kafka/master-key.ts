import { PlumblineError } from '@plumbline/schemas'
import { z } from 'zod'
import { readSecretFile } from './secret-file.ts'

const KEY = /^[0-9A-Fa-f]{64}$/
const MAKE_ONE = 'Make one, once for all processes, with: openssl rand -hex 32'

/** The key of which all hashes of a deployment are made: the same for every process that scores or signs. */
export const MASTER_KEY_FIELDS = {
  masterKey: z.string().regex(KEY, 'must be 64 hexadecimal digits').optional().meta({
    description: 'Key of the deployment, 64 hexadecimal digits, of which all hashes are made. The same for all; never changes.',
    interacts: 'Either this or masterKeyFile.',
    secret: true,
  }),
  masterKeyFile: z.string().min(1).optional().meta({
    description: 'File that holds the key of the deployment. Not readable by everybody.',
    interacts: 'Either this or masterKey.',
    example: '/run/secrets/plumbline-master-key',
  }),
}
export type MasterKeyConfig = z.output<z.ZodObject<typeof MASTER_KEY_FIELDS>>

/** Exactly one of the two, for `superRefine` of the object they are spread into. */
export const checkMasterKeyConfig = ({ masterKey, masterKeyFile }: MasterKeyConfig, context: z.core.$RefinementCtx): void => {
  if ((masterKey === undefined) !== (masterKeyFile === undefined)) return
  const message = masterKey === undefined ? 'or masterKeyFile is required' : 'and masterKeyFile are both set: leave one out'
  context.addIssue({ code: 'custom', path: ['masterKey'], message })
}

const refusal = (path: string, problem: string): PlumblineError =>
  new PlumblineError('MASTER_KEY_FILE', `The file of masterKeyFile, ${path}, ${problem}.`)

/** The 32 bytes of the key. Errors: MASTER_KEY_FILE with the file and the remedy; never with what it holds. */
export const masterKeyOf = ({ masterKey, masterKeyFile }: MasterKeyConfig): Uint8Array => {
  if (masterKey !== undefined) return Buffer.from(masterKey, 'hex')
  if (masterKeyFile === undefined) throw new PlumblineError('MASTER_KEY_MISSING', `Set masterKey or masterKeyFile. ${MAKE_ONE}`)
  const remedyOf = (problem: string): string => (problem.includes('(ENOENT)') ? `${problem}. ${MAKE_ONE} > ${masterKeyFile}` : problem)
  const text = readSecretFile(masterKeyFile, (problem) => refusal(masterKeyFile, remedyOf(problem))).trim()
  if (!KEY.test(text)) throw refusal(masterKeyFile, `does not hold 64 hexadecimal digits. ${MAKE_ONE}`)
  return Buffer.from(text, 'hex')
}
