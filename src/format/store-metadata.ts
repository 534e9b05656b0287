import { checkEnvelope, type InvalidHeader, sealEnvelope } from "./envelope.js";
import { readUint64, viewOf, writeUint64 } from "./uint64.js";

/*
 * `store.meta`: says that a directory is a store, and which. Written once. Little-endian.
 *
 *   position  bytes  field
 *   0         4      CRC-32 of bytes [4, 48)
 *   4         4      magic "SLT0"
 *   8         2      format version: 0
 *   10        2      length: 48
 *   12        4      features that a reader must understand: none
 *   16        4      features that a reader may ignore: none
 *   20        4      reserved, zero
 *   24        16     store id
 *   40        8      created at, ms since 1970
 */

/** "SLT0" as a little-endian number. */
export const STORE_METADATA_MAGIC = 0x30544c53;
const STORE_METADATA_BYTES = 48;

/** The decoded `store.meta`. */
export interface StoreMetadata {
  readonly storeId: Uint8Array;
  readonly createdAt: number;
}

/** Encodes `store.meta`; the inverse of {@link decodeStoreMetadata}. */
export function encodeStoreMetadata(metadata: StoreMetadata): Uint8Array {
  const bytes = new Uint8Array(STORE_METADATA_BYTES);
  bytes.set(metadata.storeId, 24);
  writeUint64(viewOf(bytes), 40, metadata.createdAt);
  return sealEnvelope(bytes, STORE_METADATA_MAGIC);
}

/** Decodes the content of a `store.meta`. */
export function decodeStoreMetadata(bytes: Uint8Array): StoreMetadata | InvalidHeader {
  const invalid = checkEnvelope(
    bytes,
    STORE_METADATA_MAGIC,
    STORE_METADATA_BYTES,
    "store metadata",
  );
  if (invalid !== undefined) return invalid;
  const createdAt = readUint64(viewOf(bytes), 40);
  if (!Number.isSafeInteger(createdAt)) {
    return { kind: "damaged", reason: "the store metadata's fields are out of bounds" };
  }
  return { storeId: bytes.slice(24, 40), createdAt };
}
