import type { HandlerContext } from "@connectrpc/connect";
import { SeglogError } from "../errors.js";
import { describe } from "../format/record-codec.js";
import { ACCESS, type Right } from "./access.js";

/** @throws SeglogError `PERMISSION_DENIED` unless the caller has `right` for `key`. */
export function assertMay({ values }: HandlerContext, right: Right, key: string): void {
  const access = values.get(ACCESS);
  if (access.may(right, key)) return;
  throw new SeglogError(
    "PERMISSION_DENIED",
    `${access.name} has no right to ${right} ${describe(key)}. Nothing was done.`,
  );
}
