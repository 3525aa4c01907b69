/** A span as far as it is looked at; everything else in a request is skipped while reading. */
export interface OtlpSpan {
  /** 32 and 16 lower-case hex digits; parent empty for a root. */
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly name: string
  /** 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  readonly kind: number
  /** ms since epoch, whole. */
  readonly startMs: number
  readonly durationMs: number
  /** 0 unset, 1 ok, 2 error. */
  readonly status: number
  readonly attributes: Attributes
  readonly resource: Attributes
}

/** Scalars by name; lists of scalars keep their first element. */
export type Attributes = ReadonlyMap<string, string | number | boolean>

export const OTLP_LIMITS = {
  spansPerRequest: 10_000,
  attributesPerSpan: 256,
  nesting: 16,
} as const

/** Attributes that are read. Prompts, completions and messages are not among them: content never enters memory past the parser. */
const WANTED_PREFIXES = [
  'gen_ai.',
  'mcp.',
  'service.',
  'server.',
  'http.',
  'url.',
  'db.',
  'net.',
  'error.',
  'user.',
  'enduser.',
  'user_agent.',
  'client.',
  'peer.',
  'host.',
  'telemetry.sdk.',
]
const UNWANTED = new Set([
  'gen_ai.input.messages',
  'gen_ai.output.messages',
  'gen_ai.system_instructions',
  'gen_ai.tool.definitions',
  'gen_ai.prompt',
  'gen_ai.completion',
  'db.query.text',
  'db.statement',
])

export const isWanted = (name: string): boolean => WANTED_PREFIXES.some((p) => name.startsWith(p)) && !UNWANTED.has(name)

const NANOS_PER_MS = 1_000_000n

/** Start and length from two counts of nanoseconds. */
export const spanTimes = (start: bigint, end: bigint): { readonly startMs: number; readonly durationMs: number } => ({
  startMs: Number(start / NANOS_PER_MS),
  durationMs: end > start ? Number(end - start) / Number(NANOS_PER_MS) : 0,
})
