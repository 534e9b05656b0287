import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { CommitLog, LogStore } from "../../src/index.js";
import { cut, flipBit } from "../support/damage.js";
import { blocksOf, segmentPath } from "../support/log-builder.js";
import { newPath } from "../support/temporary-directory.js";
import { seglog } from "./program.js";
import { withLog, withStore } from "./samples.js";

const DATA = "events/00000000000000000020.log";

describe("dump", () => {
  it("takes a data file apart", async () => {
    const cwd = await withLog();
    const { code, out } = await seglog(cwd, ["dump", DATA]);
    expect(code).toBe(0);
    expect(out).toMatchInlineSnapshot(`
      "0: segment header, log id <id>, epoch 0, base offset 20, created <time>, predecessor base offset 0 ending with checksum <crc>, checksum <crc> valid
      80: offsets 20 to 28, 9 records, 503 bytes, codec none, body 423 of 423 bytes, 2020-09-13T12:27:00.000Z to 2020-09-13T12:27:08.000Z, batch goes on, durable end 20, checksum <crc>, valid
      583: offset 29, 1 record, 123 bytes, codec none, body 43 of 43 bytes, 2020-09-13T12:27:09.000Z, ends its batch, durable end 20, checksum <crc>, valid
      706: offsets 30 to 38, 9 records, 503 bytes, codec none, body 423 of 423 bytes, 2020-09-13T12:27:10.000Z to 2020-09-13T12:27:18.000Z, batch goes on, durable end 20, checksum <crc>, valid
      1209: offset 39, 1 record, 123 bytes, codec none, body 43 of 43 bytes, 2020-09-13T12:27:19.000Z, ends its batch, durable end 20, checksum <crc>, valid
      1332: end, 4 blocks, 20 records, all valid
      "
    `);
  });

  it("shows records, escaped", async () => {
    const cwd = await withStore();
    const file = "store/logs/p%c3%a4yments/00000000000000000000.log";
    const { out } = await seglog(cwd, ["dump", file, "--records"]);
    expect(out).toMatchInlineSnapshot(`
      "0: segment header, log id <id>, epoch 0, base offset 0, created <time>, predecessor none, checksum <crc> valid
      80: offsets 0 to 4, 5 records with keys or headers, 205 bytes, codec none, body 125 of 125 bytes, 2020-09-13T12:26:40.000Z to 2020-09-13T12:26:40.004Z, ends its batch, durable end 0, checksum <crc>, valid
        0  2020-09-13T12:26:40.000Z  key=id-0  11 B  päyments 0
        1  2020-09-13T12:26:40.001Z  key=id-1  11 B  päyments 1
        2  2020-09-13T12:26:40.002Z  key=id-2  11 B  päyments 2
        3  2020-09-13T12:26:40.003Z  key=id-3  11 B  päyments 3
        4  2020-09-13T12:26:40.004Z  key=id-4  11 B  päyments 4
      285: end, 1 block, 5 records, all valid
      "
    `);
  });

  it("shows whose batches there are, and takes producers apart", async () => {
    const cwd = newPath();
    const store = await LogStore.open(join(cwd, "store"));
    const { id, epoch } = await store.openProducer("bill\u001bing");
    await store.appendBatch("key", ["a", "b"], { producer: { id: 7n, epoch, sequence: 0 } });
    await store.append("key", "c", { producer: { id: 7n, epoch, sequence: 2 } });
    await store.close();
    const dump = async (file: string) => (await seglog(cwd, ["dump", `store/${file}`])).out;
    expect(await dump("logs/key/00000000000000000000.log")).toMatch(
      /^80: offsets 0 to 1, .* producer 7 epoch 0 sequence 0, checksum .*\n.* producer 7 epoch 0 sequence 2, /m,
    );
    expect(await dump("logs/key/producers")).toMatchInlineSnapshot(`
      "0: producers of log <id> when it ended with offset 3, position 287 of segment 0, checksums valid
        producer 7  epoch 0  2 records from sequence 0 at offset 0, 1 record from sequence 2 at offset 2
      128: end, 1 producer
      "
    `);
    expect((await dump("committed-offsets")).replace(String(id), "<producer>")).toContain(
      "  producer bill\\x1bing  id <producer>  epoch 0, the next at least 1\n",
    );
  });

  it("goes on behind damage", async () => {
    const cwd = await withLog();
    const block = blocksOf(join(cwd, "events"), 20)[1]!;
    flipBit(join(cwd, DATA), block.position + 100);
    flipBit(join(cwd, DATA), 50);
    const { code, out } = await seglog(cwd, ["dump", DATA]);
    expect(code).toBe(1);
    expect(out).toMatchInlineSnapshot(`
      "0: INVALID: the segment header's checksum does not match
      80: offsets 20 to 28, 9 records, 503 bytes, codec none, body 423 of 423 bytes, 2020-09-13T12:27:00.000Z to 2020-09-13T12:27:08.000Z, batch goes on, durable end 20, checksum <crc>, valid
      583: INVALID: the block's checksum does not match; 123 bytes up to position 706; its header is valid: offset 29, 1 record, 123 bytes, codec none, body 43 of 43 bytes, 2020-09-13T12:27:09.000Z, ends its batch, durable end 20, checksum <crc>
      706: offsets 30 to 38, 9 records, 503 bytes, codec none, body 423 of 423 bytes, 2020-09-13T12:27:10.000Z to 2020-09-13T12:27:18.000Z, batch goes on, durable end 20, checksum <crc>, valid
      1209: offset 39, 1 record, 123 bytes, codec none, body 43 of 43 bytes, 2020-09-13T12:27:19.000Z, ends its batch, durable end 20, checksum <crc>, valid
      1332: end, 3 blocks, 19 records, 1 invalid place
      "
    `);
  });

  it("tells a block whose header is damaged, and a file cut short", async () => {
    const cwd = await withLog();
    const [first] = blocksOf(join(cwd, "events"), 20);
    flipBit(join(cwd, DATA), first!.position + 30);
    cut(join(cwd, DATA), -3);
    const { code, out } = await seglog(cwd, ["dump", DATA]);
    expect(code).toBe(1);
    expect(out).toMatch(/\n80: INVALID: the block header's checksum does not match; \d+ bytes/);
    expect(out).toMatch(/INVALID: the file ends inside a block; \d+ bytes .* its header is valid/);
  });

  it("takes indexes apart", async () => {
    const cwd = await withLog();
    const offsets = await seglog(cwd, ["dump", "events/00000000000000000020.index"]);
    expect(offsets.out).toMatchInlineSnapshot(`
      "0: index header, base offset 20, end offset 40, end position 1332, 20 records in 2 batches and 4 blocks, 932 bytes uncompressed, 2020-09-13T12:27:00.000Z to 2020-09-13T12:27:19.000Z, 4 entries, valid
      104: offset 20 at position 80
      112: offset 29 at position 583
      120: offset 30 at position 706
      128: offset 39 at position 1209
      136: end, 4 entries
      "
    `);
    const times = await seglog(cwd, ["dump", "events/00000000000000000020.timeindex"]);
    expect(times.out).toMatchInlineSnapshot(`
      "0: index header, base offset 20, end offset 40, end position 1332, 20 records in 2 batches and 4 blocks, 932 bytes uncompressed, 2020-09-13T12:27:00.000Z to 2020-09-13T12:27:19.000Z, 3 entries, valid
      104: 2020-09-13T12:27:08.000Z at the latest before offset 29
      116: 2020-09-13T12:27:09.000Z at the latest before offset 30
      128: 2020-09-13T12:27:18.000Z at the latest before offset 39
      140: end, 3 entries
      "
    `);
    flipBit(segmentPath(join(cwd, "events"), 20, "offsetIndex"), -1);
    const damaged = await seglog(cwd, ["dump", "events/00000000000000000020.index"]);
    expect(damaged.code).toBe(1);
    expect(damaged.out).toMatch(/INVALID: the checksum of the index's entries does not match/);
  });

  it("takes the small files apart", async () => {
    const cwd = await withStore();
    const run = async (file: string) => (await seglog(cwd, ["dump", file])).out;
    expect(
      (await run("store/logs/orders/log.meta")).replace(/(boot id +)\S+/, "$1<id>"),
    ).toMatchInlineSnapshot(`
      "0: log metadata, checksum valid
      log id          <id>
      epoch           0
      start offset    0
      closed cleanly  yes
      acknowledged    before the sync
      truncation      none
      boot id         <id>
      store id        <id>
      end             offset 12, position 428 of segment 0, last block at 80, clock at <time>
      revision        1
      "
    `);
    expect(await run("store/store.meta")).toMatchInlineSnapshot(`
      "0: store metadata, checksum valid
      store id        <id>
      created         <time>
      "
    `);
    expect(await run("store/committed-offsets")).toMatchInlineSnapshot(`
      "0: checkpoint of store <id>, checksum valid
      56: frame, 2 entries, 97 bytes, valid
        group billing  key orders  log <id>  next offset 10
        group billing  key päyments  log <id>  next offset 5
      153: frame, 1 entry, 50 bytes, valid
        group mail  key orders  log <id>  next offset 12
      203: end of what is used
      "
    `);
    const log = await CommitLog.open(join(cwd, "new"));
    await log.append("x");
    expect(await run("new/published")).toMatch(
      /^0: published ends of process <pid>, checksum valid\n64: [^\n]*\n144: sequence \d+, log id/,
    );
    await log.close();
  });

  it.each(["log.meta", "00000000000000000020.timeindex"])("tells damage in %s", async (name) => {
    const cwd = await withLog();
    flipBit(join(cwd, "events", name), 60);
    const { code, out } = await seglog(cwd, ["dump", `events/${name}`]);
    expect(code).toBe(1);
    expect(out).toMatch(/^0: INVALID: .*checksum does not match/);
  });

  it("shows a checkpoint up to its damage", async () => {
    const cwd = await withStore();
    cut(join(cwd, "store/committed-offsets"), -3);
    const { code, out } = await seglog(cwd, ["dump", "store/committed-offsets"]);
    expect(code).toBe(1);
    expect(out).toMatch(/INVALID: the file ends inside a frame; the last \d+ bytes are not used/);
  });
});
