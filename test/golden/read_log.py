#!/usr/bin/env python3
"""Reads a seglog log or store and prints it as JSON.

Written from docs/file-format.md and nothing else, with the standard library only: if this and the
page disagree, one of them is wrong. It writes nothing and ignores index files.

    read_log.py log DIRECTORY
    read_log.py store DIRECTORY
"""

import fcntl
import json
import os
import re
import struct
import sys
import time
import zlib

MAX_INTEGER = 2**53 - 1
MAX_BODY_BYTES = 134_283_264


class Damage(Exception):
    pass


class Unsupported(Exception):
    pass


def crc(data, seed=0):
    return zlib.crc32(data, seed)


def u16(data, position):
    return struct.unpack_from("<H", data, position)[0]


def u32(data, position):
    return struct.unpack_from("<I", data, position)[0]


def u64(data, position):
    value = struct.unpack_from("<Q", data, position)[0]
    if value > MAX_INTEGER:
        raise Damage("an integer is out of bounds")
    return value


def read_file(path):
    if os.path.islink(path):
        raise Damage(f"{path} is a symbolic link")
    with open(path, "rb") as file:
        return file.read()


def check_start(data, magic, length, known_features=0):
    """The common start of small files; returns the declared length."""
    if len(data) < length:
        raise Damage(f"{magic}: too short")
    if data[4:8] != magic:
        raise Damage(f"{magic}: wrong magic")
    declared = u16(data, 10)
    if declared < length or declared > len(data):
        raise Damage(f"{magic}: impossible length")
    if crc(data[4:declared]) != u32(data, 0):
        raise Damage(f"{magic}: wrong checksum")
    if u16(data, 8) != 0:
        raise Unsupported(f"{magic}: version {u16(data, 8)}")
    if u32(data, 12) & ~known_features:
        raise Unsupported(f"{magic}: features {u32(data, 12):x}")
    return declared


class Metadata:
    def __init__(self, directory):
        data = read_file(os.path.join(directory, "log.meta"))
        check_start(data, b"SLM0", 144, known_features=1)
        flags = u32(data, 20)
        self.in_store = u32(data, 12) & 1 != 0
        self.clean = flags & 1 != 0
        self.bound = (u64(data, 56), u64(data, 64)) if flags & 2 else None
        self.log_id = data[24:40]
        self.epoch = u64(data, 40)
        self.start_offset = u64(data, 48)
        self.active_base_offset = u64(data, 104)
        self.end_offset = u64(data, 112)
        self.end_position = u32(data, 128)
        self.last_block_position = u32(data, 132)
        self.last_checksum = u32(data, 136)


class Segment:
    def __init__(self, directory, base_offset, log_id):
        self.base_offset = base_offset
        self.data = read_file(os.path.join(directory, f"{base_offset:020}.log"))
        self.header_length = check_start(self.data, b"SLS0", 80)
        self.checksum = u32(self.data, 0)
        self.seed = crc(self.data[24:56])
        self.epoch = u64(self.data, 40)
        self.predecessor = (u64(self.data, 64), u32(self.data, 20))
        self.predecessor_header = u32(self.data, 72)
        if self.data[24:40] != log_id or u64(self.data, 48) != base_offset:
            raise Damage(f"segment {base_offset} belongs elsewhere")


