/**
 * Seeded randomness with named substreams. A substream depends only on its name and numbers, never on how much
 * another one drew; so switching one part of the company off leaves every other part as it was.
 */

/** 32-bit hash of a string (FNV-1a with a final mix). */
export const hashText = (text: string): number => {
  let h = 0x811c9dc5
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return mix(h, text.length)
}

/** Mixes `x` into `h`; both and the result are 32-bit integers. */
export const mix = (h: number, x: number): number => {
  let k = Math.imul(h ^ Math.imul(x, 0x9e3779b1), 0x85ebca6b)
  k ^= k >>> 15
  k = Math.imul(k ^ (k >>> 13), 0xc2b2ae35)
  return (k ^ (k >>> 16)) | 0
}

/** A hash as a number in [0, 1). */
export const unitOf = (h: number): number => (h >>> 0) / 4_294_967_296

const NORMAL_STEPS = 4096
/** Quantiles of the standard normal at (i + 0.5) / 4096: one lookup per draw instead of a logarithm and a cosine. */
const NORMAL = new Float64Array(NORMAL_STEPS)
for (let i = 0; i < NORMAL_STEPS; i++) NORMAL[i] = normalQuantile((i + 0.5) / NORMAL_STEPS)

/** Acklam's approximation, relative error below 1.2e-9. */
function normalQuantile(p: number): number {
  if (p > 0.5) return -normalQuantile(1 - p)
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p))
    const num =
      ((((-7.784894002430293e-3 * q - 0.3223964580411365) * q - 2.400758277161838) * q - 2.549732539343734) * q + 4.374664141464968) * q +
      2.938163982698783
    return num / ((((7.784695709041462e-3 * q + 0.3224671290700398) * q + 2.445134137142996) * q + 3.754408661907416) * q + 1)
  }
  const q = p - 0.5
  const r = q * q
  const num =
    (((((-39.69683028665376 * r + 220.9460984245205) * r - 275.9285104469687) * r + 138.357751867269) * r - 30.66479806614716) * r +
      2.506628277459239) *
    q
  return (
    num /
    (((((-54.47609879822406 * r + 161.5858368580409) * r - 155.6989798598866) * r + 66.80131188771972) * r - 13.28068155288572) * r + 1)
  )
}

/** Standard normal deviate belonging to a hash. */
export const normalOf = (h: number): number => NORMAL[h >>> 20]!

/** sfc32. One instance is reseeded for many substreams, so that a substream costs no allocation. */
export class Rng {
  private a = 0
  private b = 0
  private c = 0
  private d = 1

  constructor(...keys: readonly number[]) {
    let h = 0x2545f491
    for (const k of keys) h = mix(h, k)
    this.seed(h, keys.length, keys[0] ?? 0)
  }

  seed(k1: number, k2: number, k3: number): this {
    this.a = k1 | 0
    this.b = k2 | 0
    this.c = k3 | 0
    this.d = 1
    for (let i = 0; i < 12; i++) this.u32()
    return this
  }

  u32(): number {
    const t = (((this.a + this.b) | 0) + this.d) | 0
    this.d = (this.d + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = (this.c << 21) | (this.c >>> 11)
    this.c = (this.c + t) | 0
    return t >>> 0
  }

  /** In [0, 1). */
  unit(): number {
    return this.u32() / 4_294_967_296
  }

  /** Integer in [0, n). */
  below(n: number): number {
    return Math.floor(this.unit() * n)
  }

  /** Integer in [lo, hi]. */
  between(lo: number, hi: number): number {
    return lo + Math.floor(this.unit() * (hi - lo + 1))
  }

  /** Real in [lo, hi), evenly on the logarithmic scale. */
  logBetween(lo: number, hi: number): number {
    return lo * Math.exp(this.unit() * Math.log(hi / lo))
  }

  chance(p: number): boolean {
    return this.u32() < p * 4_294_967_296
  }

  normal(): number {
    return NORMAL[this.u32() >>> 20]!
  }

  logNormal(median: number, sigma: number): number {
    return median * Math.exp(sigma * this.normal())
  }

  /** Number of arrivals when `mean` are expected. */
  poisson(mean: number): number {
    if (mean <= 0) return 0
    if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * this.normal()))
    const limit = Math.exp(-mean)
    let n = 0
    for (let p = this.unit(); p > limit; p *= this.unit()) n++
    return n
  }

  /** Rank in [0, n) with small ranks likelier (about 1/rank). */
  rank(n: number): number {
    return Math.min(n - 1, Math.floor(Math.exp(this.unit() * Math.log(n + 1))) - 1)
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }
}

const HEX: readonly string[] = Array.from({ length: 65_536 }, (_, i) => i.toString(16).padStart(4, '0'))

/** 32 bits as 8 hex digits. */
export const hex32 = (h: number): string => HEX[h >>> 16]! + HEX[h & 0xffff]!
