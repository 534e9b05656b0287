import { closedLoop } from "./closed-loop.js";
import { NatsStream } from "./nats.js";
import { ReadCheck } from "./read-check.js";
import type { Records } from "./records.js";
import { RedisStream } from "./redis.js";
import type { RemoteStream } from "./remote-stream.js";
import { SeglogStream } from "./seglog-server.js";
import type { Contender, Measured, Place, Workload } from "./workload.js";

/** Callers that each send their next record when the last one is acknowledged. */
const CALLERS = 1024;

/** What is asked of a server: started with syncs or without, empty. */
type Start = (place: Place, isSynced: boolean) => Promise<RemoteStream>;

type Measure = (stream: RemoteStream, place: Place) => Promise<Measured>;

/** Records sent one by one to a server in another process on this machine. */
export function remoteAppends(name: string, records: Records, full: number, isSynced: boolean) {
  const measure = async (stream: RemoteStream, place: Place) => {
    const count = place.amount(full);
    const rate = await place.rate(count, () => send(stream, records, count));
    await stream.assertLength(count);
    await readAll(stream, records, count);
    return rate;
  };
  const title = `Append ${records.byteLength} B singly to a server, ${CALLERS} in flight`;
  return workload(name, `${title}, ${isSynced ? "synced" : "not synced"}`, isSynced, measure);
}

/** Records read from the beginning, from a server in another process on this machine. */
export function remoteReads(name: string, records: Records, full: number): Workload {
  const measure = async (stream: RemoteStream, place: Place) => {
    const count = place.amount(full);
    await send(stream, records, count);
    return place.rate(count, () => readAll(stream, records, count));
  };
  return workload(name, `Read ${records.byteLength} B records from a server`, false, measure);
}

function send(stream: RemoteStream, records: Records, count: number): Promise<void> {
  return closedLoop(count, CALLERS, (index) => stream.append(records.at(index)));
}

async function readAll(stream: RemoteStream, records: Records, count: number): Promise<void> {
  const check = new ReadCheck(records, count);
  await stream.read(check);
  check.end();
}

function workload(name: string, title: string, isSynced: boolean, measure: Measure): Workload {
  const run = (start: Start) => async (place: Place) => {
    const stream = await start(place, isSynced);
    try {
      return await measure(stream, place);
    } finally {
      await stream.stop();
    }
  };
  const seglog: Contender = { name: "seglog", kind: "seglog", run: run(SeglogStream.start) };
  const redis: Contender = {
    name: "redis stream",
    kind: "peer",
    peer: "@redis/client",
    program: "redis-server",
    run: run(RedisStream.start),
  };
  const nats: Contender = {
    name: "nats jetstream",
    kind: "peer",
    peer: "@nats-io/jetstream",
    program: "nats-server",
    run: run(NatsStream.start),
  };
  // This server has no setting with which it syncs before it acknowledges.
  const peers = isSynced ? [redis] : [redis, nats];
  const targets = peers.map((peer) => ({ contender: "seglog", over: peer.name, atLeast: 1 }));
  const contenders = [seglog, ...peers];
  return { name, title, unit: "records/s", isSynced, targets, contenders };
}
