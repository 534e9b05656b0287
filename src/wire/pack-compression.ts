import { create } from "@bufbuild/protobuf";
import { compressBody, decompressBody, LZ4_PREFIX_BYTES } from "../format/compression.js";
import { Codec, type Pack, PackSchema } from "./generated/seglog/v1/log_service_pb.js";
import { packedBytes } from "./pack.js";

/** The same pack with its values compressed, where that saves anything. */
export function compressPack(pack: Pack): Pack {
  const { buffer, byteOffset, length } = pack.values;
  const stored = compressBody(Buffer.from(buffer, byteOffset, length));
  if (stored === undefined) return pack;
  const values = stored.subarray(LZ4_PREFIX_BYTES);
  return create(PackSchema, { values, lengths: pack.lengths, codec: Codec.LZ4 });
}

/**
 * The same pack with its values as they were before they were compressed.
 *
 * @param maxBytes - Most bytes that the values may take then; judged before they are decompressed.
 * @throws RangeError if the values take more, do not decompress, or not to what the lengths say.
 */
export function decompressPack(pack: Pack, maxBytes: number): Pack {
  if (pack.codec === Codec.UNSPECIFIED) return pack;
  if (pack.codec !== Codec.LZ4) {
    throw new RangeError(`A pack is compressed with codec ${pack.codec}, which is not known here`);
  }
  const bodyBytes = packedBytes(pack);
  if (bodyBytes > maxBytes) {
    throw new RangeError(
      `The values of a pack take ${bodyBytes} bytes, more than the ${maxBytes} that are allowed: ` +
        "split it",
    );
  }
  const stored = Buffer.allocUnsafe(LZ4_PREFIX_BYTES + pack.values.length);
  stored.writeUInt32LE(bodyBytes, 0);
  stored.set(pack.values, LZ4_PREFIX_BYTES);
  const values = decompressBody(stored, bodyBytes);
  if (typeof values !== "string") return create(PackSchema, { values, lengths: pack.lengths });
  throw new RangeError(`The values of a pack cannot be decompressed: ${values}`);
}