class Block:
    """A block header, checked, and how to read its body."""

    def __init__(self, segment, position, end):
        data = segment.data
        left = end - position
        if left < 80 or data[position + 4 : position + 8] != b"SLB0":
            raise Damage("no block begins here")
        self.header_length = data[position + 8]
        if self.header_length < 80 or self.header_length > left:
            raise Damage("impossible header length")
        header = data[position : position + self.header_length]
        self.checksum = u32(header, 0)
        if crc(header[4:], segment.seed) != self.checksum:
            raise Damage("wrong header checksum")
        if u32(header, 12) != position:
            raise Damage("another position")
        self.position = position
        self.codec = header[9]
        self.attributes = u16(header, 10)
        if self.attributes & 0xC0 or self.codec > 1:
            raise Unsupported("attributes or codec")
        self.chain = u32(header, 16)
        self.count = u32(header, 20)
        self.base_offset = u64(header, 24)
        self.last_offset = u64(header, 32)
        self.base_timestamp = u64(header, 40)
        self.durable_end_offset = u64(header, 56)
        self.stored_bytes = u32(header, 64)
        self.body_bytes = u32(header, 68)
        self.body_checksum = u32(header, 72)
        self.tables = 1 + (self.attributes >> 2 & 1) + (self.attributes >> 3 & 1)
        span = self.last_offset - self.base_offset
        if (
            self.count < 1
            or span < self.count - 1
            or (not self.attributes & 8 and span != self.count - 1)
            or u64(header, 48) < self.base_timestamp
            or self.durable_end_offset > self.base_offset
            or (self.codec == 0 and self.stored_bytes != self.body_bytes)
            or self.body_bytes < 4 * self.count * self.tables
            or (self.attributes & 16 and self.header_length < 96)
        ):
            raise Damage("fields contradict each other")
        self.end_position = position + self.header_length + self.stored_bytes
        if self.end_position > end:
            raise Damage("the file ends inside a block")
        body_at = position + self.header_length
        self.stored = data[body_at : self.end_position]
        if crc(self.stored) != self.body_checksum:
            raise Damage("wrong body checksum")

    @property
    def ends_batch(self):
        return self.attributes & 1 != 0

    def records(self):
        body = self.stored
        if self.codec == 1:
            if self.body_bytes > MAX_BODY_BYTES or u32(body, 0) != self.body_bytes:
                raise Damage("LZ4 length")
            body = decompress(body[4:], self.body_bytes)
        table = self.body_bytes - 4 * self.count * self.tables
        timestamps = table + 4 * self.count if self.attributes & 4 else None
        offsets = self.body_bytes - 4 * self.count if self.attributes & 8 else None
        start = 0
        for index in range(self.count):
            end = u32(body, table + 4 * index)
            if end < start or end > table:
                raise Damage("ends do not rise")
            delta = index if offsets is None else u32(body, offsets + 4 * index)
            late = 0 if timestamps is None else u32(body, timestamps + 4 * index)
            record = {"offset": self.base_offset + delta, "timestamp": self.base_timestamp + late}
            if record["offset"] > self.last_offset:
                raise Damage("an offset outside of its block")
            if self.attributes & 2:
                record.update(structured(body[start:end]))
            else:
                record["value"] = body[start:end].hex()
            yield record
            start = end


def decompress(source, length):
    """One raw LZ4 block."""
    if length > 255 * len(source) + 16:
        raise Damage("LZ4 cannot reach this length")
    out = bytearray()
    at = 0

    def extended(value):
        nonlocal at
        if value == 15:
            while True:
                byte = source[at]
                at += 1
                value += byte
                if byte != 255:
                    break
        return value

    try:
        while True:
            token = source[at]
            at += 1
            literals = extended(token >> 4)
            if at + literals > len(source):
                raise Damage("LZ4 literals reach outside")
            out += source[at : at + literals]
            at += literals
            if at == len(source):
                break
            distance = u16(source, at)
            at += 2
            match = extended(token & 15) + 4
            if distance < 1 or distance > len(out) or len(out) + match > length:
                raise Damage("an LZ4 match reaches outside")
            for _ in range(match):
                out.append(out[-distance])
    except (IndexError, struct.error):
        raise Damage("LZ4 input ends early") from None
    if len(out) != length:
        raise Damage("LZ4 gives another length")
    return bytes(out)


