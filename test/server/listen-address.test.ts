import { describe, expect, it } from "vitest";
import { addressOf, assertProtected, type Protection } from "../../src/server/listen-address.js";
import { codeOf } from "../support/failure.js";

const NONE: Protection = { isEncrypted: false, isAuthenticated: false, isInsecure: false };
const TLS = { ...NONE, isEncrypted: true };
const TOKENS = { ...NONE, isAuthenticated: true };
const BOTH = { ...TLS, isAuthenticated: true };
const INSECURE = { ...NONE, isInsecure: true };

describe("an address", () => {
  it.each<[string, Protection]>([
    ["127.0.0.1", NONE],
    ["127.8.9.10", NONE],
    ["::1", NONE],
    ["127.0.0.1", TOKENS],
    ["0.0.0.0", BOTH],
    ["::", BOTH],
    ["0.0.0.0", INSECURE],
  ])("may be %s with %o", (address, protection) => {
    assertProtected(address, protection);
  });

  it.each<[string, Protection, string]>([
    ["0.0.0.0", NONE, "it needs TLS and tokens"],
    ["::", NONE, "it needs TLS and tokens"],
    ["192.168.0.1", NONE, "it needs TLS and tokens"],
    ["128.0.0.1", NONE, "it needs TLS and tokens"],
    ["::ffff:10.0.0.1", NONE, "it needs TLS and tokens"],
    ["fe80::1%eth0", NONE, "it needs TLS and tokens"],
    ["0.0.0.0", TLS, "it needs tokens"],
    ["0.0.0.0", TOKENS, "tokens would travel in clear text"],
  ])("may not be %s with %o", (address, protection, message) => {
    expect(() => assertProtected(address, protection)).toThrow(RangeError);
    expect(() => assertProtected(address, protection)).toThrow(message);
  });

  it("is looked up", async () => {
    assertProtected(await addressOf("localhost"), NONE);
    expect(await addressOf("127.0.0.1")).toBe("127.0.0.1");
    expect(await codeOf(addressOf("no-such-host.invalid"))).toBe("IO_ERROR");
  });
});
