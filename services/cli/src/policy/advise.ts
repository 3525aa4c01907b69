import { REASON_FAMILIES, type Policy } from '@plumbline/schemas'
/** Something valid that is most likely not meant. */
export interface PolicyAdvice {
  readonly where: string
  readonly message: string
}

const SOON_MS = 14 * 86_400_000
const FAMILIES: ReadonlySet<string> = new Set(REASON_FAMILIES)

/** What is valid and yet most likely not meant: expired, never reached, doubled. */
export const adviseOn = (policy: Policy, nowMs: number): readonly PolicyAdvice[] => [
  ...exceptions(policy, nowMs),
  ...windows(policy, nowMs),
  ...calendars(policy, nowMs),
  ...doubled('rules', policy.rules),
  ...doubled('exceptions', policy.exceptions),
  ...shadowed(
    'identities',
    policy.identities.map((i) => i.match),
  ),
  ...withoutEffect(policy),
]

const exceptions = (policy: Policy, nowMs: number): PolicyAdvice[] =>
  policy.exceptions.flatMap((x) => {
    const where = `exceptions ${x.id}`
    const left = Date.parse(x.expires) - nowMs
    const unknown = (x.families ?? []).filter((f) => !FAMILIES.has(f))
    return [
      ...(left <= 0
        ? [
            {
              where,
              message: `expired on ${x.expires.slice(0, 10)}: it quiets nothing any more; remove it or have it renewed by ${x.author}`,
            },
          ]
        : []),
      ...(left > 0 && left < SOON_MS ? [{ where, message: `expires on ${x.expires.slice(0, 10)}` }] : []),
      ...unknown.map((f) => ({ where, message: `there is no reason family ${f}; it quiets nothing` })),
    ]
  })

const windows = (policy: Policy, nowMs: number): PolicyAdvice[] =>
  policy.maintenance.flatMap((w) => {
    const where = `maintenance ${w.name}`
    if (Date.parse(w.to) <= Date.parse(w.from)) return [{ where, message: 'ends before it begins: it never applies' }]
    return Date.parse(w.to) < nowMs ? [{ where, message: `is over since ${w.to.slice(0, 10)}` }] : []
  })

const calendars = (policy: Policy, nowMs: number): PolicyAdvice[] =>
  policy.calendars.flatMap(({ name, days }) => {
    const last = days.toSorted().at(-1)
    const where = `calendars ${name}`
    if (last === undefined) return [{ where, message: 'lists no days: it never applies' }]
    return last < new Date(nowMs).toISOString().slice(0, 10) ? [{ where, message: `has no day left since ${last}` }] : []
  })

const doubled = (list: string, entries: readonly { readonly id: string }[]): PolicyAdvice[] => {
  const seen = new Set<string>()
  return entries.flatMap(({ id }) => (seen.size === seen.add(id).size ? [{ where: `${list} ${id}`, message: 'the id is used twice' }] : []))
}

/** A pattern behind the same pattern, or behind a bare `*`, still adds fields that the first left open; equal ones are a slip. */
const shadowed = (list: string, patterns: readonly string[]): PolicyAdvice[] => {
  const seen = new Set<string>()
  return patterns.flatMap((pattern, i) => {
    const key = pattern.toLowerCase()
    return seen.size === seen.add(key).size
      ? [{ where: `${list}.${i}`, message: `the pattern ${pattern} stands above already; the first one that states a field wins` }]
      : []
  })
}

const withoutEffect = (policy: Policy): PolicyAdvice[] =>
  policy.resources.flatMap((r, i) => {
    const { match, ...says } = r
    return Object.values(says).some((v) => v !== undefined)
      ? []
      : [{ where: `resources.${i}`, message: `matches ${JSON.stringify(match)} and then says nothing of it` }]
  })
