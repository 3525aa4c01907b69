import type { ReasonFamily } from './alert.ts'

export type FeatureSource = 'event' | 'own' | 'peer' | 'global' | 'window' | 'session'

export interface Feature {
  readonly name: string
  readonly unit: 'nats' | 'ratio' | 'log' | 'flag' | 'count' | 'unit circle'
  readonly range: readonly [number, number]
  readonly source: FeatureSource
  readonly family: ReasonFamily
  /** Counts into the sum of statistical surprise. */
  readonly surprise: boolean
  /** How many times it counts there: what is new is mostly honest, a target that was planted is not. */
  readonly weight: number
  readonly doc: string
}

const f = (
  name: string,
  unit: Feature['unit'],
  range: readonly [number, number],
  source: FeatureSource,
  family: ReasonFamily,
  surprise: boolean,
  doc: string,
  weight = 1,
): Feature => ({ name, unit, range, source, family, surprise, weight, doc })

/**
 * The feature vector, in order. Surprises are minus the natural logarithm of a tail or category probability
 * (0 to 20 nats), so that they add. Append or change only with a new catalogue hash.
 */
export const FEATURES: readonly Feature[] = [
  f('action_own', 'nats', [0, 20], 'own', 'new_behaviour', true, 'Rarity of the action for this identity.'),
  f('action_peer', 'nats', [0, 20], 'peer', 'new_behaviour', true, 'Rarity of the action in the peer group.'),
  f('action_global', 'nats', [0, 20], 'global', 'new_behaviour', true, 'Rarity of the action in the tenant.'),
  f('class_own', 'nats', [0, 20], 'own', 'sensitive_access', true, 'Rarity of the resource class for this identity.'),
  f('class_peer', 'nats', [0, 20], 'peer', 'sensitive_access', true, 'Rarity of the resource class in the peer group.'),
  f(
    'identity_new',
    'nats',
    [0, 20],
    'global',
    'new_behaviour',
    true,
    'First events of an identity, against how rarely new ones appear in the tenant.',
  ),
  f('transition_own', 'nats', [0, 20], 'own', 'new_behaviour', true, 'Rarity of this action after the previous one in the session.'),
  f('transition_peer', 'nats', [0, 20], 'peer', 'new_behaviour', true, 'The same, in the peer group.'),
  f('destination_own', 'nats', [0, 20], 'own', 'new_destination', true, 'Rarity of the destination for this identity.'),
  f('destination_peer', 'nats', [0, 20], 'peer', 'new_destination', true, 'Rarity of the destination in the peer group.'),
  f('destination_global', 'nats', [0, 20], 'global', 'new_destination', true, 'Rarity of the destination in the tenant.'),
  f('destination_first', 'flag', [0, 1], 'own', 'new_destination', false, 'First use of the destination by this identity.'),
  f(
    'destination_lured',
    'nats',
    [0, 20],
    'own',
    'new_destination',
    true,
    'A destination that nobody here used before and a tool result named, against how often this identity goes to such.',
    3,
  ),
  f(
    'destination_untold',
    'flag',
    [0, 1],
    'event',
    'new_destination',
    false,
    'Destination not named by the user: from a tool result or from nowhere.',
  ),
  f('resource_first', 'nats', [0, 20], 'own', 'enumeration', true, 'A resource not seen before, against how often that happens.', 0.5),
  f('enumeration_hour', 'nats', [0, 20], 'window', 'enumeration', true, 'Distinct resources in the hour.'),
  f('hour_own', 'nats', [0, 20], 'own', 'off_hours', true, 'Rarity of the hour of the week for this identity.'),
  f('hour_peer', 'nats', [0, 20], 'peer', 'off_hours', true, 'Rarity of the hour of the week in the peer group.'),
  f('hour_sin', 'unit circle', [-1, 1], 'event', 'off_hours', false, 'Hour of day, sine.'),
  f('hour_cos', 'unit circle', [-1, 1], 'event', 'off_hours', false, 'Hour of day, cosine.'),
  f('bytes_out_own', 'nats', [0, 20], 'own', 'volume', true, 'Tail of the bytes sent by one event.'),
  f('bytes_in_own', 'nats', [0, 20], 'own', 'volume', true, 'Tail of the bytes read by one event.'),
  f('duration_own', 'nats', [0, 20], 'own', 'rate', false, 'Tail of the duration.'),
  f('tokens_own', 'nats', [0, 20], 'own', 'volume', true, 'Tail of the tokens used.'),
  f('gap_own', 'nats', [0, 20], 'own', 'rate', true, 'Lower tail of the time since the last event.'),
  f('bytes_out_log', 'log', [0, 45], 'event', 'volume', false, 'log(1 + bytes sent).'),
  f('bytes_in_log', 'log', [0, 45], 'event', 'volume', false, 'log(1 + bytes read).'),
  f('rate_minute', 'nats', [0, 20], 'window', 'rate', true, 'Events in the minute.'),
  f('rate_hour', 'nats', [0, 20], 'window', 'rate', true, 'Events in the hour.'),
  f('rate_day', 'nats', [0, 20], 'window', 'rate', true, 'Events in the day.'),
  f('bytes_out_minute', 'nats', [0, 20], 'window', 'volume', false, 'Bytes sent in the minute.'),
  f('bytes_out_hour', 'nats', [0, 20], 'window', 'volume', true, 'Bytes sent in the hour.'),
  f('bytes_out_day', 'nats', [0, 20], 'window', 'volume', true, 'Bytes sent in the day.'),
  f('bytes_in_hour', 'nats', [0, 20], 'window', 'volume', true, 'Bytes read in the hour.'),
  f('bytes_in_day', 'nats', [0, 20], 'window', 'volume', false, 'Bytes read in the day.'),
  f('failures_hour', 'nats', [0, 20], 'window', 'probing', true, 'Failures in the hour.'),
  f('denied_hour', 'nats', [0, 20], 'window', 'probing', true, 'Denials in the hour.'),
  f(
    'action_again',
    'nats',
    [0, 20],
    'own',
    'new_behaviour',
    true,
    'The same rare action once more: how often it is among the last four rare ones in the hour.',
  ),
  f('sensitive_hour', 'nats', [0, 20], 'window', 'sensitive_access', true, 'Reads of sensitive classes in the hour.'),
  f('external_day', 'nats', [0, 20], 'window', 'new_destination', false, 'Writes to outside destinations in the day.'),
  f('drift_rate', 'nats', [0, 20], 'window', 'drift', true, 'Daily events against the slow anchor.'),
  f('drift_bytes', 'nats', [0, 20], 'window', 'drift', true, 'Daily bytes sent against the slow anchor.'),
  f('source_own', 'nats', [0, 20], 'own', 'source', true, 'Rarity of the source network.'),
  f('country_own', 'nats', [0, 20], 'own', 'source', true, 'Rarity of the source country.'),
  f('user_agent_own', 'nats', [0, 20], 'own', 'source', true, 'Rarity of the user agent.'),
  f('travel_speed', 'log', [0, 12], 'own', 'travel', false, 'log(1 + km/h) between this source country and the last.'),
  f('sources_hour', 'nats', [0, 20], 'window', 'shared_credential', true, 'Distinct source networks in the hour.'),
  f('outcome_own', 'nats', [0, 20], 'own', 'probing', true, 'Rarity of the outcome.'),
  f('denied_then_allowed', 'flag', [0, 1], 'session', 'probing', false, 'Success on a class that was denied shortly before.'),
  f('session_length', 'nats', [0, 20], 'session', 'rate', true, 'Events so far in the session.'),
  f('session_untrusted', 'flag', [0, 1], 'session', 'toxic_flow', false, 'Text from outside was read earlier in the session.'),
  f(
    'session_flow',
    'count',
    [0, 3],
    'session',
    'toxic_flow',
    false,
    'Steps of untrusted read, sensitive read, outside write completed in order.',
  ),
  f(
    'session_firsts',
    'count',
    [0, 20],
    'session',
    'new_behaviour',
    false,
    'First-time actions, classes and destinations so far in the session.',
  ),
  f(
    'role_swap',
    'nats',
    [0, 20],
    'session',
    'new_behaviour',
    true,
    "How much better another peer group's habits explain the session so far than the identity's own: log of the likelihood ratio.",
    3,
  ),
  f('instruction_likeness', 'ratio', [0, 1], 'event', 'toxic_flow', false, 'How much the text read looks like instructions.'),
  f(
    'arguments_own',
    'nats',
    [0, 20],
    'own',
    'toxic_flow',
    true,
    'Rarity of where the arguments came from (how many from the request, from tool results, from nowhere), for this class of resource.',
    3,
  ),
  f('version_changed', 'flag', [0, 1], 'own', 'version_change', false, "A part of the identity's version not seen before."),
  f('segment_own', 'nats', [0, 20], 'own', 'lateral_movement', true, 'Rarity of the pair of segments.'),
  f('delegation_own', 'nats', [0, 20], 'own', 'shared_credential', false, 'Rarity of whom the identity acts for.'),
  f('silence', 'log', [0, 20], 'own', 'drift', false, 'log(1 + seconds) since the last event.'),
  f('class_sensitivity', 'ratio', [0, 1], 'event', 'sensitive_access', false, 'Sensitivity of the resource, 0 to 1.'),
  f(
    'sensitive_first',
    'nats',
    [0, 20],
    'own',
    'sensitive_access',
    true,
    'First use of a sensitive class, weighed by sensitivity and by how well the identity is known.',
  ),
  f('maturity', 'ratio', [0, 1], 'own', 'combination', false, 'How well the identity is known.'),
  f('external_write', 'flag', [0, 1], 'event', 'new_destination', false, 'Data goes outside.'),
]

export const FEATURE_COUNT = FEATURES.length
export const FEATURE_INDEX: Readonly<Record<string, number>> = Object.fromEntries(FEATURES.map((x, i) => [x.name, i]))
