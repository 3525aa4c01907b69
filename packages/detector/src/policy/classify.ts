import {
  GENERIC_CLASSES,
  INTERNAL_HOST_SUFFIXES,
  OUTWARD_CLASSES,
  OWN_TEXT_WORDS,
  READ_VERBS,
  SENDING_VERBS,
  SENSITIVITY_DEFAULTS,
  type TermRow,
  UNNAMED_SENSITIVITY,
  UNTRUSTED_ACTION_WORDS,
  UNTRUSTED_CLASSES,
  WRITE_NOUNS,
  WRITE_VERBS,
} from './defaults.ts'

const sensitivityOfTerm = new Map<string, number>()
for (const row of SENSITIVITY_DEFAULTS) for (const term of row.terms) sensitivityOfTerm.set(term, row.sensitivity)
const termSet = (rows: readonly TermRow[]): ReadonlySet<string> => new Set(rows.flatMap((r) => r.terms))
const untrustedClasses = termSet(UNTRUSTED_CLASSES)
const untrustedActionWords = termSet(UNTRUSTED_ACTION_WORDS)
const ownTextWords: ReadonlySet<string> = new Set(OWN_TEXT_WORDS)
const writeVerbs: ReadonlySet<string> = new Set(WRITE_VERBS)
const readVerbs: ReadonlySet<string> = new Set(READ_VERBS)
const writeNouns: ReadonlySet<string> = new Set(WRITE_NOUNS)
const sendingVerbs: ReadonlySet<string> = new Set(SENDING_VERBS)
const outwardClasses: ReadonlySet<string> = new Set(OUTWARD_CLASSES)

/** Lower-case words of a name: `iam:GetUser` → iam, get, user; `hr_records` → hr, records. */
export const wordsIn = (name: string): readonly string[] => {
  const words: string[] = []
  let word = ''
  let previousLower = false
  const close = () => {
    if (word !== '') words.push(word.toLowerCase())
    word = ''
  }
  for (let i = 0; i < name.length; i++) {
    const c = name.charCodeAt(i)
    const upper = c >= 65 && c <= 90
    const lower = (c >= 97 && c <= 122) || (c >= 48 && c <= 57) || c > 127
    if (!upper && !lower) close()
    else {
      const next = name.charCodeAt(i + 1)
      const nextLower = next >= 97 && next <= 122
      if (upper && (previousLower || (nextLower && word.length > 1))) close()
      word += name[i]
    }
    previousLower = lower
  }
  close()
  return words
}

/** 0 public, 1 internal, 2 confidential, 3 restricted. The highest of a name's words counts; unnamed classes are internal. */
export const defaultSensitivity = (resourceClass: string): number => {
  let highest = -1
  for (const word of wordsIn(resourceClass)) highest = Math.max(highest, sensitivityOfTerm.get(word) ?? -1)
  return highest < 0 ? UNNAMED_SENSITIVITY : highest
}

/**
 * Sensitivity where no policy speaks: the class's; where the class says nothing (stock telemetry calls everything a tool),
 * what the action's name says, so that `hr.read_employee` is not taken for internal data.
 */
export const sensitivityByName = (action: string, resourceClass: string): number =>
  GENERIC_CLASSES.includes(resourceClass.toLowerCase())
    ? Math.max(defaultSensitivity(resourceClass), defaultSensitivity(action))
    : defaultSensitivity(resourceClass)

/** True when the action changes or moves something; its first known verb decides, and no verb at all means it reads. */
export const isWrite = (action: string): boolean => {
  const words = wordsIn(action)
  for (const word of words) {
    if (writeVerbs.has(word)) return true
    if (readVerbs.has(word)) return false
  }
  return words[0] !== undefined && writeNouns.has(words[0])
}

/** True when the action reads text that somebody outside the organisation may have written. */
export const isUntrustedRead = (action: string, resourceClass: string): boolean => {
  if (isWrite(action)) return false
  const words = wordsIn(action)
  if (words.some((w) => ownTextWords.has(w))) return false
  return wordsIn(resourceClass).some((w) => untrustedClasses.has(w)) || words.some((w) => untrustedActionWords.has(w))
}

