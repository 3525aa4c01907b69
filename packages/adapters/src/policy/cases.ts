import { compilePolicy, goesOutside, isExternalDestination, judge } from '@plumbline/detector/policy'
import { type Policy, REASON_FAMILIES } from '@plumbline/schemas'
import { z } from 'zod'

const text = z.string().min(1).max(512)

/** What a policy is expected to say of one act; `plumbline policy test` reads a list of them. Only stated expectations are checked. */
export const PolicyCase = z.strictObject({
  name: text,
  identity: text.default('nobody'),
  action: text.default('read'),
  class: text.default('other'),
  resource: text.optional(),
  destination: text.optional(),
  from: text.optional().meta({ description: "Segment the event says it acts from; absent: the policy's word on the identity." }),
  to: text.optional().meta({ description: "Segment the event says it reaches; absent: the policy's word on the resource." }),
  family: z.enum(REASON_FAMILIES).default('combination').meta({ description: 'Reason family an exception or a calendar would quiet.' }),
  time: z.iso.datetime({ offset: true }).optional().meta({ description: 'When; needed for exceptions, maintenance and calendars.' }),
  expect: z.strictObject({
    class: text.optional(),
    sensitivity: z.number().int().min(0).max(3).optional(),
    segment: text.nullable().optional().meta({ description: 'Segment of the resource.' }),
    home: text.nullable().optional().meta({ description: 'Segment the identity acts from.' }),
    untrusted: z.boolean().optional(),
    external: z.boolean().optional(),
    rule: z.enum(['allow', 'deny', 'none']).optional(),
    owner: text.nullable().optional(),
    criticality: z.number().int().optional(),
    peerGroup: text.nullable().optional(),
    exception: text.nullable().optional().meta({ description: 'Id of the exception that applies, or null for none.' }),
    maintenance: text.nullable().optional(),
    calendar: text.nullable().optional().meta({ description: 'Name of the calendar that applies, or null for none.' }),
    segments: z.enum(['allowed', 'forbidden', 'learned']).optional(),
  }),
})
export type PolicyCase = z.infer<typeof PolicyCase>
export const PolicyCases = z.array(PolicyCase).max(10_000)

export interface CaseResult {
  readonly name: string
  readonly ok: boolean
  readonly differences: readonly { readonly field: string; readonly expected: unknown; readonly got: unknown }[]
}

/** Runs cases against a policy. Pure; times come from the cases alone. */
export const testPolicy = (policy: Policy, cases: readonly PolicyCase[]): readonly CaseResult[] => {
  const compiled = compilePolicy(policy)
  return cases.map((c) => {
    const { identity, action, resource, destination, from, to } = c
    const said = judge(compiled, { identity, action, class: c.class, resource, destination, from, to })
    const who = compiled.identityOf(identity)
    const named = said.resource.class ?? c.class
    const at = c.time === undefined ? 0 : Date.parse(c.time)
    const got: Readonly<Record<keyof PolicyCase['expect'], unknown>> = {
      class: named,
      sensitivity: said.resource.sensitivity,
      segment: to ?? said.to ?? null,
      home: from ?? said.from ?? null,
      untrusted: said.resource.untrusted,
      external: goesOutside(said.resource, destination === undefined ? undefined : isExternalDestination(destination)),
      rule: said.rule?.effect ?? 'none',
      owner: who.owner ?? null,
      criticality: who.criticality,
      peerGroup: who.peerGroup ?? null,
      exception: compiled.exceptionFor(identity, c.family, named, at) ?? null,
      maintenance: compiled.inMaintenance(identity, at) ?? null,
      calendar: compiled.calendarFor(identity, c.family, at) ?? null,
      segments: said.way,
    }
    const differences = Object.entries(c.expect)
      .filter(([field, expected]) => expected !== undefined && got[field as keyof typeof got] !== expected)
      .map(([field, expected]) => ({ field, expected, got: got[field as keyof typeof got] }))
    return { name: c.name, ok: differences.length === 0, differences }
  })
}
