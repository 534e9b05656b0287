import type { SeglogErrorCode } from "../../src/errors.js";
import {
  CHANGES,
  type Fault,
  type Operation,
  type OperationKind,
} from "../support/faulty-file-system.js";

/** A way in which a disk fails, and what it can befall. */
export interface FaultKind {
  readonly name: string;
  readonly fault: Fault;
  /** Whether an operation can fail like this. */
  befalls(operation: Operation): boolean;
  /** What it means for a call whose operation it befell, if that call fails for it alone. */
  readonly code: SeglogErrorCode | undefined;
}

/** Operations that take a file descriptor. */
const OPENING: readonly OperationKind[] = ["open", "readDirectory", "syncDirectory", "removeTree"];

const isWrite = ({ kind }: Operation) => kind === "write";

/** Making a name, growing a file, and syncing what was put off until then. */
function takesSpace({ kind, mode }: Operation): boolean {
  if (kind === "open") return mode === "create" || mode === "open-or-create";
  return CHANGES.includes(kind);
}

const NO_SPACE = "NO_SPACE";

export const FAULTS: readonly FaultKind[] = [
  { name: "EIO", fault: { errno: "EIO" }, befalls: () => true, code: "IO_ERROR" },
  // Of a write, a part has found room.
  {
    name: "ENOSPC",
    fault: { errno: "ENOSPC", shortBytes: 9 },
    befalls: takesSpace,
    code: NO_SPACE,
  },
  { name: "EFBIG", fault: { errno: "EFBIG" }, befalls: isWrite, code: NO_SPACE },
  // Progress, however slow, is no failure.
  { name: "a short write", fault: { shortBytes: 9 }, befalls: isWrite, code: undefined },
  {
    name: "a write without progress",
    fault: { shortBytes: 0 },
    befalls: isWrite,
    code: NO_SPACE,
  },
  {
    name: "EMFILE",
    fault: { errno: "EMFILE" },
    befalls: ({ kind }) => OPENING.includes(kind),
    code: "TOO_MANY_OPEN_FILES",
  },
];
