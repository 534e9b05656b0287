import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import {
  CorruptionError,
  OffsetOutOfRangeError,
  SeglogError,
  type SeglogErrorCode,
} from "../../src/errors.js";
import { toConnectError, toFailure } from "../../src/wire/failure.js";
import {
  ErrorDetailSchema,
  FailureSchema,
} from "../../src/wire/generated/seglog/v1/log_service_pb.js";
import { fromConnectError, fromFailure } from "../../src/wire/remote-error.js";
import { STATUS_OF } from "../../src/wire/status.js";

/** As a client gets it: the details in bytes, without the cause. */
function overTheWire({ rawMessage, code, details }: ConnectError): ConnectError {
  const error = new ConnectError(rawMessage, code);
  error.details = details.map((detail) => {
    if (!("desc" in detail)) return detail;
    const value = toBinary(detail.desc, create(detail.desc, detail.value));
    return { type: detail.desc.typeName, value };
  });
  return error;
}

const CODES = (Object.keys(STATUS_OF) as SeglogErrorCode[]).filter((code) => code !== "CLOSED");

describe("a failure over the wire", () => {
  it.each(CODES)("keeps the code %s, in a call and in a stream", (code) => {
    const error = new SeglogError(code, "Something happened.");
    const remote = fromConnectError(overTheWire(toConnectError(error)));
    expect(remote).toBeInstanceOf(SeglogError);
    expect(remote).toMatchObject({ code });
    const message = fromBinary(FailureSchema, toBinary(FailureSchema, toFailure(error)));
    expect(fromFailure(message)).toMatchObject({ code, message: remote.message });
  });

  it("of a store that is closed says that the server is not there, not that the client is closed", () => {
    const error = toConnectError(new SeglogError("CLOSED", "Something happened."));
    expect(fromConnectError(overTheWire(error))).toMatchObject({ code: "UNAVAILABLE" });
  });

  it("keeps the bounds of an offset that is out of range, and the message", () => {
    const error = new OffsetOutOfRangeError(99, 10, 20, "look elsewhere");
    const connect = toConnectError(error);
    expect(connect.code).toBe(Code.OutOfRange);
    const expected = { offset: 99, startOffset: 10, endOffset: 20, message: error.message };
    expect(fromConnectError(overTheWire(connect))).toMatchObject(expected);
    expect(fromConnectError(overTheWire(connect))).toBeInstanceOf(OffsetOutOfRangeError);
    expect(fromFailure(toFailure(error))).toMatchObject(expected);
  });

  it("of an offset that the wire cannot hold", () => {
    const error = new OffsetOutOfRangeError(-1, 10, 20);
    expect(fromFailure(toFailure(error))).toMatchObject({ offset: -1, startOffset: 10 });
  });

  it.each([new RangeError("Out of bounds"), new TypeError("Out of bounds")])(
    "is a RangeError for misuse: %s",
    (error) => {
      expect(toConnectError(error).code).toBe(Code.InvalidArgument);
      expect(fromConnectError(overTheWire(toConnectError(error)))).toEqual(
        new RangeError("Out of bounds"),
      );
    },
  );

  it("names no file of the server", () => {
    const directory = "/srv/secret-place";
    const errors = [
      ...CODES.filter((code) => STATUS_OF[code] === Code.Internal),
      ...(["CLOSED", "KEY_NOT_FOUND", "LOG_POISONED", "LOG_TRUNCATED", "NO_SPACE"] as const),
      ...(["READ_ONLY", "TOO_MANY_OPEN_FILES"] as const),
    ].map((code) => new SeglogError(code, `${directory} is in a bad way.`));
    const damage = new CorruptionError({ file: `${directory}/0.log`, position: 5, reason: "bad" });
    for (const error of [...errors, damage, new Error(directory)]) {
      const failure = toFailure(error);
      if (failure.detail?.code === "CLOCK_STEPPED_BACK") continue;
      expect(JSON.stringify(failure)).not.toContain(directory);
    }
  });

  it("of an unexpected kind tells nothing, but keeps the cause for the server's log", () => {
    const error = new Error("password=1234");
    const connect = toConnectError(error);
    expect([connect.code, connect.cause]).toEqual([Code.Internal, error]);
    expect(connect.message).not.toContain("1234");
    expect(toConnectError(connect)).toBe(connect);
  });

  it.each([
    [Code.Unavailable, "UNAVAILABLE"],
    [Code.Canceled, "UNAVAILABLE"],
    [Code.Internal, "UNAVAILABLE"],
    [Code.Unimplemented, "UNAVAILABLE"],
    [Code.DeadlineExceeded, "TIMEOUT"],
    [Code.ResourceExhausted, "LIMIT_EXCEEDED"],
    [Code.Unauthenticated, "UNAUTHENTICATED"],
    [Code.PermissionDenied, "PERMISSION_DENIED"],
  ])("with status %s and no detail is %s", (status, code) => {
    expect(fromConnectError(new ConnectError("no", status))).toMatchObject({ code });
  });

  it("with a code of a newer server goes by its status and names the code", () => {
    const detail = { desc: ErrorDetailSchema, value: { code: "TOO_MODERN" } };
    const error = new ConnectError("no", Code.DataLoss, undefined, [detail]);
    const remote = fromConnectError(overTheWire(error));
    expect(remote).toMatchObject({ code: "CORRUPTION", message: "no (TOO_MODERN)" });
    const failure = create(FailureSchema, {
      status: 99,
      message: "no",
      detail: { code: "toString" },
    });
    expect(fromFailure(failure)).toMatchObject({ code: "UNAVAILABLE" });
  });

  it("with a detail that is garbage goes by its status", () => {
    const error = new ConnectError("no", Code.Unavailable);
    error.details = [{ type: ErrorDetailSchema.typeName, value: new Uint8Array([255, 255]) }];
    expect(fromConnectError(error)).toMatchObject({ code: "UNAVAILABLE" });
  });
});
