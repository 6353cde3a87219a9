"""The state of a Sheepdog cluster in memory, and what each request does to it.

What a real cluster punishes (a crash, bytes lost, a VDI that cannot be removed) is done here
as well, and written down as a trap, so that a test can ask for a client that met none.
"""

import array
import struct
import time

from sheep_wire import (
    BITMAP, CREATED, F_COW, F_WRITE, FULL_VDI, INODE_SIZE, INVALID, LOCKED, MAP, MAP_ENTRIES,
    GREF, NAME, NO_BASE, NO_OBJ, NO_SPACE, NO_TAG, NO_VDI, OK, PARENT, READONLY, SHIFT, SIZE,
    SNAPPED, SNAP_ID, TAG, VDI_EXIST, VDI_STATE, COPIES_AT, COPY_POLICY, Answer, data_oid,
    hash_of, index_of, inode_oid, text, vdi_answer, vid_of)

EXCLUSIVE, SHARED = 0, 1


class Crash(Exception):
    """The sheep that got the request dies of it."""


def now():
    seconds, nanoseconds = divmod(time.time_ns(), 10**9)
    return seconds << 32 | nanoseconds


def entries(payload):
    return array.array("I", bytes(payload[:len(payload) & ~3]))


class Cluster:
    def __init__(self, options, trap, later):
        self.copies, self.shift, self.locking = options.copies, options.shift, options.locking
        self.room = options.room
        self.trap = trap                # trap(sentence)
        self.later = later              # later(function, arguments): after the removal's delay
        self.format()

    def format(self):
        self.created = now()
        self.objects = {}               # oid: bytearray, without the zeros at its end
        self.made = {}                  # oid without a map entry yet: (payload, offset, faults)
        self.references = {}            # data oid: how many maps name it
        self.in_use, self.deleted = bytearray(BITMAP), bytearray(BITMAP)
        self.vids, self.named_so = [], {}   # in the order of their making; by name
        self.readonly = set()
        self.locks = {}                 # vid: (type, set of nodes)
        self.faults = 0                 # injected so far: a repeated CREATE is then no mistake

    # -- inodes --

    def inode(self, vid):
        return self.objects[inode_oid(vid)]

    def field(self, vid, at, kind):
        return struct.unpack_from("<" + kind, self.inode(vid), at)[0]

    def name(self, vid):
        return text(self.inode(vid)[NAME:NAME + 256])

    def tag(self, vid):
        return text(self.inode(vid)[TAG:TAG + 256])

    def object_size(self, vid):
        return 1 << self.field(vid, SHIFT, "B")

    def map(self, vid):
        return entries(self.inode(vid)[MAP:GREF])

    def is_snapshot(self, vid):
        return self.field(vid, SNAPPED, "Q") != 0

    def working(self, name):
        return next((vid for vid in self.of_name(name) if not self.is_snapshot(vid)), 0)

    def of_name(self, name):
        return self.named_so.get(name, [])

    def lookup(self, name, tag, snapid):
        """The vid and 0, or a result."""
        vid = self.working(name)
        if not tag and not snapid:
            return (vid, OK) if vid else (0, NO_VDI)
        for snap in self.of_name(name):
            if self.is_snapshot(snap) and (self.tag(snap) == tag if tag else
                                           self.field(snap, SNAP_ID, "I") == snapid):
                return snap, OK
        return 0, NO_TAG if vid else NO_VDI

    # -- objects --

    def limit(self, oid):
        if oid == inode_oid(vid_of(oid)):
            return INODE_SIZE
        return self.object_size(vid_of(oid)) if self.has_inode(oid) else 1 << self.shift

    def has_inode(self, oid):
        return inode_oid(vid_of(oid)) in self.objects

    def used(self):
        return sum(1 for oid in self.objects if oid < 1 << 56) << self.shift

    def put(self, oid, data, offset):
        stored = self.objects[oid]
        if len(stored) < offset:
            stored.extend(bytes(offset - len(stored)))
        stored[offset:offset + len(data)] = data

    def read(self, request):
        stored = self.objects.get(request.oid)
        if stored is None:
            return Answer(NO_OBJ)
        if request.offset + request.length > self.limit(request.oid):
            self.trap("READ past the end of object %x" % request.oid)
        data = stored[request.offset:request.offset + request.length]
        return Answer(payload=data.ljust(request.length, b"\0"))

    def refused(self, request):
        return not request.of_inode and vid_of(request.oid) in self.readonly

    def create(self, request):
        oid = request.oid
        if self.refused(request):
            return Answer(READONLY)
        if request.of_inode or not self.has_inode(oid):
            self.trap("CREATE of object %x, which is no VDI's data" % oid)
        if self.used() >= self.room:
            return Answer(NO_SPACE)
        old = b""
        if request.flags & F_COW and request.length < self.limit(oid):
            if request.cow_oid not in self.objects:
                return Answer(NO_OBJ)
            old = self.objects[request.cow_oid]
        self.check_create(request)
        self.objects[oid] = bytearray(old)
        self.put_checked(request)
        return Answer()

    def check_create(self, request):
        mine = (request.payload, request.offset, self.faults)
        if self.references.get(request.oid) and request.oid in self.objects:
            self.trap("CREATE replaces object %x, which a map names" % request.oid)
        elif request.oid in self.made:
            payload, offset, faults = self.made[request.oid]
            if faults == self.faults and (payload, offset) != mine[:2]:
                self.trap("CREATE twice of object %x loses the first's bytes" % request.oid)
        self.made[request.oid] = mine

    def put_checked(self, request):
        if request.offset + len(request.payload) > self.limit(request.oid):
            self.trap("WRITE past the end of object %x" % request.oid)
        self.put(request.oid, request.payload, request.offset)

    def write(self, request):
        if self.refused(request):
            return Answer(READONLY)
        if request.oid not in self.objects:
            return Answer(NO_OBJ)
        if request.of_inode:
            return self.write_inode(request)
        self.put_checked(request)
        return Answer()

    def write_inode(self, request):
        vid, start, end = vid_of(request.oid), request.offset, request.offset + len(request.payload)
        if start >= MAP and end <= GREF:
            self.write_map(vid, (start - MAP) // 4, entries(request.payload))
            return Answer()
        if (start, end) not in ((TAG, TAG + 256), (SIZE, SIZE + 8)):
            self.trap("WRITE to bytes %d to %d of an inode" % (start, end))
        if start <= SIZE and end >= SIZE + 8:
            self.check_size(vid, struct.unpack_from("<Q", request.payload, SIZE - start)[0])
        self.put_checked(request)
        return Answer()

    def check_size(self, vid, size):
        objects = -(-size // self.object_size(vid))
        if objects > MAP_ENTRIES:
            self.trap("a VDI of %d bytes has more than 2^20 objects" % size)
        if any(self.map(vid)[objects:]):
            self.trap("a smaller size of VDI %x leaves objects behind its end" % vid)

    def write_map(self, vid, first, new):
        old = self.map(vid)[first:first + len(new)]
        old.extend([0] * (len(new) - len(old)))
        self.put(inode_oid(vid), new.tobytes(), MAP + 4 * first)
        for index, (was, is_) in enumerate(zip(old, new), first):
            if is_ and is_ != was:
                self.refer(data_oid(is_, index))
            if was and was != is_:
                self.release(data_oid(was, index))

    def refer(self, oid):
        if oid not in self.objects:
            self.trap("a map names object %x, which does not exist" % oid)
        self.made.pop(oid, None)
        self.references[oid] = self.references.get(oid, 0) + 1

    def release(self, oid):
        self.references[oid] -= 1
        if not self.references[oid]:
            del self.references[oid]
            self.later(self.reclaim, oid)

    def reclaim(self, oid):
        """Late, as the real one does it: it does not look whether the object is new."""
        if oid in self.references:
            self.trap("object %x was made again before the old one was removed: lost" % oid)
        self.made.pop(oid, None)
        self.objects.pop(oid, None)

    def remove(self, request):
        if request.oid in self.references:
            self.trap("REMOVE of object %x, which a map names" % request.oid)
        return Answer(OK if self.objects.pop(request.oid, None) is not None else NO_OBJ)

    def discard(self, request):
        vid, index = vid_of(request.oid), index_of(request.oid)
        if inode_oid(vid) not in self.objects:
            return Answer(NO_OBJ)
        owned = self.map(vid)[index:index + 1]
        if vid in self.readonly:
            self.trap("DISCARD of object %x of a snapshot" % request.oid)
        if owned and owned[0]:
            self.write_map(vid, index, entries(bytes(4)))
            self.objects.pop(request.oid, None)
        return Answer()

    # -- VDIs --

    def new(self, request):
        if len(request.payload) != 256:
            return Answer(INVALID)
        name = text(request.payload)
        if not name:
            self.trap("NEW_VDI with an empty name")
        vid = self.working(name)
        if request.snapid:
            return self.snapshot(request, name, vid)
        if vid:
            return Answer(VDI_EXIST)
        if request.base and inode_oid(request.base) not in self.objects:
            return Answer(NO_BASE)
        if request.base and not self.is_snapshot(request.base):
            self.trap("a clone of VDI %x, which is no snapshot" % request.base)
        return self.add(request, name)

    def snapshot(self, request, name, vid):
        if not vid:
            return Answer(NO_VDI)
        if inode_oid(request.base) not in self.objects:
            return Answer(NO_BASE)
        tags = [self.tag(snap) for snap in self.of_name(name)]
        if self.tag(vid) and tags.count(self.tag(vid)) > 1:
            self.trap("a second snapshot with tag %r" % self.tag(vid))
        struct.pack_into("<Q", self.inode(vid), SNAPPED, now())
        self.readonly.add(vid)
        return self.add(request, name)

    def add(self, request, name):
        vid = self.free_vid(name)
        if not vid:
            return Answer(FULL_VDI)
        inode = bytearray(MAP)
        copies = request.vdi_copies or self.copies
        shift = request.shift or self.shift
        snap_id = max([self.field(v, SNAP_ID, "I") for v in self.of_name(name)], default=0) + 1
        inode[:len(name)] = name
        struct.pack_into("<QQQQQ", inode, CREATED, now(), 0, 0, request.size, 0)
        struct.pack_into("<BBBBIII", inode, COPY_POLICY, request.policy, 0, copies, shift,
                         snap_id, vid, request.base)
        if request.base:
            inode += self.inode(request.base)[MAP:GREF]
            self.readonly.add(request.base)
        self.objects[inode_oid(vid)] = inode
        for index, owner in enumerate(self.map(vid)):
            if owner:
                self.refer(data_oid(owner, index))
        self.in_use[vid >> 3] |= 1 << (vid & 7)
        self.vids.append(vid)
        self.named_so.setdefault(name, []).append(vid)
        self.check_size(vid, request.size)
        return vdi_answer(vid, copies, shift)

    def free_vid(self, name):
        vid = first = hash_of(name)
        while self.in_use[vid >> 3] >> (vid & 7) & 1:
            vid = vid + 1 & 0xffffff or 1
            if vid == first:
                return 0
        return vid

    def named(self, request):
        """What lookup answers to a request's name, tag and snapid."""
        if not request.flags & F_WRITE or len(request.payload) not in (256, 512):
            return 0, INVALID
        name, tag = text(request.payload[:256]), text(request.payload[256:])
        if len(request.payload) == 256 and request.snapid:
            self.trap("a lookup by snapid with a payload of 256 bytes crashes the sheep")
            if any(self.tag(vid) for vid in self.of_name(name)):
                raise Crash
        return self.lookup(name, tag, request.snapid)

    def info(self, request):
        vid, result = self.named(request)
        if result:
            return Answer(result)
        return vdi_answer(vid, self.field(vid, COPIES_AT, "B"), self.field(vid, SHIFT, "B"))

    def delete(self, request):
        vid, result = self.named(request)
        if result:
            return Answer(result)
        self.deleted[vid >> 3] |= 1 << (vid & 7)
        if any(self.map(vid)):
            self.trap("DEL_VDI of VDI %x, whose map is not zero, deletes nothing" % vid)
            return vdi_answer(vid)
        self.of_name(self.name(vid)).remove(vid)
        inode = self.inode(vid)
        inode[NAME:NAME + 256] = bytes(256)
        inode[SIZE:SIZE + 8] = bytes(8)
        return vdi_answer(vid)

    # -- locks: they belong to the node, and only a cluster formatted for them has any --

    def lock(self, request, node):
        vid, result = self.named(request)
        if result:
            return Answer(result)
        if self.locking:
            kind, owners = self.locks.get(vid, (request.type, set()))
            if owners and (EXCLUSIVE in (kind, request.type) or node in owners):
                return Answer(LOCKED)
            self.locks[vid] = (request.type, owners | {node})
        return self.info(request)

    def unlock(self, request, node):
        kind, owners = self.locks.get(request.base, (0, set()))
        self.locks[request.base] = (kind, owners - {node})
        return Answer()

    def node_lost(self, node):
        for vid, (kind, owners) in self.locks.items():
            self.locks[vid] = (kind, owners - {node})

    def states(self, request, addresses):
        """GET_VDI_COPIES: addresses gives the 40 bytes of a node's id."""
        out = bytearray()
        for vid in self.vids:
            kind, owners = self.locks.get(vid, (0, set()))
            state = bytearray(VDI_STATE)
            held = 1 if not owners else 3 if kind == SHARED else 2
            struct.pack_into("<IBBBBB3xII", state, 0, vid, self.field(vid, COPIES_AT, "B"),
                             self.is_snapshot(vid), not self.name(vid),
                             self.field(vid, COPY_POLICY, "B"), self.field(vid, SHIFT, "B"),
                             self.field(vid, PARENT, "I"), held)
            if owners and kind == EXCLUSIVE:
                state[20:60] = addresses[min(owners)]
            struct.pack_into("<I", state, 60, len(owners) if kind == SHARED else 0)
            out += state
        if request.length < len(out):
            return Answer(0x88)
        return Answer(payload=bytes(out))
