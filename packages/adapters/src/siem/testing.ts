import { Alert, type ReasonFamily, type Severity } from '@plumbline/schemas'

/** A whole, valid alert for tests; `n` makes its id and time. */
export const alertFor = (
  n: number,
  change: Partial<Alert> & {
    readonly tenant?: string
    readonly identity?: string
    readonly family?: ReasonFamily
    readonly severity?: Severity
  } = {},
): Alert => {
  const { tenant = 'default', identity = 'support-bot', ...rest } = change
  const time = Date.UTC(2026, 10, 22, 3, 0, 0) + n * 1000
  return Alert.parse({
    v: 1,
    id: `00000000-0000-5000-8000-${String(n).padStart(12, '0')}`,
    revision: 1,
    activity: 'create',
    family: 'sensitive_access',
    groupKey: 'sensitive_access:hr',
    severity: 'high',
    score: 97.5,
    risk: 81,
    critical: false,
    historic: false,
    facts: {
      tenant,
      identity: { id: identity, kind: 'agent', owner: 'CX Platform', criticality: 2 },
      onBehalfOf: 'u-4821',
      session: 's-1',
      action: 'hr.read',
      resource: { id: 'employees/1', class: 'hr', sensitivity: 3 },
      destination: 'drop.example',
      outcome: 'success',
      time,
      reasons: [
        {
          family: 'sensitive_access',
          feature: 'sensitive_first',
          object: 'hr',
          observed: { value: 1, unit: 'events' },
          first: true,
          peers: { count: 11, doing: 0 },
          weight: 0.7,
        },
        {
          family: 'volume',
          feature: 'bytes_in_hour',
          observed: { value: 9e6, unit: 'bytes', perMs: 3_600_000 },
          typical: { value: 2e5, unit: 'bytes', perMs: 3_600_000 },
          weight: 0.3,
        },
      ],
      baseline: { days: 41, events: 18_240, maturity: 0.95, peerGroup: 'support', peers: 11, modelled: true },
      tailProbability: 1e-6,
      notVisible: ['arguments'],
    },
    text: {
      headline: 'support-bot (agent, owner CX Platform) read HR 214 times in 6 min, on behalf of u-4821.',
      normal: 'In 41 days it never read HR; none of its 11 peers do.',
      why: 'This is restricted data: HR.',
      certainty: 'Not visible: tool arguments.',
      firstStep: 'Pause its grant to read HR.',
    },
    techniques: [{ uid: 'AML.T0085.001', name: 'Data from AI Services: AI Agent Tools', framework: 'ATLAS' }],
    firstSeen: time,
    lastSeen: time + 360_000,
    count: 214,
    suppressed: 190,
    evidence: [{ topic: 'events', shard: 3, offset: 1000 + n }],
    counterfactual: 'It would have stayed quiet had this much use of HR been usual for it and its peers.',
    replay: {
      position: { topic: 'events', shard: 3, offset: 1000 + n },
      releaseId: 'r0',
      stateVersion: 1,
      configHash: 'c',
      policyHash: 'p',
      detectorVersion: '0.1.0',
      catalogueHash: 'k',
    },
    ...rest,
  })
}

export const product = { name: 'Plumbline', vendorName: 'Plumbline', version: '0.1.0' }
