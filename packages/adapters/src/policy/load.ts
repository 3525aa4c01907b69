import { open } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { policyHash } from '@plumbline/detector/policy'
import { inWords, PlumblineError, Policy } from '@plumbline/schemas'
import { LineCounter, parseDocument } from 'yaml'

/** One mistake of a policy file. */
export interface PolicyProblem {
  /** Path of the field, like `rules.2.effect`; empty for the whole file. */
  readonly field: string
  /** 1-based; undefined where the mistake has no place. */
  readonly line: number | undefined
  readonly message: string
}

export type LoadedPolicy =
  | { readonly ok: true; readonly policy: Policy; readonly hash: string }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] }

/** Unit: characters. A policy of 10,000 identities takes about 2 million. */
const MAX_CHARS = 8_000_000
/** In UTF-8 a character of JavaScript takes at most three bytes: what is cut off here is too long in characters too. */
const MAX_BYTES = 3 * MAX_CHARS + 2

/** Parses the text of a `plumbline.policy.yaml`. Empty text is the empty policy. Every mistake is named, none throws. */
export const parsePolicy = (text: string): LoadedPolicy => {
  if (text.length > MAX_CHARS) return failed({ field: '', line: undefined, message: `is longer than ${MAX_CHARS} characters` })
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true })
  if (document.errors.length > 0)
    return { ok: false, problems: document.errors.map((e) => ({ field: '', line: lines.linePos(e.pos[0]).line, message: e.message })) }
  let value: unknown
  try {
    value = document.toJS({ maxAliasCount: 0 }) ?? {}
  } catch {
    return failed({ field: '', line: undefined, message: 'aliases (*name) are not allowed; write it out' })
  }
  const parsed = Policy.safeParse(withoutEmpty(value), { error: inWords })
  if (parsed.success) return { ok: true, policy: parsed.data, hash: policyHash(parsed.data) }
  const lineOf = (path: readonly PropertyKey[]): number | undefined => {
    for (let n = path.length; n > 0; n--) {
      const range = (document.getIn(path.slice(0, n), true) as { range?: readonly number[] | null } | undefined)?.range
      if (range?.[0] !== undefined) return lines.linePos(range[0]).line
    }
    return undefined
  }
  return {
    ok: false,
    problems: parsed.error.issues.map((i) => ({ field: i.path.map(String).join('.'), line: lineOf(i.path), message: i.message })),
  }
}

/** `rules:` with nothing behind it means none. */
const withoutEmpty = (value: unknown): unknown =>
  value !== null && typeof value === 'object' && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).filter(([, v]) => v !== null))
    : value

const failed = (...problems: readonly PolicyProblem[]): LoadedPolicy => ({ ok: false, problems })

/** Reads and parses a policy file; an absent file is the empty policy. Errors: POLICY_UNREADABLE. */
export const loadPolicy = async (path: string): Promise<LoadedPolicy> => parsePolicy(await textOf(path))

/** Reads no more than could be a policy, whatever the file is: one that is longer is refused by its length. */
const textOf = async (path: string): Promise<string> => {
  try {
    const file = await open(path)
    return (await buffer(file.createReadStream({ end: MAX_BYTES }))).toString('utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw new PlumblineError('POLICY_UNREADABLE', `The policy file ${path} cannot be read.`, { retryable: true, cause })
  }
}

/** `rules.2.effect (line 14): …`, as it is shown to whoever wrote the file. */
export const problemText = (p: PolicyProblem): string =>
  `${p.field === '' ? 'the file' : p.field}${p.line === undefined ? '' : ` (line ${p.line})`}: ${p.message}`

export interface PolicyWatch {
  /** Looks now instead of at the next interval. */
  check(): Promise<void>
  close(): void
}

/**
 * Looks at the file every `intervalMs` (default 2,000) and reports each new content once: a valid policy with its hash, or
 * what is wrong with it (the last valid one stays in force). Reads the content rather than file times, so that editors,
 * renames and mounted configuration maps all work. The first look is made before it returns.
 */
export const watchPolicy = async (
  path: string,
  onChange: (loaded: LoadedPolicy) => void | Promise<void>,
  options: { readonly intervalMs?: number; readonly onError?: (error: unknown) => void } = {},
): Promise<PolicyWatch> => {
  let last: string | undefined
  let looking: Promise<void> = Promise.resolve()
  const look = async (): Promise<void> => {
    const text = await textOf(path)
    if (text === last) return
    await onChange(parsePolicy(text))
    last = text
  }
  const check = (): Promise<void> => (looking = looking.catch(() => undefined).then(look))
  await check()
  const timer = setInterval(() => void check().catch((error: unknown) => options.onError?.(error)), options.intervalMs ?? 2000)
  timer.unref()
  return { check, close: () => clearInterval(timer) }
}
