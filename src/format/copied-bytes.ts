/**
 * The bytes in [start, end), copied. Short copies share memory, as Node's own buffers do: to give
 * each its own takes several times as long. Node keeps it from being transferred to another thread,
 * which would empty them all.
 */
export function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const length = end - start;
  const memory = Buffer.allocUnsafe(length);
  const copy = new Uint8Array(memory.buffer, memory.byteOffset, length);
  copy.set(new Uint8Array(bytes.buffer, bytes.byteOffset + start, length));
  return copy;
}
