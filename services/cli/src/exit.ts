import { PlumblineError } from '@plumbline/schemas'
import { causeOf } from './output.ts'

/** Exit codes of `plumbline`. Scripts rely on them. */
export const EXIT = {
  ok: 0,
  /** It ran and the answer is no, or something went wrong. */
  failure: 1,
  /** The command line or the configuration is wrong; trying again as it is cannot help. */
  usage: 2,
  /** Something it needs does not answer; trying again later can help. */
  unavailable: 3,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

const USAGE_CODES = new Set([
  'USAGE',
  'CONFIG_INVALID',
  'FILE_NOT_FOUND',
  'FILE_IS_FOLDER',
  'FILE_UNREADABLE',
  'TENANT_RESERVED',
  'FORMAT_UNSUPPORTED',
  'GENERATOR_OPTIONS',
  'POLICY_INVALID',
  'ARRIVAL_NOT_SETTABLE',
  'DATA_DIR_EMPTY',
  'DATA_DIR_OF_FRONT',
  'DATA_DIR_OF_INSTANCE',
  'STORE_ELSEWHERE',
  'MASTER_KEY_MISSING',
  'MASTER_KEY_FILE',
  'MASTER_KEY_WRONG',
  'SHARDS_FIXED',
  'DEPLOYMENT_MOVED',
  'KAFKA_TLS_FILE',
])

/** A wrong command line, found after parsing. */
export const usageError = (message: string): PlumblineError => new PlumblineError('USAGE', message)

/** Total: every error of a command gets an exit code; what nobody classified is a failure. */
export const exitCodeOf = (thrown: unknown): ExitCode => {
  const error = causeOf(thrown)
  if (!(error instanceof PlumblineError)) return EXIT.failure
  if (USAGE_CODES.has(error.code)) return EXIT.usage
  return error.retryable ? EXIT.unavailable : EXIT.failure
}
