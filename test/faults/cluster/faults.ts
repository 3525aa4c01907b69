import { ADD_PARTITIONS_TO_TXN, END_TXN, INIT_PRODUCER_ID, PRODUCE, TXN_OFFSET_COMMIT } from '../../support/kafka/proxy.ts'
import type { Action } from './trigger.ts'

/** Every place in the protocol at which a worker may die, stand still or fail, in the order of the protocol. */
export const POINTS = [
  'acquire:begin',
  'acquire:initialised',
  'acquire:barrier',
  'acquire:restored',
  'acquire:replaying',
  'commit:begin',
  'commit:begun',
  'commit:partly',
  'commit:sent',
  'commit:offsets',
  'commit:committed',
] as const

/** Requests whose answer is lost by the proxy: what was asked happens, the worker does not hear of it. */
export const LOST = {
  'commit answer lost': END_TXN,
  'produce answer lost': PRODUCE,
  'initialisation answer lost': INIT_PRODUCER_ID,
  'add partitions answer lost': ADD_PARTITIONS_TO_TXN,
  'offsets answer lost': TXN_OFFSET_COMMIT,
} as const
export type LostAnswer = keyof typeof LOST

export const OUTSIDE = ['killed at a random time', 'rebalance storm', 'latency', 'broker killed'] as const

export type Fault =
  | { readonly kind: 'point'; readonly point: string; readonly action: Action }
  | { readonly kind: 'lost'; readonly answer: LostAnswer }
  | { readonly kind: (typeof OUTSIDE)[number] }

export const nameOf = (fault: Fault): string =>
  fault.kind === 'point' ? `${fault.point} ${fault.action}` : fault.kind === 'lost' ? fault.answer : fault.kind

/** Where state is written with each chunk there is nothing to compute once more. */
export const needsSnapshots = (fault: Fault): boolean => fault.kind === 'point' && fault.point === 'acquire:replaying'

/** How often each fault is wanted. */
export interface Mix {
  readonly points: readonly string[]
  readonly actions: Readonly<Record<Action, number>>
  readonly lost: number
  readonly outside: Readonly<Record<(typeof OUTSIDE)[number], number>>
}

export const EVERYTHING: Mix = {
  points: POINTS,
  actions: { kill: 2, stop: 1, throw: 1 },
  lost: 1,
  outside: { 'killed at a random time': 8, 'rebalance storm': 6, latency: 2, 'broker killed': 2 },
}

/**
 * The part of it that a scheme without fencing cannot survive: a worker stands still in a commit while another takes its shard.
 * Random kills alone do not find such a scheme out.
 */
export const ZOMBIES: Mix = {
  points: POINTS.filter((point) => point.startsWith('commit:')),
  actions: { kill: 0, stop: 2, throw: 0 },
  lost: 0,
  outside: { 'killed at a random time': 0, 'rebalance storm': 0, latency: 0, 'broker killed': 0 },
}

const times = <T>(n: number, value: T): T[] => Array.from({ length: n }, () => value)

export const faultsOf = ({ points, actions, lost, outside }: Mix): Fault[] => [
  ...points.flatMap((point) => Object.entries(actions).flatMap(([action, n]) => times(n, { kind: 'point', point, action } as Fault))),
  ...Object.keys(LOST).flatMap((answer) => times(lost, { kind: 'lost', answer } as Fault)),
  ...OUTSIDE.flatMap((kind) => times(outside[kind], { kind } as Fault)),
]

/** Numbers that depend on the seed alone. */
export const createDraw = (seed: number): ((below: number) => number) => {
  let random = seed >>> 0
  return (below) => {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((random / 2 ** 32) * below)
  }
}

/** Each fault of the mix, by name. */
export const namesOf = (mix: Mix): string[] => [...new Set(faultsOf(mix).map(nameOf))]

export const shuffled = <T>(list: readonly T[], draw: (below: number) => number): T[] => {
  const rest = [...list]
  return list.map(() => rest.splice(draw(rest.length), 1)[0]!)
}