/** True when an action without a stated destination most likely hands data to somebody outside: `send_email`, a form on the web. */
export const sendsOutward = (action: string, resourceClass: string): boolean =>
  isWrite(action) && wordsIn(action).some((w) => sendingVerbs.has(w)) && wordsIn(resourceClass).some((w) => outwardClasses.has(w))

/**
 * True when data sent to `destination` leaves the organisation as far as its name tells: a public host or address, a mail
 * domain, an account. Paths, single names, buckets, private addresses and hosts under `internalSuffixes` are inside.
 * A bucket name does not tell whose it is; a policy can (`external: true`).
 */
export const isExternalDestination = (destination: string, internalSuffixes: readonly string[] = []): boolean => {
  const host = hostOf(destination)
  if (host === undefined) return false
  if (host.kind === 'account') return true
  const inside = (suffix: string) => host.name === suffix || host.name.endsWith(`.${suffix}`)
  if (INTERNAL_HOST_SUFFIXES.some(inside)) return false
  if (internalSuffixes.some((s) => inside(s.toLowerCase().replace(/^[*.]+/, '')))) return false
  if (host.kind === 'file') return false
  return host.name.includes('.') || host.name.includes(':') ? !isPrivateAddress(host.name) : false
}

type Host = { readonly kind: 'host' | 'account' | 'file'; readonly name: string }

/** The host or account a destination names; undefined for paths and things that name no place. */
const hostOf = (destination: string): Host | undefined => {
  let rest = destination.trim().toLowerCase()
  const label = /^(host|mail|mailto|email|url|to|account|iban):(?!\/\/)/.exec(rest)
  if (label !== null) {
    rest = rest.slice(label[0].length)
    if (label[1] === 'account' || label[1] === 'iban') return { kind: 'account', name: rest }
  }
  const scheme = /^([a-z][a-z0-9+.-]{0,20}):\/\//.exec(rest)
  if (scheme !== null) {
    if (!/^(https?|wss?|ftps?|sftp|smtps?|ssh|git|tcp|udp|grpcs?)$/.test(scheme[1] ?? '')) return undefined
    rest = rest.slice(scheme[0].length)
  } else if (/^(path:|file:|\.{0,2}\/|~|[a-z]:\\|\\\\)/.test(rest)) return undefined
  else if (/^[a-z]{2}\d{2}[a-z0-9 ]{8,30}$/.test(rest) || /^\d[\d -]{6,33}$/.test(rest)) return { kind: 'account', name: rest }
  const slash = rest.search(/[/?#]/)
  if (slash >= 0) rest = rest.slice(0, slash)
  rest = rest.slice(rest.lastIndexOf('@') + 1)
  if (rest.startsWith('[')) return { kind: 'host', name: rest.slice(1, Math.max(1, rest.indexOf(']'))) }
  const colon = rest.indexOf(':')
  if (colon >= 0 && rest.indexOf(':', colon + 1) < 0) rest = rest.slice(0, colon)
  if (rest.endsWith('.')) rest = rest.slice(0, -1)
  if (rest === '' || rest.includes(' ')) return undefined
  const looksLikeFile = scheme === null && label === null && FILE_ENDINGS.has(rest.slice(rest.lastIndexOf('.') + 1))
  return { kind: looksLikeFile ? 'file' : 'host', name: rest }
}

/** Endings of file names that are no top-level domains: `notes.txt` is a file, `notes.zip` may be a host. */
const FILE_ENDINGS: ReadonlySet<string> = new Set(
  'txt pdf csv tsv json jsonl xml yaml yml html htm docx xlsx pptx doc xls ppt png jpg jpeg gif svg log sql parquet gz tar bak'.split(' '),
)

const isPrivateAddress = (host: string): boolean => {
  if (host.includes(':'))
    return /^(::1?$|f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:)/.test(host) || (host.startsWith('::ffff:') && isPrivateAddress(host.slice(7)))
  const parts = host.split('.')
  if (parts.length !== 4 || !parts.every((p) => /^\d{1,3}$/.test(p))) return false
  const [a = 0, b = 0] = parts.map(Number)
  return (
    a === 0 ||
    a === 10 ||
    a === 127 ||
    (a === 169 && b === 254) ||
    (a === 172 && b >= 16 && b <= 31) ||
    (a === 192 && b === 168) ||
    (a === 100 && b >= 64 && b <= 127)
  )
}
