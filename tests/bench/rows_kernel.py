"""The rows of pools on the kernel's storage, for a VM: a start against mount, LVs against lvm's own
commands, partitions against sysfs, the bytes of block devices against the devices themselves, and what
an administrator does, of each type, against libvirt.
"""

import itertools
import os
import time

from kinds import (DISK, DISKS, FS, KINDS, LOGICAL, LVS, MANY_LVS, MANY_PARTITIONS, PARTITIONS,
                   SCSI)
from measure import Row, Sample
from rows_block import Bytes
from systems import (Failed, Libvirt, Storagefs, System, is_mounted, run, unmount, wait_for,
                     write)

OWN = "storagefs"
LIBVIRT = "libvirt"
FILES = "/run/bench-files"      # a tmpfs
VOLUME_XML = "<volume><name>{name}</name><capacity unit='MiB'>4</capacity></volume>\n"


class Daemon(Storagefs):
    """The daemon; nothing starts but by `start`."""
    options = "no-autostart,timeout=600"

    def pool_of(self, kind):
        return os.path.join(self.mount, "pools", kind.name)

    def define(self, kind):
        kind.ready()
        pool = self.pool_of(kind)
        if not os.path.exists(pool):
            os.mkdir(pool)
            write(f"{pool}/xml", kind.xml())
        return pool

    def started(self, kind):
        pool = self.define(kind)
        with open(f"{pool}/state") as f:
            if f.read() != "running\n":
                write(f"{pool}/ctl", "start\n")
        return pool


class KernelLibvirt(Libvirt):
    """libvirt with the network and the devices of all."""
    namespaces = ("-m", "--propagation", "slave")

    def define(self, kind):
        kind.ready()
        if kind.name not in self.pools:
            write(f"{self.home}/{kind.name}.xml", kind.xml())
            run(*self.virsh("pool-define", f"{self.home}/{kind.name}.xml"))
            self.pools.add(kind.name)

    def started(self, kind):
        self.define(kind)
        if f"{kind.name} started" not in self.pools:
            run(*self.virsh("pool-start", kind.name))
            self.pools.add(f"{kind.name} started")

    def stopped(self, kind):
        run(*self.virsh("pool-destroy", kind.name))
        self.pools.discard(f"{kind.name} started")


def daemon(bench):
    return bench.system(OWN, lambda: Daemon(bench))


def libvirt(bench):
    return bench.system(LIBVIRT, lambda: KernelLibvirt(bench))


def state(pool):
    with open(f"{pool}/state") as f:
        return f.read().strip()


def end():
    unmount(FS.target)


class FsStart(Row):
    """A start against the mount that it makes: a command of each."""
    reference = "mount"
    systems = (reference, OWN, LIBVIRT)
    wall = "time"

    def __init__(self):
        super().__init__("fs start", [(OWN, "time", 1.3)])

    def prepare(self, bench, name):
        FS.ready()
        if name != self.reference:
            (daemon if name == OWN else libvirt)(bench).define(FS)

    def sample(self, bench, name):
        if name == self.reference:
            sample = bench.workload("-n", "1", "exec", "mount", "-o", "nodev,nosuid,noexec",
                                    DISKS[0], FS.target)
            run("umount", FS.target)
            return sample
        if name == LIBVIRT:
            system = libvirt(bench)
            sample = bench.workload("-n", "1", "exec", *system.virsh("pool-start", FS.name),
                                    pids=system.pids)
            system.stopped(FS)
            return sample
        system = daemon(bench)
        pool = system.pool_of(FS)
        sample = bench.workload("-n", "1", "exec", "sh", "-c", 'echo start >"$0/ctl"', pool,
                                pids=system.pids)
        if state(pool) != "running":
            raise Failed("the pool did not start")
        write(f"{pool}/ctl", "stop\n")
        return sample


def change(group, lv):
    """What the daemon cannot know of without asking lvm."""
    run("lvchange", "-q", "--addtag", "bench", f"{group}/{lv}")
    run("lvchange", "-q", "--deltag", "bench", f"{group}/{lv}")


LV_CREATE = ["lvcreate", "-q", "-y", "-L", "4M"]


class LeastCreate(System):
    """minimal_create.c: a touch and an lvcreate, with nothing between them but FUSE."""
    name = "minimal + lvcreate"

    def start(self):
        self.mount = os.path.join(self.home, "mnt")
        os.mkdir(self.mount)
        self.mounts.append(self.mount)
        process = self.spawn(os.path.join(self.bench.work, "minimal_create"), self.mount,
                             *LV_CREATE, LOGICAL.group, "-n")
        wait_for(lambda: is_mounted(self.mount), "minimal_create did not mount", process)


