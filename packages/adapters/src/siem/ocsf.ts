import { MATRIX_VERSIONS } from '@plumbline/detector'
import type { Alert, Quantity, Reason, ReasonFamily } from '@plumbline/schemas'

export const OCSF_VERSION = '1.8.0'

export interface ProductInfo {
  readonly name: string
  readonly vendorName: string
  readonly version: string
}

const ACTIVITY = { create: [1, 'Create'], update: [2, 'Update'], close: [3, 'Close'] } as const
const SEVERITY = { low: [2, 'Low'], medium: [3, 'Medium'], high: [4, 'High'], critical: [5, 'Critical'] } as const
const RISK = ['Info', 'Low', 'Medium', 'High', 'Critical'] as const

/** What OCSF calls the kind of analysis, and the pattern of a first time or an excess. */
const ANALYSIS: Readonly<Record<ReasonFamily, readonly [type: string, first: string, more: string]>> = {
  sensitive_access: ['Association Analysis', 'UNSEEN', 'FREQUENT'],
  toxic_flow: ['Sequence Analysis', 'UNSEEN', 'UNUSUAL_SEQUENCE'],
  new_destination: ['Association Analysis', 'UNSEEN', 'FREQUENT'],
  volume: ['Volume Analysis', 'SURGE', 'HIGH_VOLUME'],
  rate: ['Velocity Analysis', 'SURGE', 'HIGH_RATE'],
  enumeration: ['Distribution Analysis', 'UNSEEN', 'HIGH_VOLUME'],
  new_behaviour: ['Frequency Analysis', 'UNSEEN', 'RARE'],
  off_hours: ['Time Pattern Analysis', 'UNUSUAL_TIME', 'OFF_HOURS'],
  source: ['Association Analysis', 'UNSEEN', 'RARE'],
  travel: ['Velocity Analysis', 'IMPOSSIBLE', 'IMPOSSIBLE'],
  shared_credential: ['Association Analysis', 'UNSEEN', 'FREQUENT'],
  lateral_movement: ['Sequence Analysis', 'UNSEEN', 'RARE'],
  probing: ['Frequency Analysis', 'UNSEEN', 'FREQUENT'],
  drift: ['Deviation Analysis', 'DRIFT', 'DRIFT'],
  version_change: ['Deviation Analysis', 'UNSEEN', 'CHANGED'],
  policy: ['Association Analysis', 'FORBIDDEN', 'FORBIDDEN'],
  combination: ['Behavioral Clustering', 'UNUSUAL_COMBINATION', 'UNUSUAL_COMBINATION'],
}

/**
 * An alert as OCSF 1.8 Detection Finding (class 2004). `finding_info.uid` is the alert's id and never changes;
 * `metadata.sequence` is its revision: consumers keep the highest. What OCSF has no place for is under `unmapped`.
 */
export const toOcsf = (alert: Alert, product: ProductInfo): Record<string, unknown> => {
  const [activityId, activityName] = ACTIVITY[alert.activity]
  const [severityId, severity] = SEVERITY[alert.severity]
  const riskId = alert.risk >= 90 ? 4 : alert.risk >= 70 ? 3 : alert.risk >= 40 ? 2 : alert.risk >= 10 ? 1 : 0
  const { facts } = alert
  return {
    activity_id: activityId,
    activity_name: activityName,
    category_uid: 2,
    category_name: 'Findings',
    class_uid: 2004,
    class_name: 'Detection Finding',
    type_uid: 200_400 + activityId,
    type_name: `Detection Finding: ${activityName}`,
    time: alert.lastSeen,
    start_time: alert.firstSeen,
    end_time: alert.lastSeen,
    count: Math.max(1, alert.count),
    severity_id: severityId,
    severity,
    status_id: alert.activity === 'close' ? 4 : 1,
    status: alert.activity === 'close' ? 'Resolved' : 'New',
    is_alert: alert.activity !== 'close' && !alert.historic,
    message: alert.text.headline,
    risk_score: Math.round(alert.risk),
    risk_level_id: riskId,
    risk_level: RISK[riskId],
    confidence_score: Math.round(facts.baseline.maturity * 100),
    confidence_id: facts.baseline.maturity >= 0.7 ? 3 : facts.baseline.maturity >= 0.3 ? 2 : 1,
    metadata: {
      version: OCSF_VERSION,
      product: { name: product.name, vendor_name: product.vendorName, version: product.version },
      uid: `${alert.id}:${alert.revision}`,
      sequence: alert.revision,
      tenant_uid: facts.tenant,
    },
    finding_info: findingInfo(alert),
    anomaly_analyses: [anomalyAnalysis(alert)],
    evidences: [evidence(alert)],
    resources: [
      {
        name: facts.resource.id ?? facts.resource.class,
        type: facts.resource.class,
        ...(facts.resource.id === undefined ? {} : { uid: facts.resource.id }),
      },
    ],
    remediation: { desc: alert.text.firstStep },
    unmapped: unmapped(alert),
  }
}

