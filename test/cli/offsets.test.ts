import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LogStore } from "../../src/index.js";
import { cut, flipBit } from "../support/damage.js";
import { seglog } from "./program.js";
import { withStore } from "./samples.js";

describe("offsets", () => {
  it("shows groups, keys and lags", async () => {
    const cwd = await withStore();
    const { code, out } = await seglog(cwd, ["offsets", "store"]);
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "group    key       committed  end  lag
      billing  orders           10   12    2
      billing  päyments          5    5    0
      mail     orders           12   12    0
      "
    `);
    const { bytes } = await seglog(cwd, ["offsets", "store", "--json"]);
    expect(JSON.parse(bytes.toString())).toContainEqual({
      group: "billing",
      key: "orders",
      committed: 10,
      end: 12,
      lag: 2,
    });
  });

  it("escapes names", async () => {
    const cwd = await withStore();
    const store = await LogStore.open(join(cwd, "store"));
    await store.group("g\u001b\u202e").commit({ orders: 1 });
    await store.close();
    expect((await seglog(cwd, ["offsets", "store"])).out).toContain("g\\x1b\\u{202e}");
    expect((await seglog(cwd, ["offsets", "store", "--raw"])).out).toContain("g\u001b\u202e");
  });

  it("says so when there are none", async () => {
    const cwd = await withStore();
    await seglog(cwd, ["append", "empty", "--key", "k"], "x");
    expect((await seglog(cwd, ["offsets", "empty"])).out).toBe(
      "no consumer group has committed an offset\n",
    );
  });

  it("shows the last valid ones of a damaged checkpoint, and the rest beside a damaged log", async () => {
    const cwd = await withStore();
    cut(join(cwd, "store/committed-offsets"), -3);
    const torn = await seglog(cwd, ["offsets", "store"]);
    expect(torn.err).toMatch(/the file of committed offsets is not used: .* last valid/);
    expect(torn.out).toMatch(/billing +orders +10 +12 +2/);
    flipBit(join(cwd, "store/logs/orders/log.meta"), 30);
    const damaged = await seglog(cwd, ["offsets", "store"]);
    expect(damaged.code).toBe(1);
    expect(damaged.out).toMatch(/billing +orders +10 +- +-/);
    expect(damaged.out).toMatch(/billing +päyments +5 +5 +0/);
  });

  it("leaves out what was committed of an earlier log of a key; verify notes it", async () => {
    const cwd = await withStore();
    const path = join(cwd, "store/committed-offsets");
    const before = readFileSync(path);
    const store = await LogStore.open(join(cwd, "store"));
    await store.deleteKey("orders");
    await store.append("orders", "new");
    await store.close();
    writeFileSync(path, before);
    const { out } = await seglog(cwd, ["offsets", "store"]);
    expect(out).not.toContain("orders");
    expect(out).toMatch(/billing +päyments +5 +5 +0/);
    const verified = await seglog(cwd, ["verify", "store"]);
    expect(verified.code).toBe(0);
    expect(verified.out).toMatch(/^note .*committed of an earlier log of that key/m);
  });
});
