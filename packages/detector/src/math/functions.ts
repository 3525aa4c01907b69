/**
 * Logarithm, exponential and hyperbolic tangent from + − × ÷ alone (contracts C3): the engine's own may differ in the last
 * bit between versions, these do not. Relative error at most 1e-12 (measured below 1e-15 for most arguments).
 */

const f64 = new Float64Array(1)
const u32 = new Uint32Array(f64.buffer)
f64[0] = 1
/** Index of the word that holds sign and exponent. */
const HIGH = u32[1] === 0x3ff00000 ? 1 : 0

// ln 2 in two parts: the first has its low 32 bits zero, so that k × LN2_HIGH is exact.
const LN2_HIGH = 6.9314718036912381649e-1
const LN2_LOW = 1.90821492927058770002e-10
const INV_LN2 = 1.442695040888963387
const LN10 = 2.302585092994046
const SQRT2 = 1.4142135623730951

/** 2^k for −1022 ≤ k ≤ 1023. */
const pow2 = (k: number): number => {
  f64[0] = 0
  u32[HIGH] = (k + 1023) << 20
  return f64[0]!
}

/** Natural logarithm. ln(0) = −∞, NaN below 0. */
export const ln = (x: number): number => {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN
  if (x === Infinity) return x
  let shift = 0
  f64[0] = x
  if (u32[HIGH]! < 0x00100000) {
    f64[0] = x * 18014398509481984 // 2^54: brings a subnormal number into range
    shift = -54
  }
  const high = u32[HIGH]!
  let e = (high >>> 20) - 1023 + shift
  u32[HIGH] = (high & 0x000fffff) | 0x3ff00000
  let m = f64[0]!
  if (m > SQRT2) {
    m *= 0.5
    e++
  }
  // ln m = 2 artanh(s) with |s| ≤ 0.172
  const s = (m - 1) / (m + 1)
  const t = s * s
  const series =
    t *
    (1 / 3 +
      t * (1 / 5 + t * (1 / 7 + t * (1 / 9 + t * (1 / 11 + t * (1 / 13 + t * (1 / 15 + t * (1 / 17 + t * (1 / 19 + t * (1 / 21))))))))))
  return e * LN2_HIGH + (e * LN2_LOW + 2 * s * series + 2 * s)
}

/** Logarithm to base 10. */
export const log10 = (x: number): number => ln(x) / LN10

/** ln(1 + x), exact for small x too. */
export const log1p = (x: number): number => {
  const u = 1 + x
  if (u === 1) return x
  return u === Infinity ? u : ln(u) * (x / (u - 1))
}

/** (e^r − 1) for |r| ≤ 0.7, by its series. */
const expm1Small = (r: number): number => {
  let sum = 0
  for (let n = 18; n >= 1; n--) sum = (r / n) * (1 + sum)
  return sum
}

/** e^x. 0 below about −745, ∞ above about 709.8. */
export const exp = (x: number): number => {
  if (x !== x) return x
  if (x > 709.782712893384) return Infinity
  if (x < -745.2) return 0
  const k = Math.floor(x * INV_LN2 + 0.5)
  const y = 1 + expm1Small(x - k * LN2_HIGH - k * LN2_LOW)
  if (k > 1023) return y * pow2(1023) * 2
  return k < -1022 ? y * pow2(k + 100) * pow2(-100) : y * pow2(k)
}

/** e^x − 1, exact for small x too. */
export const expm1 = (x: number): number => (Math.abs(x) <= 0.5 ? expm1Small(x) : exp(x) - 1)

/** Hyperbolic tangent. */
export const tanh = (x: number): number => {
  const a = Math.abs(x)
  if (!(a < 22)) return x !== x ? x : x > 0 ? 1 : -1
  const e = a <= 0.35 ? expm1Small(2 * a) : exp(2 * a) - 1
  const t = e / (e + 2)
  return x < 0 ? -t : x === 0 ? x : t
}
