import { incidentId } from '@plumbline/detector'
import { FLOW_STEPS, IDENTITY_KINDS, INCIDENT_LIMITS, type Incident, SEVERITIES, type Severity } from '@plumbline/schemas'
import { carriedAs, carriedIn, type Crowd, sharedBy } from './common.ts'
import type { Episode } from './episode.ts'
import type { Chain } from './flow.ts'
import { crowdText, flowText, sourceText, TECHNIQUES } from './words.ts'

/** Topic of the positions: where events are. */
const TOPIC = 'events'

/** What a detection says of an episode. */
export type Finding =
  | { readonly kind: 'split_flow'; readonly chain: Chain; readonly untold: boolean }
  | { readonly kind: 'shared_source'; readonly owner: string; readonly guests: readonly string[] }
  | { readonly kind: 'common_cause'; readonly crowd: Crowd }

const worstAlert = ({ alerts }: Episode): number => [...alerts.values()].reduce((worst, rank) => Math.max(worst, rank), -1)

/** Identities from which on a common cause is critical, with alerts that are high. */
const FLEET = 10

export const severityOf = (episode: Episode, finding: Finding): Severity => {
  const worst = worstAlert(episode)
  if (finding.kind === 'split_flow') return finding.untold ? (worst >= SEVERITIES.indexOf('high') ? 'critical' : 'high') : 'medium'
  if (finding.kind === 'shared_source') return worst >= 0 ? 'high' : 'medium'
  const { identities, deploy, newPlace, young } = finding.crowd
  if ((deploy || young) && !newPlace) return 'medium'
  if (identities >= FLEET && worst >= SEVERITIES.indexOf('high')) return 'critical'
  return identities >= FLEET || newPlace || worst >= SEVERITIES.indexOf('high') ? 'high' : 'medium'
}

const textOf = (episode: Episode, finding: Finding, causes: Pick<Incident, 'cause' | 'also'>): Incident['text'] => {
  if (finding.kind === 'split_flow') return flowText(finding.chain, causes.cause, finding.untold)
  if (finding.kind === 'shared_source') return sourceText(episode.cause.value, finding.owner, finding.guests)
  return crowdText(causes, finding.crowd, episode.last - episode.first)
}

const stepsOf = ({ steps }: Chain): NonNullable<Incident['steps']> =>
  steps.map(({ step, identity, action, object, time, shard, offset }) => ({
    step: FLOW_STEPS[step]!,
    identity,
    action,
    ...(object === '' ? {} : { object }),
    time,
    position: { topic: TOPIC, shard, offset },
  }))

const causesOf = (episode: Episode): Pick<Incident, 'cause' | 'also'> => {
  const own = carriedAs(episode.cause.kind, episode.cause.value)
  const also = sharedBy(episode).flatMap(({ cause, share }) => (cause === own ? [] : [{ ...carriedIn(cause), share }]))
  return { cause: { ...episode.cause, share: 1 }, also: also.slice(0, INCIDENT_LIMITS.also) }
}

/** The next revision of an episode's incident, which keeps the id of the first, whatever comes later. */
export const render = (tenant: string, episode: Episode, finding: Finding): Incident => {
  const { told, members, alerts } = episode
  const causes = episode.kind === 'common_cause' ? causesOf(episode) : { cause: { ...episode.cause, share: 1 }, also: [] }
  const inOrder = [...members.values()].sort((a, b) => a.firstSeen - b.firstSeen || (a.id < b.id ? -1 : 1))
  const identities = inOrder.slice(0, INCIDENT_LIMITS.identities).map(({ id, kind, events, score, firstSeen, lastSeen }) => ({
    id,
    kind: IDENTITY_KINDS[kind] ?? 'service',
    events,
    score,
    firstSeen,
    lastSeen,
  }))
  return {
    v: 1,
    id: told?.id ?? incidentId(tenant, episode.kind, episode.cause.kind, episode.cause.value, episode.first),
    revision: (told?.revision ?? 0) + 1,
    activity: told === null ? 'create' : 'update',
    tenant,
    kind: episode.kind,
    severity: severityOf(episode, finding),
    ...causes,
    identities,
    identityCount: members.size + episode.others,
    ...(finding.kind === 'common_cause' ? { usual: finding.crowd.usual } : {}),
    ...(finding.kind === 'split_flow' ? { steps: stepsOf(finding.chain) } : {}),
    alerts: [...alerts.keys()].sort().slice(0, INCIDENT_LIMITS.alerts),
    alertCount: alerts.size,
    events: episode.events,
    evidence: episode.evidence.map(({ shard, offset }) => ({ topic: TOPIC, shard, offset })),
    firstSeen: episode.first,
    lastSeen: episode.last,
    late: episode.late,
    techniques: [...TECHNIQUES[episode.kind]],
    text: textOf(episode, finding, causes),
  }
}