const findingInfo = (alert: Alert): Record<string, unknown> => ({
  uid: alert.id,
  title: alert.text.headline,
  desc: [alert.text.normal, alert.text.why, alert.text.certainty].join(' '),
  types: [alert.family],
  created_time: alert.firstSeen,
  modified_time: alert.lastSeen,
  first_seen_time: alert.firstSeen,
  last_seen_time: alert.lastSeen,
  analytic: {
    uid: `plumbline.${alert.family}`,
    name: `Plumbline: ${alert.family}`,
    ...analyticType(alert),
    version: alert.replay.detectorVersion,
  },
  attacks: alert.techniques
    .filter(({ framework }) => framework !== 'OWASP')
    .map((t) => ({ technique: { uid: t.uid, name: t.name }, version: MATRIX_VERSIONS[t.framework] })),
  ...owaspTags(alert),
  related_events_count: Math.max(1, alert.count),
  related_events: alert.evidence.map((p) => ({ uid: `${p.topic}/${p.shard}/${p.offset}` })),
})

/** `attacks` is for the matrices of MITRE; entries of other lists are tags. */
const owaspTags = ({ techniques }: Alert): Record<string, unknown> => {
  const values = techniques.filter(({ framework }) => framework === 'OWASP').map(({ uid, name }) => `${uid} ${name}`)
  return values.length === 0 ? {} : { tags: [{ name: `OWASP Top 10 for Agentic Applications ${MATRIX_VERSIONS.OWASP}`, values }] }
}

/** What spoke: a rule, or the score; and that is learned only once there is a model. */
const analyticType = ({ critical, facts }: Alert): Record<string, unknown> => {
  if (critical) return { type_id: 1, type: 'Rule' }
  return facts.baseline.modelled ? { type_id: 4, type: 'Learning (ML/DL)' } : { type_id: 3, type: 'Statistical' }
}

const anomalyAnalysis = (alert: Alert): Record<string, unknown> => {
  const { facts } = alert
  const days = Math.max(0, Math.round(facts.baseline.days))
  return {
    analysis_targets: [{ name: facts.identity.id, type: TARGET[facts.identity.kind] }],
    anomalies: facts.reasons.map((r) => ({
      observation_parameter: parameterOf(r),
      observation_type: ANALYSIS[r.family][0],
      observed_pattern: isNew(r) ? ANALYSIS[r.family][1] : ANALYSIS[r.family][2],
      observations: [{ value: valueOf(r.observed, r.object), count: Math.max(1, alert.count), timespan: spanOf(r.observed, alert) }],
    })),
    baselines: facts.reasons.map((r) => ({
      observation_parameter: parameterOf(r),
      observation_type: ANALYSIS[r.family][0],
      observed_pattern: isNew(r) ? 'UNSEEN' : 'NORMAL',
      observations: [
        {
          value: r.typical === undefined ? (isNew(r) ? 'never' : 'not known') : valueOf(r.typical, undefined),
          count: Math.max(0, Math.round(facts.baseline.events)),
          timespan: { type_id: 5, type: 'Days', duration_days: days },
        },
        ...(r.peers === undefined ? [] : [{ value: `${r.peers.doing} of ${r.peers.count} peers`, count: r.peers.doing }]),
      ],
    })),
  }
}

/** Only what is known never to have happened is new; where the usual amount is not known, nothing is said. */
const isNew = (r: Reason): boolean => r.first === true

const TARGET = { agent: 'AI Agent', user: 'User Account', service: 'Service Account' } as const

const parameterOf = (r: Reason): string =>
  `${r.feature} (${r.observed.unit}${r.observed.perMs === undefined ? '' : ` per ${Math.round(r.observed.perMs / 1000)} s`})`

const valueOf = (q: Quantity, object: string | undefined): string =>
  `${Number.isFinite(q.value) ? q.value : 0} ${q.unit}${object === undefined ? '' : `: ${object}`}`

const spanOf = (q: Quantity, alert: Alert): Record<string, unknown> =>
  q.perMs === undefined
    ? { type_id: 9, type: 'Time Interval', start_time: alert.firstSeen, end_time: alert.lastSeen }
    : { type_id: 1, type: 'Milliseconds', duration: Math.round(q.perMs), end_time: alert.lastSeen }

const evidence = (alert: Alert): Record<string, unknown> => {
  const { facts } = alert
  const person = facts.identity.kind === 'user'
  return {
    name: facts.action,
    uid: alert.evidence[0] === undefined ? alert.id : `${alert.evidence[0].topic}/${alert.evidence[0].shard}/${alert.evidence[0].offset}`,
    actor: {
      user: {
        uid: facts.identity.id,
        name: facts.identity.id,
        type_id: person ? 1 : 99,
        type: person ? 'User' : TARGET[facts.identity.kind],
      },
      ...(facts.session === undefined ? {} : { session: { uid: facts.session } }),
    },
    api: { operation: facts.action, service: { name: facts.resource.class } },
    ...(facts.destination === undefined ? {} : { dst_endpoint: { name: facts.destination } }),
    data: { reasons: facts.reasons },
  }
}

const unmapped = (alert: Alert): Record<string, unknown> => ({
  schema: 'plumbline.alert.v1',
  revision: alert.revision,
  family: alert.family,
  group_key: alert.groupKey,
  score: alert.score,
  critical: alert.critical,
  historic: alert.historic,
  suppressed: alert.suppressed,
  tail_probability: alert.facts.tailProbability,
  not_visible: alert.facts.notVisible,
  text: alert.text,
  counterfactual: alert.counterfactual ?? null,
  owner: alert.facts.identity.owner ?? null,
  contact: alert.facts.identity.contact ?? null,
  on_behalf_of: alert.facts.onBehalfOf ?? null,
  attested: alert.facts.identity.attested ?? null,
  announced_change: alert.facts.announced ?? null,
  unannounced_parts: alert.facts.change?.unannounced ?? null,
  replay: alert.replay,
})