class Cursor:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def varint(self):
        value = 0
        for shift in range(0, 35, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >= 2**32:
                    break
                return value
        raise Damage("a varint is too long")

    def take(self, length):
        if self.at + length > len(self.data):
            raise Damage("a length reaches outside")
        self.at += length
        return self.data[self.at - length : self.at]

    def text(self):
        try:
            return self.take(self.varint()).decode("utf-8")
        except UnicodeDecodeError:
            raise Damage("text is not UTF-8") from None


def structured(data):
    cursor = Cursor(data)
    flags = cursor.take(1)[0]
    if flags & ~3:
        raise Unsupported(f"record flags {flags}")
    record = {}
    if flags & 1:
        record["key"] = cursor.take(cursor.varint()).hex()
    if flags & 2:
        headers = []
        for _ in range(cursor.varint()):
            name = cursor.text().encode().hex()
            headers.append([name, cursor.take(cursor.varint()).hex()])
        record["headers"] = headers
    record["value"] = data[cursor.at :].hex()
    return record


def published_end(directory, log_id):
    """What a living writer says, or None: epoch, start, end, active base, position, session."""
    try:
        file = open(os.path.join(directory, "published"), "rb")
    except FileNotFoundError:
        return None
    with file:
        lock = fcntl.lockf if sys.platform == "linux" else fcntl.flock
        try:
            lock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            pass
        else:
            return None
        for _ in range(100):
            file.seek(0)
            data = file.read()
            check_start(data[:64], b"SLP0", 64)
            found, torn = find_slot(data, log_id)
            if found is not None:
                # What an earlier writer said has sequence 0.
                return found[:6] if found[6] > 0 else None
            if not torn:
                return None
    raise Damage("no slot of a pair is ever whole")


def last_words(directory, log_id):
    """What the last writer published, as long as that is still there."""
    try:
        data = read_file(os.path.join(directory, "published"))
        check_start(data[:64], b"SLP0", 64)
    except (FileNotFoundError, Damage):
        return None
    return find_slot(data, log_id)[0]


def find_slot(data, log_id):
    seed = crc(data[24:40])
    found, torn = None, False
    for pair in range(64, len(data), 160):
        slots = [data[at : at + 80] for at in (pair, pair + 80)]
        valid = [slot for slot in slots if len(slot) == 80 and crc(slot[4:], seed) == u32(slot, 0)]
        if not valid:
            torn = True
            continue
        newest = max(valid, key=lambda slot: u64(slot, 8))
        if newest[16:32] == log_id:
            end = [u64(newest, at) for at in (32, 40, 48, 56)]
            found = [*end, u32(newest, 4), data[24:40], u64(newest, 8)]
    return found, torn


class Log:
    def __init__(self, directory, is_journal=False):
        self.is_journal = is_journal
        for _ in range(100):
            try:
                if self.look(directory):
                    return
            except FileNotFoundError:
                continue
            except Damage:
                if not self.overtaken(directory):
                    raise
                time.sleep(0.01)
        raise Damage("the directory changes faster than it can be read")

    def overtaken(self, directory):
        """Whether the log has other bounds, or its writer another session, than it was read by."""
        try:
            meta, end = read_bounds(directory)
        except FileNotFoundError:
            return True
        if (end and end[5]) != self.session:
            return True
        bounds = [(meta.epoch, meta.start_offset)] + ([tuple(end[:2])] if end else [])
        return any(epoch > self.epoch or start > self.start_offset for epoch, start in bounds)

    def look(self, directory):
        """What stands in the segments, and behind it in the journal. False: of no one moment."""
        before, end = read_bounds(directory)
        epoch = end[0] if end else before.epoch
        # Before the log's own end is read: what leaves the journal is in the segments by then.
        run = journaled_run(directory, before.log_id) if before.in_store and not self.is_journal else []
        if not self.look_at_segments(directory):
            return False
        if self.epoch != epoch:
            # A truncation came between: the run may be from before it.
            return False
        first = run[0]["offset"] if run else 0
        if run and self.bound is not None and run[-1]["offset"] >= self.bound:
            raise Damage("the journal has lost the mark of an interrupted truncation")
        if first > self.end_offset:
            raise Damage("records between the segments and the journal are missing")
        tail = run[self.end_offset - first :]
        self.records += [record for record in tail if record["offset"] >= self.start_offset]
        self.end_offset += len(tail)
        return True

    def look_at_segments(self, directory):
        meta, end = read_bounds(directory)
        self.session = end and end[5]
        self.bound = None
        bases = sorted(
            int(name[:20]) for name in os.listdir(directory) if re.fullmatch(r"[0-9]{20}\.log", name)
        )
        self.log_id, self.epoch, self.start_offset = meta.log_id, meta.epoch, meta.start_offset
        if end is not None:
            self.epoch, self.start_offset, self.end_offset, active, position = end[:5]
            bases = [base for base in bases if base <= active]
            if active not in bases:
                return False
            bases = living_segments(bases, self.start_offset, None)
            segments = [Segment(directory, base, meta.log_id) for base in bases]
            self.check(segments, position)
            return True
        left = last_words(home_of(directory, meta), meta.log_id)
        bound = self.bound = pending_bound(directory, meta, bases, left)
        bases = living_segments(bases, self.start_offset, bound)
        segments = [Segment(directory, base, meta.log_id) for base in bases]
        if bound == self.start_offset:
            self.end_offset, self.records = bound, []
            return True
        newest = meta.active_base_offset
        if bound is None and left is not None and left[0] == meta.epoch:
            newest = max(newest, left[3])
        if not segments or segments[-1].base_offset < newest:
            raise Damage("the newest segment is missing")
        last = segments[-1]
        if meta.clean and at_marker(last, meta):
            position, self.end_offset = meta.end_position, meta.end_offset
        else:
            position, self.end_offset = complete_end(last)
            if self.end_offset < meta.end_offset:
                raise Damage("the log ends too early")
            named = last.base_offset == meta.active_base_offset
            if named and meta.bound is None and meta.last_block_position > 0:
                if not has_end(last, meta):
                    raise Damage("another file is in the place of the segment")
        if bound is not None:
            self.end_offset = min(self.end_offset, bound)
        if self.end_offset < self.start_offset:
            raise Damage("the log ends before it starts")
        self.check(segments, position)
        return published_end(home_of(directory, meta), meta.log_id) is None

    def check(self, segments, end_position):
        """Everything that must fit together; collects the readable records."""
        if segments[0].base_offset > self.start_offset:
            raise Damage("the first segment is missing")
        self.records = []
        before = None
        for segment in segments:
            if segment.epoch > self.epoch or (before and segment.epoch < before[2]):
                raise Damage("an epoch does not fit")
            if before is not None:
                base, chain, _, reach, header = before
                if segment.predecessor_header not in (0, header):
                    raise Damage("a segment is not the file that the next one followed")
                if segment.predecessor != (base, chain) or segment.base_offset < reach:
                    raise Damage("a segment does not follow the one before")
            is_last = segment is segments[-1]
            end = end_position if is_last else len(segment.data)
            position, chain, reach = segment.header_length, segment.checksum, segment.base_offset
            complete = True
            while position < end:
                block = Block(segment, position, end)
                if block.chain != chain or block.base_offset < reach:
                    raise Damage("a block does not follow the one before")
                for record in block.records():
                    if self.start_offset <= record["offset"] < self.end_offset:
                        self.records.append(record)
                position, chain, reach = block.end_position, block.checksum, block.last_offset + 1
                complete = block.ends_batch
            if not complete:
                raise Damage("a segment ends inside a batch")
            before = (segment.base_offset, chain, segment.epoch, reach, segment.checksum)

    def describe(self):
        return {
            "epoch": self.epoch,
            "startOffset": self.start_offset,
            "endOffset": self.end_offset,
            "records": self.records,
        }


def journaled_run(directory, log_id):
    """What the journal of the store has of a log: records whose offsets follow each other."""
    journal = os.path.join(directory, "..", ".journal")
    if os.path.islink(journal):
        raise Damage(f"{journal} is a symbolic link")
    if not os.path.exists(journal):
        return []
    if not os.path.exists(os.path.join(journal, "log.meta")):
        raise Damage("the journal has no log.meta")
    run = []
    for record in Log(journal, is_journal=True).records:
        name = bytes.fromhex(record.get("key", ""))
        if len(name) < 25 or name[:16] != log_id:
            continue
        offset, flags = u64(name, 16), name[24]
        if flags & 2:
            run = []
            continue
        own_key = 41 if flags & 4 else 25
        if len(name) < own_key:
            continue
        own = {**record, "offset": offset}
        del own["key"]
        if flags & 1:
            own["key"] = name[own_key:].hex()
        if run and offset != run[-1]["offset"] + 1:
            run = []
        run.append(own)
    return run


def read_bounds(directory):
    """log.meta, and what a living writer says."""
    meta = Metadata(directory)
    return meta, published_end(home_of(directory, meta), meta.log_id)


def pending_bound(directory, meta, bases, left):
    """The offset of a truncation that was recorded and not carried out."""
    if meta.bound is None:
        return None
    epoch, offset = meta.bound
    if left is not None and left[0] == epoch:
        return None
    if not bases or bases[-1] < offset:
        return offset
    newest = Segment(directory, bases[-1], meta.log_id)
    return offset if newest.epoch < epoch else None


def living_segments(bases, start_offset, bound):
    """Base offsets of the segments that are part of the log, of those that are there."""
    if bound == start_offset:
        return []
    if bound is not None:
        bases = [base for base in bases if base < bound]
    before = [base for base in bases if base <= start_offset]
    return bases[max(len(before) - 1, 0) :]


def home_of(directory, meta):
    """Where a writer's lock is."""
    return os.path.join(directory, "..", "..") if meta.in_store else directory


def at_marker(segment, meta):
    if segment.base_offset != meta.active_base_offset or len(segment.data) != meta.end_position:
        return False
    return has_end(segment, meta)


def has_end(segment, meta):
    """Whether the segment holds the block with which the log once ended."""
    if meta.last_block_position == 0:
        return segment.checksum == meta.last_checksum
    try:
        block = Block(segment, meta.last_block_position, meta.end_position)
    except Damage:
        return False
    return block.checksum == meta.last_checksum


def complete_end(segment):
    """Where the complete batches of an active segment end: (position, offset)."""
    position, chain, reach = segment.header_length, segment.checksum, segment.base_offset
    found = (position, reach)
    size = len(segment.data)
    while position < size:
        try:
            block = Block(segment, position, size)
        except Damage:
            break
        if block.chain != chain or block.base_offset < reach:
            break
        position, chain, reach = block.end_position, block.checksum, block.last_offset + 1
        if block.ends_batch:
            found = (position, reach)
    proof = False
    at = segment.data.find(b"SLB0", position + 5) if position < size else -1
    while at >= 0 and not proof:
        try:
            if Block(segment, at - 4, size).durable_end_offset > found[1]:
                proof = True
        except Damage:
            pass
        at = segment.data.find(b"SLB0", at + 1)
    if proof:
        raise Damage("a block behind the invalid one was written when this was durable")
    return found


PLAIN = b"abcdefghijklmnopqrstuvwxyz0123456789_-"
DEVICES = re.compile(r"con|prn|aux|nul|com[0-9]|lpt[0-9]")


def encode_key(key):
    data = key.encode("utf-8")
    name = "".join(chr(byte) if byte in PLAIN else f"%{byte:02x}" for byte in data)
    return f"%{data[0]:02x}{name[1:]}" if DEVICES.fullmatch(name) else name


def decode_key(name):
    if not re.fullmatch(r"([a-z0-9_-]|%[0-9a-f]{2})+", name):
        return None
    data = re.sub(rb"%(..)", lambda match: bytes([int(match[1], 16)]), name.encode())
    try:
        key = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return key if encode_key(key) == name else None


def committed_offsets(directory, store_id):
    groups = {}
    try:
        data = read_file(os.path.join(directory, "committed-offsets"))
    except FileNotFoundError:
        return groups
    position = check_start(data, b"SLC0", 56)
    if data[24:40] != store_id:
        return groups
    checksum = u32(data, 0)
    while position + 12 <= len(data):
        end = position + 12 + u32(data, position + 4)
        if end > len(data) or crc(data[position + 4 : end], checksum) != u32(data, position):
            break
        try:
            entries = read_entries(data[position + 12 : end], u32(data, position + 8))
        except Damage:
            break
        for kind, group, key, log_id, offset in entries:
            if kind == 1:
                groups.setdefault(group, {})[key] = (log_id, offset)
            elif kind == 2:
                for offsets in groups.values():
                    offsets.pop(key, None)
        checksum, position = u32(data, position), end
    return groups


def read_entries(payload, count):
    cursor = Cursor(payload)
    entries = []
    for _ in range(count):
        entry = Cursor(cursor.take(cursor.varint()))
        kind = entry.take(1)[0]
        if kind not in (1, 2, 3):
            if kind < 0x80:
                raise Unsupported(f"checkpoint entry of kind {kind}")
            continue
        key, group, log_id, offset = entry.text(), None, None, 0
        if kind == 1:
            group, log_id, offset = entry.text(), entry.take(16), u64(entry.take(8), 0)
        if kind == 3:
            entry.take(16)
        if entry.at != len(entry.data):
            raise Damage("fields do not fill the entry")
        entries.append((kind, group, key, log_id, offset))
    if cursor.at != len(payload):
        raise Damage("entries do not fill the frame")
    return entries


def describe_store(directory):
    data = read_file(os.path.join(directory, "store.meta"))
    check_start(data, b"SLT0", 48)
    names = sorted(os.listdir(os.path.join(directory, "logs")))
    keys = sorted((decode_key(name), name) for name in names if decode_key(name) is not None)
    logs = {key: Log(os.path.join(directory, "logs", name)) for key, name in keys}
    groups = committed_offsets(directory, data[24:40])
    return {
        "directories": names,
        "keys": [{"key": key, **logs[key].describe()} for key, _ in keys],
        "groups": [
            {"group": group, "committed": sorted(that_count(offsets, logs).items())}
            for group, offsets in sorted(groups.items())
        ],
    }


def that_count(offsets, logs):
    """Those of the logs that are there, and never past a log's end."""
    return {
        key: min(offset, logs[key].end_offset)
        for key, (log_id, offset) in offsets.items()
        if key in logs and logs[key].log_id == log_id
    }


def main():
    kind, directory = sys.argv[1:]
    result = describe_store(directory) if kind == "store" else Log(directory).describe()
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
