import type { PolicyInput } from '@plumbline/schemas'
import { ROLES } from './roles.ts'
import { TOOLS } from './tools.ts'

const OWNERS: Readonly<Record<string, readonly [owner: string, purpose: string, criticality: 1 | 2 | 3]>> = {
  'support-bot': ['CX Platform', "Answers customers' tickets", 2],
  'research-assistant': ['Research', 'Surveys literature and prepares data', 2],
  'hr-assistant': ['People Operations', 'Answers staff about their records and runs onboarding', 3],
  'finance-agent': ['Finance Systems', 'Checks and pays invoices', 3],
  'coding-agent': ['Developer Experience', 'Changes and reviews code', 2],
  'sre-bot': ['Reliability', 'Watches production and repairs it', 3],
  'sales-copilot': ['Sales Operations', 'Prepares calls and follows up', 2],
  'marketing-writer': ['Brand', 'Drafts campaigns and posts', 1],
  'exec-agent': ['Office of the CEO', 'Sorts mail and briefs executives', 3],
  'legal-reviewer': ['Legal', 'Reviews contracts', 2],
  'helpdesk-bot': ['IT Service', 'Helps staff with accounts and access', 2],
  pipeline: ['Data Platform', 'Moves data between stores', 2],
  backup: ['Infrastructure', 'Backs up volumes every night', 2],
  monitor: ['Reliability', 'Probes services at a constant rate', 1],
  'line-robot': ['Plant 2', 'Reports the state of a production line', 2],
  'billing-batch': ['Finance Systems', 'Charges accounts', 3],
  crawler: ['Search', 'Fetches the public web for the index', 1],
  scanner: ['Security', 'Scans hosts in every segment', 2],
}

/**
 * The policy file this company would write: who owns which agent and service, and what its tools touch (which events of
 * stock telemetry do not say). Knows nothing of attacks.
 */
export const companyPolicy = (): PolicyInput => ({
  identities: ROLES.filter((r) => !r.person).map((r) => {
    const [owner, purpose, criticality] = OWNERS[r.name]!
    return {
      match: `${r.name}-*`,
      owner,
      purpose,
      criticality,
      contact: `${owner.toLowerCase().replaceAll(' ', '-')}@acme.example`,
      peerGroup: r.name,
      segment: r.segment,
    }
  }),
  resources: [
    ...TOOLS.map((t) => ({
      match: { action: t.action },
      class: t.class,
      sensitivity: t.sensitivity,
      segment: t.segment,
      ...(t.untrusted >= 0.5 ? { untrusted: true } : {}),
    })),
    ...['acme.example', '*.acme.example', 'llm.gateway.example', 'vault.backup.example'].map((destination) => ({
      match: { destination },
      external: false,
    })),
  ],
})
