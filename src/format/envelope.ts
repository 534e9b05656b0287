import { checksum } from "./checksum.js";
import { viewOf } from "./uint64.js";

/** The version of every format that this code writes, and the only one that it reads. */
const FORMAT_VERSION = 0;

/** Why bytes are not a header that this version can use. */
export interface InvalidHeader {
  readonly kind: "damaged" | "unsupported";
  readonly reason: string;
}

/**
 * What the small fixed files have in common: checksum at 0 over all that follows, magic at 4,
 * version at 8, length at 10, required features at 12. The version is judged only after the
 * checksum, so that damage is never mistaken for a newer format.
 *
 * @param length - The shortest length that this version writes.
 * @returns Why the bytes cannot be used, or `undefined` if they can.
 */
export function checkEnvelope(
  bytes: Uint8Array,
  magic: number,
  length: number,
  what: string,
  knownFeatures = 0,
): InvalidHeader | undefined {
  if (bytes.length < length) return { kind: "damaged", reason: `the ${what} is cut short` };
  const view = viewOf(bytes);
  if (view.getUint32(4, true) !== magic) {
    return { kind: "damaged", reason: `the ${what} does not begin as one` };
  }
  const declared = view.getUint16(10, true);
  if (declared < length || declared > bytes.length) {
    return { kind: "damaged", reason: `the ${what} declares an impossible length` };
  }
  if (checksum(bytes.subarray(4, declared)) !== view.getUint32(0, true)) {
    return { kind: "damaged", reason: `the ${what}'s checksum does not match` };
  }
  const version = view.getUint16(8, true);
  if (version !== FORMAT_VERSION) {
    return { kind: "unsupported", reason: `${what} of format version ${version}` };
  }
  const features = view.getUint32(12, true) & ~knownFeatures;
  if (features !== 0) {
    return { kind: "unsupported", reason: `${what} with features 0x${features.toString(16)}` };
  }
  return undefined;
}

/** Whether a decoder returned a reason instead of a value. */
export function isInvalidHeader(value: object): value is InvalidHeader {
  return "kind" in value;
}

/** Fills in what {@link checkEnvelope} checks, after all other fields are written. */
export function sealEnvelope(bytes: Uint8Array, magic: number, features = 0): Uint8Array {
  const view = viewOf(bytes);
  view.setUint32(4, magic, true);
  view.setUint16(8, FORMAT_VERSION, true);
  view.setUint16(10, bytes.length, true);
  view.setUint32(12, features, true);
  view.setUint32(0, checksum(bytes.subarray(4)), true);
  return bytes;
}
