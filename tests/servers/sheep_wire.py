"""Sheepdog's gateway protocol on the wire: opcodes, results, headers, the layout of an inode.

Written from the protocol's description alone; all integers are little-endian.
"""

import struct

HEADER = 48

CREATE, READ, WRITE, REMOVE, DISCARD = 1, 2, 3, 4, 5
NEW, LOCK, RELEASE, INFO, VDIS, FLUSH, DELETE, DEFAULT = range(0x11, 0x19)
NODES, STAT, CLUSTER, COPIES, CLUSTER_INFO, DELETED = 0x82, 0x86, 0x87, 0xab, 0xbe, 0xc9
EXIST = 0xbd

OPCODES = {
    "create": CREATE, "read": READ, "write": WRITE, "remove": REMOVE, "discard": DISCARD,
    "new": NEW, "lock": LOCK, "release": RELEASE, "info": INFO, "vdis": VDIS, "flush": FLUSH,
    "delete": DELETE, "default": DEFAULT, "nodes": NODES, "stat": STAT, "cluster": CLUSTER,
    "copies": COPIES, "cluster-info": CLUSTER_INFO, "deleted": DELETED,
}
NAMES = {code: name for name, code in OPCODES.items()}

F_WRITE, F_COW = 1, 2

OK, NO_OBJ, VDI_EXIST, INVALID, LOCKED, NO_VDI, NO_BASE = 0, 2, 4, 5, 7, 8, 9
NO_TAG, FULL_VDI, VERSION, NO_SPACE, UNFORMATTED, READONLY = 0xe, 0x13, 0x14, 0x15, 0x16, 0x1a

PUBLIC_VERSION, INTERNAL_VERSION = 2, 0x0a
BITMAP = 1 << 21
NODE_SIZE, MAX_NODES = 80, 6144
VDI_STATE = 1428
CLUSTER_INFO_SIZE = 491568

# an inode object
NAME, TAG, CREATED, SNAPPED, SIZE = 0, 256, 512, 520, 536
COPY_POLICY, COPIES_AT, SHIFT, SNAP_ID, VID, PARENT = 552, 554, 555, 556, 560, 564
MAP, MAP_ENTRIES = 4664, 1 << 20
GREF = MAP + 4 * MAP_ENTRIES
INODE_SIZE = GREF + 8 * MAP_ENTRIES

INODE_BIT, LEDGER_BIT = 1 << 63, 1 << 59


class Request:
    """One request: the header's fields, those of a union by the union's name, the payload."""

    def __init__(self, header, payload=b""):
        self.version, self.opcode, self.flags, self.epoch, self.id, self.length = \
            struct.unpack_from("<BBHIII", header)
        self.payload = payload
        self.oid, self.cow_oid, self.copies, self.offset = struct.unpack_from("<QQB7xI", header, 16)
        self.size, self.base, self.vdi_copies, self.policy, self.shift, self.snapid, self.type = \
            struct.unpack_from("<QIBBxBII", header, 16)

    @property
    def name(self):
        return NAMES.get(self.opcode, hex(self.opcode))

    @property
    def of_inode(self):
        return bool(self.oid & INODE_BIT)


class Answer:
    """What becomes a reply: a result and, where that is 0, the bytes 16..47 and a payload."""

    def __init__(self, result=OK, union=b"", payload=b""):
        self.result, self.union, self.payload = result, union, payload

    def pack(self, request, epoch):
        union = self.union.ljust(32, b"\0")
        payload = self.payload
        if self.result:
            # what the real server sends there is whatever lay on its stack
            union, payload = struct.pack("<I", self.result) + b"\xa5" * 28, b""
        return struct.pack("<BBHIII", 0, request.opcode, 0, epoch, request.id,
                           len(payload)) + union + payload


def vdi_answer(vid, copies=0, shift=0):
    return Answer(union=struct.pack("<IIIIBB", 0, 0, vid, 0, copies, shift))


def inode_oid(vid):
    return INODE_BIT | vid << 32


def data_oid(vid, index):
    return vid << 32 | index


def vid_of(oid):
    return oid >> 32 & 0xffffff


def index_of(oid):
    return oid & 0xffffffff


def text(field):
    return bytes(field).split(b"\0")[0]


def hash_of(name):
    """Where the search for a free vid starts: FNV-1a of the name, 24 bits of it."""
    value = 0xcbf29ce484222325
    for byte in name:
        value = (value ^ byte) * 0x100000001b3 & (1 << 64) - 1
    return value & 0xffffff or 1
