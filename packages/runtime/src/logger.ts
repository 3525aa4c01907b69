import { type DestinationStream, type Logger, pino } from 'pino'

export type { Logger } from 'pino'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

const SECRET_NAMES = ['token', 'tokens', 'authorization', 'password', 'secret', 'apiKey', 'cookie', 'privateKey', 'signingKey']
/** Top level, one below, and where HTTP requests keep them. */
const REDACTED = [
  ...SECRET_NAMES,
  ...SECRET_NAMES.map((name) => `*.${name}`),
  'req.headers.authorization',
  'req.headers.cookie',
  'headers.authorization',
  'headers.cookie',
]

export interface LoggerOptions {
  readonly name: string
  readonly level?: LogLevel
  /** Where the JSON lines go; default: standard output. */
  readonly destination?: DestinationStream
}

/** JSON lines with secrets redacted by name. Event content never belongs in a log line: log codes, counts and fields. */
export const createLogger = (options: LoggerOptions): Logger =>
  pino(
    {
      name: options.name,
      level: options.level ?? 'info',
      redact: { paths: REDACTED, censor: '(hidden)' },
      formatters: { level: (label) => ({ level: label }) },
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: serializeError, error: serializeError },
    },
    options.destination ?? pino.destination({ dest: 1, sync: true }),
  )

const serializeError = (error: unknown): unknown => {
  if (!(error instanceof Error)) return { message: String(error) }
  const { code } = error as { code?: unknown }
  return { type: error.name, ...(code === undefined ? {} : { code }), message: error.message, stack: error.stack }
}
