import type { Alert, Severity } from '@plumbline/schemas'

export interface SampleOptions {
  readonly id: string
  readonly revision?: number
  readonly tenant?: string
  readonly identity?: string
  readonly severity?: Severity
  readonly firstSeen?: number
  readonly lastSeen?: number
  readonly historic?: boolean
}

/** A valid alert for tests of paging and transport; its words are those of the issue, not the detector's. */
export function sampleAlert(options: SampleOptions): Alert {
  const firstSeen = options.firstSeen ?? 1_790_000_000_000
  const position = { topic: 'plumbline.events', shard: 3, offset: 41 }
  return {
    v: 1,
    id: options.id,
    revision: options.revision ?? 1,
    activity: (options.revision ?? 1) === 1 ? 'create' : 'update',
    family: 'sensitive_access',
    groupKey: 'g',
    severity: options.severity ?? 'high',
    score: 97,
    risk: 91,
    critical: false,
    historic: options.historic ?? false,
    facts: {
      tenant: options.tenant ?? 'default',
      identity: { id: options.identity ?? 'support-bot', kind: 'agent', attested: 'mtls', owner: 'CX Platform', criticality: 2 },
      onBehalfOf: 'u-4821',
      session: 's-1',
      action: 'sql.query',
      resource: { id: 'hr.employees', class: 'hr', sensitivity: 3 },
      outcome: 'success',
      time: firstSeen,
      reasons: [
        {
          family: 'sensitive_access',
          feature: 'own_class_surprise',
          object: 'hr',
          observed: { value: 1, unit: 'events' },
          first: true,
          peers: { count: 11, doing: 0 },
          weight: 0.7,
        },
      ],
      baseline: { days: 41, events: 81_244, maturity: 0.97, peerGroup: 'support', peers: 11, modelled: true },
      tailProbability: 1e-7,
      notVisible: ['arguments'],
    },
    text: {
      headline: 'support-bot (owner CX Platform) read HR 214 times in 6 min for user u-4821.',
      normal: 'In 41 days it never read HR; none of its 11 peers do.',
      why: 'HR records are restricted.',
      certainty: 'Very sure. Not visible: tool arguments.',
      firstStep: 'Pause grant hr.read.',
    },
    techniques: [{ uid: 'AML.T0085.001', name: 'Data from AI services: agent tools', framework: 'ATLAS' }],
    firstSeen,
    lastSeen: options.lastSeen ?? firstSeen,
    count: 214,
    suppressed: 213,
    evidence: [position],
    replay: { position, releaseId: 'r0', stateVersion: 1, configHash: 'c', policyHash: 'p', detectorVersion: '0.1.0', catalogueHash: 'f' },
  }
}
