import { createContextKey } from "@connectrpc/connect";

/**
 * What a caller may do with keys. `read`: read and follow records, list keys, see and commit
 * offsets. `append`: append and flush. `admin`: delete records, and see the metrics. None includes
 * another.
 */
export type Right = "read" | "append" | "admin";

/** All there are. */
export const RIGHTS: readonly Right[] = ["read", "append", "admin"];

/** Who makes a request, and what that one may do. */
export interface Access {
  /** Of the token, for logs; never the token itself. */
  readonly name: string;
  /** What the keys begin with that it may do anything with. */
  readonly prefix: string;
  /** Whether `right` is given for `key`. */
  may(right: Right, key: string): boolean;
}

/** Of a server without tokens: whoever reaches it may do everything. */
export const FULL_ACCESS: Access = { name: "anyone", prefix: "", may: () => true };

/** Of a request that nobody has looked at. */
export const NO_ACCESS: Access = { name: "nobody", prefix: "", may: () => false };

/** Under which a request's context has its {@link Access}; whatever forgets to set it gets none. */
export const ACCESS = createContextKey<Access>(NO_ACCESS, { description: "access" });