class LvCreate(Row):
    """An LV made, by one command of each; in a group that was looked at, or changed by others."""
    reference = "lvcreate"
    floor = "minimal + lvcreate"
    systems = (reference, OWN, LIBVIRT, floor)
    wall = "time"
    waits = True                # the daemon for a tool
    numbers = itertools.count(1) # libvirt takes what others have removed for still there

    def __init__(self, name, changed, figures=()):
        super().__init__(name, figures)
        self.changed = changed

    def prepare(self, bench, name):
        LOGICAL.ready()
        if name == self.floor:
            bench.system(name, lambda: LeastCreate(bench))
        elif name != self.reference:
            (daemon if name == OWN else libvirt)(bench).started(LOGICAL)

    def sample(self, bench, name):
        lv = f"new{next(self.numbers)}"
        pids = []
        if self.changed:
            change(LOGICAL.group, "data")
        if name == self.reference:
            command = [*LV_CREATE, LOGICAL.group, "-n", lv]
        elif name == self.floor:
            system = bench.system(name)
            command, pids = ["touch", f"{system.mount}/{lv}"], system.pids
        elif name == OWN:
            system = daemon(bench)
            volumes = f"{system.pool_of(LOGICAL)}/volumes"
            command, pids = ["touch", f"{volumes}/{lv}"], system.pids
            if not self.changed:
                os.listdir(volumes)
        else:
            system = libvirt(bench)
            command = system.virsh("vol-create-as", LOGICAL.name, lv, "4M")
            pids = system.pids
        sample = bench.workload("-n", "1", "exec", *command, pids=pids)
        run("lvremove", "-q", "-y", f"{LOGICAL.group}/{lv}")
        return sample


class ListMany(Row):
    """A list with sizes, by one command of each, when the kernel may hold no size any longer.

    After a change by others the floor is both commands, the second on a tmpfs: who lists files asks
    lvm first, and ls is a process of its own.
    """
    systems = ()
    wall = "time"
    unit = "volume"
    waits = True                # the daemon for a tool

    def __init__(self, name, kind, reference, count, limit, changed=None):
        super().__init__(name, [(OWN, "time", limit)])
        self.kind, self.count, self.changed = kind, count, changed
        self.reference = reference[0]
        self.command = reference
        self.systems = (self.reference, OWN, LIBVIRT)
        if changed:
            self.floor = f"{self.reference} + ls -l"
            self.systems += (self.floor,)

    def prepare(self, bench, name):
        self.kind.ready()
        if name == self.floor:
            os.makedirs(FILES, exist_ok=True)
            for i in range(self.count):
                write(f"{FILES}/lv{i:03}", "")
        elif name != self.reference:
            (daemon if name == OWN else libvirt)(bench).started(self.kind)

    def sample(self, bench, name):
        pids = []
        command = self.command
        if self.changed:
            change(self.kind.group, self.changed)
        if name == OWN:
            system = daemon(bench)
            command, pids = ["ls", "-l", f"{system.pool_of(self.kind)}/volumes"], system.pids
            time.sleep(1.1)
        elif name == self.floor:
            asks, lists = (bench.workload("-n", str(self.count), "exec", *c)
                           for c in (self.command, ["ls", "-l", FILES]))
            return Sample(asks.wall + lists.wall, asks.cpu + lists.cpu, asks.units)
        elif name == LIBVIRT:
            system = libvirt(bench)
            command = system.virsh("vol-list", "--details", self.kind.name)
            pids = system.pids
        return bench.workload("-n", str(self.count), "exec", *command, pids=pids)


class VmBytes(Bytes):
    """Of an LV, a partition or a LUN."""

    def __init__(self, kind, *args):
        self.pool = kind
        super().__init__(kind.name, *args)

    def paths(self, bench):
        system = daemon(bench)
        volumes = f"{system.started(self.pool)}/volumes"
        if self.pool is LOGICAL:
            return system, f"/dev/{LOGICAL.group}/data", f"{volumes}/data"
        if self.pool is DISK:
            return system, f"{DISKS[3]}1", f"{volumes}/{os.path.basename(DISKS[3])}1"
        _, bus, target, lun = SCSI.address
        return system, DISKS[4], f"{volumes}/unit:{bus}:{target}:{lun}"


