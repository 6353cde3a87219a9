"""What another client of the cluster does, and what a witness sees, without the network."""

from urllib.parse import unquote_to_bytes, quote_from_bytes

from sheep_wire import (
    CREATE, DELETE, F_COW, F_WRITE, LOCK, MAP, NEW, NO_VDI, PARENT, RELEASE, SHIFT, SIZE, SNAP_ID,
    TAG, WRITE, Request, data_oid, inode_oid)


class Foreign:
    def __init__(self, cluster):
        self.cluster = cluster

    def ask(self, run, opcode, payload=b"", **fields):
        """A request as if from the network; its result must be 0."""
        request = Request(bytes(48))
        request.opcode, request.payload, request.length = opcode, payload, len(payload)
        request.flags = F_WRITE
        for name, value in fields.items():
            setattr(request, name, value)
        answer = run(request)
        if answer.result:
            raise ValueError("result %#x" % answer.result)
        return answer

    def find(self, name, tag=""):
        vid, result = self.cluster.lookup(unquote_to_bytes(name), unquote_to_bytes(tag), 0)
        if not vid:
            raise ValueError("no VDI %s: %#x" % (name, result or NO_VDI))
        return vid

    def write_inode(self, vid, at, payload):
        self.ask(self.cluster.write, WRITE, payload, oid=inode_oid(vid), offset=at)

    def tell_create(self, name, size):
        self.ask(self.cluster.new, NEW, unquote_to_bytes(name).ljust(256, b"\0"), size=int(size))

    def tell_crowd(self, count, size):
        for number in range(int(count)):
            self.tell_create("vdi%d" % number, size)

    def tell_resize(self, name, size):
        self.write_inode(self.find(name), SIZE, int(size).to_bytes(8, "little"))

    def tell_snapshot(self, name, tag):
        vid = self.find(name)
        self.write_inode(vid, TAG, unquote_to_bytes(tag).ljust(256, b"\0"))
        self.ask(self.cluster.new, NEW, unquote_to_bytes(name).ljust(256, b"\0"), base=vid,
                 snapid=1, size=self.cluster.field(vid, SIZE, "Q"),
                 shift=self.cluster.field(vid, SHIFT, "B"))

    def tell_delete(self, name, tag=""):
        vid = self.find(name, tag)
        used = len(self.cluster.map(vid))
        if used:
            self.write_inode(vid, MAP, bytes(4 * used))
        self.ask(self.cluster.delete, DELETE,
                 unquote_to_bytes(name).ljust(256, b"\0") + unquote_to_bytes(tag).ljust(256, b"\0"))

    def tell_fill(self, name, offset, file):
        vid, offset = self.find(name), int(offset)
        size = self.cluster.object_size(vid)
        with open(file, "rb") as source:
            data = source.read()
        while data:
            index, inner = divmod(offset, size)
            part = data[:size - inner]
            self.fill_object(vid, index, inner, part)
            data, offset = data[len(part):], offset + len(part)

    def fill_object(self, vid, index, inner, part):
        owner = (list(self.cluster.map(vid)[index:index + 1]) or [0])[0]
        if owner == vid:
            self.ask(self.cluster.write, WRITE, part, oid=data_oid(vid, index), offset=inner)
            return
        self.ask(self.cluster.create, CREATE, part, oid=data_oid(vid, index), offset=inner,
                 cow_oid=data_oid(owner, index), flags=F_WRITE | (F_COW if owner else 0))
        self.write_inode(vid, MAP + 4 * index, vid.to_bytes(4, "little"))

    def tell_dump(self, name, file, tag=""):
        vid = self.find(name, tag)
        size = self.cluster.object_size(vid)
        with open(file, "wb") as out:
            for index, owner in enumerate(self.cluster.map(vid)):
                if owner:
                    out.seek(index * size)
                    out.write(self.cluster.objects[data_oid(owner, index)])
            out.truncate(self.cluster.field(vid, SIZE, "Q"))

    def tell_hold(self, name, node):
        self.ask(lambda request: self.cluster.lock(request, int(node)), LOCK,
                 unquote_to_bytes(name).ljust(512, b"\0"))

    def tell_drop(self, name, node):
        self.ask(lambda request: self.cluster.unlock(request, int(node)), RELEASE,
                 base=self.find(name))

    def tell_locks(self):
        return "\n".join(" ".join([quote_from_bytes(self.cluster.name(vid))] +
                                  [str(owner) for owner in sorted(owners)])
                         for vid, (_, owners) in self.cluster.locks.items() if owners)

    def tell_list(self):
        lines = []
        for vid in self.cluster.vids:
            if not self.cluster.name(vid):
                continue
            owners = [owner for owner in self.cluster.map(vid) if owner]
            own = owners.count(vid)
            clone = self.cluster.field(vid, SNAP_ID, "I") == 1 and \
                self.cluster.field(vid, PARENT, "I")
            kind = "s" if self.cluster.is_snapshot(vid) else "c" if clone else "="
            lines.append(" ".join((
                kind, quote_from_bytes(self.cluster.name(vid)),
                str(self.cluster.field(vid, SIZE, "Q")), str(own << self.cluster.shift),
                str(len(owners) - own << self.cluster.shift),
                quote_from_bytes(self.cluster.tag(vid)))))
        return "\n".join(lines)

    def tell_objects(self):
        return str(sum(1 for oid in self.cluster.objects if oid < 1 << 56))

    def tell_orphans(self):
        return "\n".join("%x" % oid for oid in self.cluster.objects
                         if oid < 1 << 56 and oid not in self.cluster.references)
