/** Answers kept at first, and at most. A small tenant needs few, and there may be many tenants. */
const AT_FIRST = 256
const AT_MOST = 16_384

/**
 * Numbers remembered by key, for the shard at hand: a table of fixed size in which a newer answer takes the place of an
 * older one. Keys are 53 bits of keyed hashes of all that an answer depends on, never 0, so that what happens to be kept
 * cannot change an answer (INV-1).
 */
export class Answers {
  #keys = new Float64Array(AT_FIRST)
  #values = new Float64Array(AT_FIRST)

  /** The answer, 0 or more, or -1. A key has two places, side by side. */
  get(key: number): number {
    const at = key & (this.#keys.length - 1)
    if (this.#keys[at] === key) return this.#values[at]!
    return this.#keys[at ^ 1] === key ? this.#values[at ^ 1]! : -1
  }

  set(key: number, value: number): void {
    let at = this.#placeOf(key)
    if (this.#keys[at] !== 0 && this.#keys.length < AT_MOST) {
      this.#keys = new Float64Array(this.#keys.length * 4)
      this.#values = new Float64Array(this.#keys.length)
      at = this.#placeOf(key)
    }
    this.#keys[at] = key
    this.#values[at] = value
  }

  #placeOf(key: number): number {
    const at = key & (this.#keys.length - 1)
    return this.#keys[at] !== 0 && this.#keys[at ^ 1] === 0 ? at ^ 1 : at
  }

  clear(): void {
    this.#keys.fill(0)
  }
}