class Deed(Row):
    """What an administrator does to a pool of a type, by one line of each."""
    reference = LIBVIRT
    systems = (reference, OWN)
    wall = "time"

    def __init__(self, kind, deed):
        super().__init__(f"{kind.name} {deed}")
        self.kind, self.deed = kind, deed

    def prepare(self, bench, name):
        for system in (daemon(bench), libvirt(bench)):
            if self.deed == "define":
                continue
            # one after the other: a filesystem is mounted once
            system.define(self.kind)
        if self.deed in ("create", "list", "delete") and not self.kind.alone:
            (daemon if name == OWN else libvirt)(bench).started(self.kind)

    def sample(self, bench, name):
        if self.kind.alone and self.deed in ("create", "list", "delete"):
            return self.alone(bench, name)
        return self.own(bench) if name == OWN else self.peer(bench)

    def alone(self, bench, name):
        """The pool is the running one of this system alone."""
        system = daemon(bench) if name == OWN else libvirt(bench)
        system.started(self.kind)
        try:
            return self.own(bench) if name == OWN else self.peer(bench)
        finally:
            if name == OWN:
                write(f"{system.pool_of(self.kind)}/ctl", "stop\n")
            else:
                system.stopped(self.kind)

    def own(self, bench):
        system, kind = daemon(bench), self.kind
        pool = system.pool_of(kind)
        xml = f"{bench.work}/{kind.name}.xml"
        volume = f"{bench.work}/{kind.name}-volume.xml"
        if not os.path.exists(xml):
            kind.ready()
            write(xml, kind.xml())
            write(volume, VOLUME_XML.format(name=kind.volume))
        lines = {
            "define": ('mkdir "$0"; cp "$1" "$0/xml"', pool, xml),
            "start": ('echo start >"$0/ctl"', pool),
            "create": ('mkdir "$0/info/$1"; cp "$2" "$0/info/$1/xml"', pool, kind.volume, volume),
            "list": ('ls -l "$0/volumes"', pool),
            "delete": ('rm "$0/volumes/$1"', pool, kind.volume),
        }
        undo = {"define": lambda: os.rmdir(pool),
                "start": lambda: write(f"{pool}/ctl", "stop\n"),
                "create": lambda: os.unlink(f"{pool}/volumes/{kind.volume}")}
        if self.deed == "start" and state(pool) == "running":
            write(f"{pool}/ctl", "stop\n")
        if self.deed == "delete":
            run("sh", "-ec", *lines["create"])
        if self.deed == "define" and os.path.exists(pool):
            if state(pool) == "running":
                write(f"{pool}/ctl", "stop\n")
            os.rmdir(pool)
        sample = bench.workload("-n", "1", "exec", "sh", "-ec", *lines[self.deed],
                                pids=system.pids)
        undo.get(self.deed, lambda: None)()
        return sample

    def peer(self, bench):
        system, kind = libvirt(bench), self.kind
        xml = f"{bench.work}/{kind.name}-libvirt.xml"
        if not os.path.exists(xml):
            kind.ready()
            write(xml, kind.xml())
        lines = {
            "define": ["pool-define", xml],
            "start": ["pool-start", kind.name],
            "create": ["vol-create-as", kind.name, kind.volume or "", "4M"],
            "list": ["vol-list", "--details", kind.name],
            "delete": ["vol-delete", "--pool", kind.name, kind.volume or ""],
        }
        undo = {"define": ["pool-undefine", kind.name],
                "start": ["pool-destroy", kind.name],
                "create": lines["delete"]}
        if self.deed in ("start", "define") and f"{kind.name} started" in system.pools:
            system.stopped(kind)
        if self.deed == "define" and kind.name in system.pools:
            run(*system.virsh("pool-undefine", kind.name))
            system.pools.discard(kind.name)
        if self.deed == "delete":
            run(*system.virsh(*lines["create"]))
        sample = bench.workload("-n", "1", "exec", *system.virsh(*lines[self.deed]),
                                pids=system.pids)
        if self.deed in undo:
            run(*system.virsh(*undo[self.deed]))
        return sample


def deeds(kind):
    """fs start is a row of its own."""
    names = ["define", "start", "list"] + (["create", "delete"] if kind.volume else [])
    return [Deed(kind, name) for name in names if (kind, name) != (FS, "start")]


SMALL = ("-b", "4096", "-n", "1000")

ROWS = [
    FsStart(),
    LvCreate("logical create LV", False, [(OWN, "time", 1.15)]),
    LvCreate("logical create LV, group changed", True),
    ListMany(f"logical ls -l {LVS} LVs", MANY_LVS, ["lvs", MANY_LVS.group], LVS, 1.2),
    ListMany(f"logical ls -l {LVS} LVs, group changed", MANY_LVS, ["lvs", MANY_LVS.group], LVS, 1.2,
             "lv000"),
    ListMany(f"disk ls -l {PARTITIONS} partitions", MANY_PARTITIONS,
             ["sh", "-c", 'exec cat /sys/block/"$0"/"$0"*/size', os.path.basename(DISKS[5])],
             PARTITIONS, 2),
    # before those whose exports hold the devices until the end
    *(deed for kind in KINDS for deed in deeds(kind)),
    *(VmBytes(kind, *rest) for kind in (LOGICAL, DISK, SCSI) for rest in (
        ("seq read 1M O_DIRECT", ("-d", "seqread")),
        ("seq write 1M O_DIRECT", ("-d", "seqwrite")),
        ("rand read 4k O_DIRECT", ("-d", *SMALL, "randread"), "op"),
        ("rand write 4k O_DIRECT", ("-d", *SMALL, "randwrite"), "op"))),
]
