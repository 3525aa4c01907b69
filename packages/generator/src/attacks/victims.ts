import type { AttackKind } from '../options.ts'
import { ROLES } from '../roles.ts'
import type { Member } from '../world.ts'

const OFFICE_WORKERS = ['sales', 'hr', 'finance', 'marketing', 'analyst', 'support-staff', 'exec-assistant']

/** Who sends what others have gathered. */
export const WRITERS = ['exec-agent', 'sales-copilot']

/** Roles whose members an attack can befall. */
export const VICTIM_ROLES: Readonly<Record<AttackKind, readonly string[]>> = {
  hr_access: ['support-bot'],
  exfil_overnight: ['research-assistant'],
  hijack: ['support-bot', 'research-assistant', 'exec-agent', 'sales-copilot', 'coding-agent', 'helpdesk-bot', 'legal-reviewer'],
  burst: ['monitor', 'line-robot'],
  slow_ramp: ['sales', 'analyst', 'engineer', 'sales-copilot'],
  off_hours: OFFICE_WORKERS,
  impossible_travel: [...OFFICE_WORKERS, 'engineer'],
  credential_misuse: ['sales', 'hr', 'finance', 'support-staff', 'analyst', 'sales-copilot', 'finance-agent', 'pipeline'],
  lateral_movement: ['engineer', 'support-staff', 'coding-agent', 'pipeline', 'analyst'],
  bad_tool_fleet: ROLES.filter((r) => r.kind === 'agent' && r.rare.some((t) => t.action === 'pdf.convert')).map((r) => r.name),
  probing: ['engineer', 'sales', 'support-bot', 'coding-agent', 'support-staff', 'marketing'],
  split_flow: WRITERS,
}

/** Roles whose ordinary life looks like the attack. */
export const TWIN_ROLES: Readonly<Record<AttackKind, readonly string[]>> = {
  hr_access: ['hr-assistant', 'helpdesk-bot'],
  exfil_overnight: ['research-assistant', 'backup'],
  hijack: VICTIM_ROLES.hijack,
  burst: ['crawler'],
  slow_ramp: ['marketing'],
  off_hours: ['oncall'],
  impossible_travel: [...OFFICE_WORKERS, 'engineer', 'oncall'],
  credential_misuse: ['sales', 'hr', 'finance', 'engineer', 'analyst'],
  lateral_movement: ['scanner', 'sre-bot'],
  bad_tool_fleet: ROLES.filter((r) => r.kind === 'agent' && r.name !== 'sre-bot').map((r) => r.name),
  probing: ROLES.filter((r) => r.person || r.kind === 'agent').map((r) => r.name),
  split_flow: WRITERS,
}

/** Whether an attack, or its twin, can be placed on this member. */
export const applies = (kind: AttackKind, twin: boolean, m: Member): boolean => {
  if (!(twin ? TWIN_ROLES : VICTIM_ROLES)[kind].includes(m.role.name)) return false
  if (twin && kind === 'impossible_travel') return m.traits.vpn
  if (twin && kind === 'exfil_overnight') return m.traits.habit || m.role.name === 'backup'
  return true
}
