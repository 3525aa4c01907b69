/**
 * One pass of a dense autoencoder over one row: standardise, clamp, reconstruct, whitened residual.
 * Built by scripts/build-wasm.mjs; src/5-autoencoder/plain.ts is the same arithmetic on typed arrays, operation by operation.
 *
 * All of a net lives in linear memory behind one descriptor (byte offsets, then the padded layer widths), laid out by
 * src/5-autoencoder/layout.ts. Every width is a multiple of 16 floats and every block is 16-byte aligned.
 * Weights are stored per layer as bias[out], then weight[in][out]: the inner loop adds one input times 16 outputs, so each
 * output is summed in one fixed order (bias, then inputs 0, 1, 2 …) however wide the vector unit is.
 * pmin and pmax (compare and choose) are used in place of min and max: they turn NaN into the bound, so no NaN gets out.
 */

// @ts-ignore: decorator
@inline
function dense(weights: usize, from: usize, to: usize, inputs: i32, outputs: i32, relu: bool): void {
  const zero = f32x4.splat(0)
  const rowBytes = <usize>outputs << 2
  for (let o: i32 = 0; o < outputs; o += 16) {
    let w = weights + (<usize>o << 2)
    let s0 = v128.load(w)
    let s1 = v128.load(w, 16)
    let s2 = v128.load(w, 32)
    let s3 = v128.load(w, 48)
    w += rowBytes
    for (let i: i32 = 0; i < inputs; i++) {
      const v = v128.load32_splat(from + (<usize>i << 2))
      s0 = f32x4.add(s0, f32x4.mul(v, v128.load(w)))
      s1 = f32x4.add(s1, f32x4.mul(v, v128.load(w, 16)))
      s2 = f32x4.add(s2, f32x4.mul(v, v128.load(w, 32)))
      s3 = f32x4.add(s3, f32x4.mul(v, v128.load(w, 48)))
      w += rowBytes
    }
    if (relu) {
      s0 = f32x4.pmax(zero, s0)
      s1 = f32x4.pmax(zero, s1)
      s2 = f32x4.pmax(zero, s2)
      s3 = f32x4.pmax(zero, s3)
    }
    const out = to + (<usize>o << 2)
    v128.store(out, s0)
    v128.store(out, s1, 16)
    v128.store(out, s2, 32)
    v128.store(out, s3, 48)
  }
}

/** Runs the net behind `net` on its raw input. Returns the sum of the whitened squared errors over its active features. */
export function run(net: usize): f32 {
  const layers = load<i32>(net)
  const width = load<i32>(net, 4)
  const raw = load<usize>(net, 8)
  const mean = load<usize>(net, 12)
  const invStd = load<usize>(net, 16)
  const scale = load<usize>(net, 20)
  const errors = load<usize>(net, 24)
  const standard = load<usize>(net, 28)
  let from = standard
  let to = load<usize>(net, 32)
  let spare = load<usize>(net, 36)
  let weights = load<usize>(net, 40)
  const high = f32x4.splat(load<f32>(net, 44))
  const low = f32x4.neg(high)
  const errorCap = f32x4.splat(load<f32>(net, 48))
  const widths = net + 64

  const bytes = <usize>width << 2
  for (let i: usize = 0; i < bytes; i += 16) {
    const z = f32x4.mul(f32x4.sub(v128.load(raw + i), v128.load(mean + i)), v128.load(invStd + i))
    v128.store(standard + i, f32x4.pmin(high, f32x4.pmax(low, z)))
  }

  let inputs = width
  for (let l: i32 = 1; l < layers; l++) {
    const outputs = load<i32>(widths + (<usize>l << 2))
    dense(weights, from, to, inputs, outputs, l < layers - 1)
    weights += (<usize>outputs * (<usize>inputs + 1)) << 2
    inputs = outputs
    from = to
    to = spare
    spare = from
  }

  const none = f32x4.splat(0)
  let sum = none
  for (let i: usize = 0; i < bytes; i += 16) {
    const k = v128.load(scale + i)
    const d = f32x4.mul(f32x4.sub(v128.load(standard + i), v128.load(from + i)), k)
    // The mask keeps masked and padding features at 0 even where a runaway net gives 0 × infinity.
    const e = v128.and(f32x4.pmin(errorCap, f32x4.mul(d, d)), f32x4.gt(k, none))
    v128.store(errors + i, e)
    sum = f32x4.add(sum, e)
  }
  return f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1) + (f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3))
}
