import type { ReasonFamily, Technique } from '@plumbline/schemas'

/** Releases of the matrices and lists that the names and ids below are taken from. */
export const MATRIX_VERSIONS: Readonly<Record<Technique['framework'], string>> = { ATLAS: '5.6', 'ATT&CK': '17.1', OWASP: '2026' }

const atlas = (uid: string, name: string): Technique => ({ uid, name, framework: 'ATLAS' })
const attack = (uid: string, name: string): Technique => ({ uid, name, framework: 'ATT&CK' })
/** OWASP Top 10 for Agentic Applications. */
const owasp = (uid: string, name: string): Technique => ({ uid, name, framework: 'OWASP' })

const EXFILTRATION_TOOL = atlas('AML.T0086', 'Exfiltration via AI Agent Tool Invocation')
const AGENT_TOOLS_DATA = atlas('AML.T0085.001', 'Data from AI Services: AI Agent Tools')
const INDIRECT_INJECTION = atlas('AML.T0051.001', 'LLM Prompt Injection: Indirect')
const TOOL_INVOCATION = atlas('AML.T0053', 'AI Agent Tool Invocation')
const CONTEXT_POISONING = atlas('AML.T0080', 'AI Agent Context Poisoning')
const RESOURCE_CONSUMPTION = atlas('AML.T0034.002', 'Cost Harvesting: Agentic Resource Consumption')
const ACCESS_TOKEN = atlas('AML.T0091.000', 'Use Alternate Authentication Material: Application Access Token')

const RUG_PULL = atlas('AML.T0109', 'AI Supply Chain Rug Pull')
const TOOL_POISONING = atlas('AML.T0110', 'AI Agent Tool Poisoning')

const GOAL_HIJACK = owasp('ASI01', 'Agent Goal Hijack')
const TOOL_MISUSE = owasp('ASI02', 'Tool Misuse and Exploitation')
const IDENTITY_ABUSE = owasp('ASI03', 'Identity and Privilege Abuse')
const AGENT_SUPPLY_CHAIN = owasp('ASI04', 'Agentic Supply Chain Vulnerabilities')
const ROGUE_AGENT = owasp('ASI10', 'Rogue Agents')

const REPOSITORY_DATA = attack('T1213', 'Data from Information Repositories')
const VALID_ACCOUNTS = attack('T1078', 'Valid Accounts')
const WEB_EXFILTRATION = attack('T1567', 'Exfiltration Over Web Service')
const AUTOMATED_COLLECTION = attack('T1119', 'Automated Collection')
const AUTOMATED_EXFILTRATION = attack('T1020', 'Automated Exfiltration')
const SIZE_LIMITS = attack('T1030', 'Data Transfer Size Limits')
const ALTERNATE_MATERIAL = attack('T1550', 'Use Alternate Authentication Material')
const REMOTE_SERVICES = attack('T1021', 'Remote Services')
const BRUTE_FORCE = attack('T1110', 'Brute Force')
const PERMISSION_DISCOVERY = attack('T1069', 'Permission Groups Discovery')
const DENIAL = attack('T1499', 'Endpoint Denial of Service')
const SUPPLY_CHAIN = attack('T1195', 'Supply Chain Compromise')

interface Row {
  readonly agent: readonly Technique[]
  readonly other: readonly Technique[]
}

/** Techniques a departure of this kind is consistent with. Empty: naming one would be a guess. */
const TECHNIQUES: Readonly<Record<ReasonFamily, Row>> = {
  sensitive_access: { agent: [AGENT_TOOLS_DATA, REPOSITORY_DATA, IDENTITY_ABUSE], other: [REPOSITORY_DATA, VALID_ACCOUNTS] },
  toxic_flow: { agent: [INDIRECT_INJECTION, EXFILTRATION_TOOL, CONTEXT_POISONING, GOAL_HIJACK], other: [WEB_EXFILTRATION] },
  new_destination: { agent: [EXFILTRATION_TOOL, TOOL_MISUSE], other: [WEB_EXFILTRATION] },
  volume: { agent: [EXFILTRATION_TOOL, AUTOMATED_EXFILTRATION, TOOL_MISUSE], other: [AUTOMATED_EXFILTRATION, WEB_EXFILTRATION] },
  rate: { agent: [RESOURCE_CONSUMPTION, TOOL_INVOCATION, TOOL_MISUSE], other: [DENIAL, AUTOMATED_COLLECTION] },
  enumeration: { agent: [AGENT_TOOLS_DATA, AUTOMATED_COLLECTION, TOOL_MISUSE], other: [AUTOMATED_COLLECTION, REPOSITORY_DATA] },
  new_behaviour: { agent: [TOOL_INVOCATION, ROGUE_AGENT], other: [VALID_ACCOUNTS] },
  off_hours: { agent: [VALID_ACCOUNTS], other: [VALID_ACCOUNTS] },
  source: { agent: [ACCESS_TOKEN, VALID_ACCOUNTS, IDENTITY_ABUSE], other: [VALID_ACCOUNTS] },
  travel: { agent: [ACCESS_TOKEN, VALID_ACCOUNTS, IDENTITY_ABUSE], other: [VALID_ACCOUNTS] },
  shared_credential: { agent: [ACCESS_TOKEN, ALTERNATE_MATERIAL, IDENTITY_ABUSE], other: [ALTERNATE_MATERIAL, VALID_ACCOUNTS] },
  lateral_movement: { agent: [REMOTE_SERVICES, TOOL_INVOCATION, IDENTITY_ABUSE], other: [REMOTE_SERVICES] },
  probing: { agent: [TOOL_INVOCATION, PERMISSION_DISCOVERY, IDENTITY_ABUSE], other: [BRUTE_FORCE, PERMISSION_DISCOVERY] },
  drift: { agent: [EXFILTRATION_TOOL, SIZE_LIMITS, ROGUE_AGENT], other: [SIZE_LIMITS] },
  version_change: { agent: [SUPPLY_CHAIN, RUG_PULL, TOOL_POISONING, AGENT_SUPPLY_CHAIN], other: [SUPPLY_CHAIN] },
  policy: { agent: [TOOL_INVOCATION, VALID_ACCOUNTS, IDENTITY_ABUSE], other: [VALID_ACCOUNTS] },
  combination: { agent: [], other: [] },
}

/** Families that have no entry in the OWASP list, and why. */
export const WITHOUT_OWASP: Partial<Readonly<Record<ReasonFamily, string>>> = {
  off_hours: 'the list has no entry for when an agent acts',
  combination: 'naming an entry would be a guess',
}

/**
 * MITRE ATLAS and ATT&CK techniques an alert is consistent with, by the family of its reasons, heaviest first, and entries of the
 * OWASP Top 10 for Agentic Applications; at most 8. Agents get those of ATLAS and OWASP, people and services those of ATT&CK.
 */
export const techniquesOf = (families: readonly ReasonFamily[], kind: string): readonly Technique[] => {
  const found = new Map<string, Technique>()
  for (const family of families.slice(0, 2)) for (const t of TECHNIQUES[family][kind === 'agent' ? 'agent' : 'other']) found.set(t.uid, t)
  return [...found.values()].slice(0, 8)
}
