import { compileGlob, defaultSensitivity, isExternalDestination, isUntrustedRead } from '@plumbline/detector/policy'
import { PlumblineError, type Policy, type PolicyInput } from '@plumbline/schemas'
import { isMap, isSeq, type Node, parseDocument, stringify } from 'yaml'
import { parsePolicy } from './load.ts'

/** What a service has seen of one class of resources. */
export interface ObservedClass {
  readonly class: string
  readonly events: number
  readonly identities: number
  /** A few actions seen on it, commonest first. */
  readonly actions: readonly string[]
}

/** What it has seen of one place data was sent to. */
export interface ObservedDestination {
  readonly destination: string
  readonly events: number
  readonly identities: number
}

export interface Observed {
  readonly classes: readonly ObservedClass[]
  readonly destinations: readonly ObservedDestination[]
  /** All identities seen, to tell what is common. */
  readonly identities: number
}

type Entry = NonNullable<PolicyInput['resources']>[number]

export interface Proposal {
  readonly entry: Entry
  /** Why, in a sentence for whoever accepts it. */
  readonly reason: string
}

/**
 * Entries the policy does not have yet, from what was seen: classes whose names say they are sensitive or bring in text from
 * outside, and mail domains or hosts so common that they may be one's own. Sorted, so the same sightings give the same diff.
 * Nothing is applied: a person accepts it.
 */
export const proposePolicy = (policy: Policy, observed: Observed): readonly Proposal[] => [
  ...observed.classes
    .filter((c) => !namesClass(policy, c.class))
    .sort((a, b) => b.events - a.events || (a.class < b.class ? -1 : 1))
    .flatMap(classProposal),
  ...ownDomains(policy, observed),
]

const namesClass = (policy: Policy, name: string): boolean =>
  policy.resources.some(
    (r) => r.class?.toLowerCase() === name.toLowerCase() || (r.match.class !== undefined && compileGlob(r.match.class).matches(name)),
  )

const LEVELS = ['public', 'internal', 'confidential', 'restricted']

const classProposal = (c: ObservedClass): readonly Proposal[] => {
  const sensitivity = defaultSensitivity(c.class)
  const untrusted = c.actions.some((a) => isUntrustedRead(a, c.class))
  if (sensitivity < 2 && !untrusted) return []
  const seen = `seen ${c.events} ${c.events === 1 ? 'time' : 'times'} by ${c.identities} ${c.identities === 1 ? 'identity' : 'identities'}`
  const says = [
    ...(sensitivity >= 2 ? [`its name says ${LEVELS[sensitivity]}`] : []),
    ...(untrusted ? ['it brings in text from outside'] : []),
  ]
  return [
    {
      entry: { match: { class: c.class }, ...(sensitivity >= 2 ? { sensitivity } : {}), ...(untrusted ? { untrusted: true } : {}) },
      reason: `${c.class}: ${says.join(' and ')}; ${seen}.`,
    },
  ]
}

const COMMON_SHARE = 0.5
const COMMON_IDENTITIES = 5

/** Domains most identities send to: likely one's own, which only a person can know. */
const ownDomains = (policy: Policy, observed: Observed): readonly Proposal[] => {
  const named = policy.resources.flatMap((r) =>
    r.match.destination === undefined || r.external === undefined ? [] : [compileGlob(r.match.destination)],
  )
  return observed.destinations
    .filter(
      (d) =>
        isExternalDestination(d.destination) && d.identities >= COMMON_IDENTITIES && d.identities >= observed.identities * COMMON_SHARE,
    )
    .filter((d) => !named.some((glob) => glob.matches(d.destination)))
    .sort((a, b) => b.identities - a.identities || (a.destination < b.destination ? -1 : 1))
    .map((d) => ({
      entry: { match: { destination: `*${d.destination}` }, external: false },
      reason: `${d.destination}: ${d.identities} of ${observed.identities} identities send there. Accept only if it is your own.`,
    }))
}

export interface PolicyDiff {
  /** The whole file as it would be after accepting. */
  readonly text: string
  /** The change as lines with + and -, with up to two lines of context. */
  readonly diff: string
}

/**
 * Puts accepted proposals at the end of the file's resources, keeping the author's comments and order.
 * Errors: POLICY_INVALID when the file or the result is not a valid policy.
 */
export const applyProposals = (currentText: string, proposals: readonly Proposal[]): PolicyDiff => {
  if (!parsePolicy(currentText).ok)
    throw new PlumblineError('POLICY_INVALID', 'The policy file has mistakes; mend them before adding to it.')
  if (proposals.length === 0) return { text: currentText, diff: '' }
  const text = withEntries(currentText, proposals)
  if (!parsePolicy(text).ok) throw new PlumblineError('POLICY_INVALID', 'The proposed entries do not make a valid policy.')
  return { text, diff: lineDiff(currentText, text) }
}

/** Adds by text where it can, so that no line of the author's moves; through the parsed document where resources are written in one line. */
const withEntries = (current: string, proposals: readonly Proposal[]): string => {
  const document = parseDocument(current)
  const list = document.get('resources', true)
  const before = current === '' || current.endsWith('\n') ? current : `${current}\n`
  if (list === undefined && (document.contents === null || (isMap(document.contents) && document.contents.flow !== true)))
    return `${before}resources:\n${itemsText(proposals, '  ')}`
  const first = isSeq(list) && list.flow !== true ? (list.items[0] as Node | undefined)?.range?.[0] : undefined
  if (isSeq(list) && first !== undefined && list.range) {
    const dash = current.lastIndexOf('-', first)
    const indent = ' '.repeat(dash - current.lastIndexOf('\n', dash) - 1)
    const lineEnd =
      before.lastIndexOf('\n', list.range[1] - 1) === list.range[1] - 1 ? list.range[1] : before.indexOf('\n', list.range[1]) + 1
    return before.slice(0, lineEnd) + itemsText(proposals, indent) + before.slice(lineEnd)
  }
  if (document.contents !== null && isMap(document.contents) && document.contents.items.length === 0) document.contents.flow = false
  const fresh = document.createNode(proposals.map((p) => p.entry))
  if (isSeq(list)) for (const item of fresh.items) list.add(item)
  else document.set('resources', fresh)
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}

const itemsText = (proposals: readonly Proposal[], indent: string): string =>
  proposals
    .map(({ entry, reason }) => {
      const [head = '', ...rest] = stringify(entry, { lineWidth: 0 }).trimEnd().split('\n')
      const comment = `# ${reason.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')}`
      return [comment, `- ${head}`, ...rest.map((l) => `  ${l}`)].map((l) => `${indent}${l}\n`).join('')
    })
    .join('')

const CONTEXT = 2

/** One hunk from the first to the last line that differs. */
const lineDiff = (before: string, after: string): string => {
  const a = before.split('\n')
  const b = after.split('\n')
  let start = 0
  while (start < a.length && start < b.length && a[start] === b[start]) start++
  let end = 0
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++
  const lines = [
    ...a.slice(Math.max(0, start - CONTEXT), start).map((l) => ` ${l}`),
    ...a.slice(start, a.length - end).map((l) => `-${l}`),
    ...b.slice(start, b.length - end).map((l) => `+${l}`),
    ...a.slice(a.length - end, a.length - end + CONTEXT).map((l) => ` ${l}`),
  ]
  return lines.join('\n')
}
