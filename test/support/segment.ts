import { type Segment, slotLayout } from '@plumbline/detector'

/** Room for one slot, as the detector keeps it in memory. */
export const segment = (): Segment => {
  const buffer = new ArrayBuffer(slotLayout.SLOT_BYTES)
  return {
    u8: new Uint8Array(buffer),
    u16: new Uint16Array(buffer),
    u32: new Uint32Array(buffer),
    f32: new Float32Array(buffer),
    f64: new Float64Array(buffer),
  }
}
