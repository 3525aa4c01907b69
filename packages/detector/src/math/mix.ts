/** Two 32-bit halves of keyed hashes as one: for cache keys and fingerprints of pairs, not against anybody who knows the inputs. */
export const mix = (a: number, b: number): number => {
  const x = Math.imul(a ^ (b + 0x7f4a7c15), 0x9e3779b1)
  return (x ^ (x >>> 15)) >>> 0
}

/** Two hashes as one exact number of 53 bits. */
export const wide = (lo: number, hi: number): number => (hi >>> 11) * 4_294_967_296 + (lo >>> 0)
