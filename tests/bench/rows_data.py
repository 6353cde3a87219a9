"""The rows of the bytes of file volumes, with the figures to reach."""

import os

from measure import MIB, PER_MIB, NoCounterpart, Row
from systems import run

OWN = ("storagefs", "no-passthrough")


def data_file(bench, system):
    """The file for data of a system, made on the backing filesystem when it is first needed."""
    if not system.whole:
        return system.file
    path = os.path.join(system.volumes, "data")
    inside = os.path.join(system.target, "data")
    if not os.path.exists(inside):
        bench.fill(inside)
    return path


def figures(cpu=None, speed=None, us=None, us_over=None, peers=True):
    """The figures of a row of data: storagefs against native, both of ours against the peers."""
    out = []
    if cpu:
        out.append(("storagefs", "cpu", cpu))
    if speed:
        out.append(("storagefs", "speed", speed))
    if us:
        out.append(("no-passthrough", "us", us))
    if us_over:
        out.append(("no-passthrough", "us_over", us_over))
    if peers:
        out += [("storagefs", "peers", 3), ("no-passthrough", "peers", 2)]
    return out


def minimal(command):
    """The least filesystem that moves the data of such a command itself."""
    if "-d" not in command:
        return "minimal direct"
    return "minimal O_DIRECT 8" if "-j" in command else "minimal O_DIRECT"


class Data(Row):
    """One command of the workload on one file."""

    def __init__(self, name, command, unit="MiB", seconds=None, **reach):
        super().__init__(name, figures(**reach))
        self.command = command
        self.unit = unit
        self.scale = PER_MIB if unit == "MiB" else Row.scale
        self.seconds = seconds
        moved = minimal(command)
        self.floors = {"no-passthrough": moved}
        self.systems = (*Row.systems, moved)
        self.floor = "minimal passthrough"
        if "O_DIRECT" in name and "write" in name:
            self.floor = moved # such writes do not go through the kernel alone
        else:
            self.systems = (*self.systems, self.floor)

    def prepare(self, bench, name):
        if name == "libvirt":
            raise NoCounterpart()
        data_file(bench, bench.system(name))

    def sample(self, bench, name):
        system = bench.system(name)
        limit = []
        if self.seconds:
            limit = ["-s", str(self.seconds / (3 if bench.quick else 1))]
        return bench.workload(*limit, *self.command, data_file(bench, system), pids=system.pids)


class Copy(Row):
    """cp of half the file's size: in from, out to, or within."""
    systems = (*Row.systems, "minimal direct")
    floors = {"no-passthrough": "minimal direct"}
    unit = "MiB"
    scale = PER_MIB

    def __init__(self, way):
        super().__init__(f"cp {way}", figures(cpu=1.1, speed=0.97, us_over=330))
        self.way = way

    def prepare(self, bench, name):
        system = bench.system(name)
        self.outside = data_file(bench, bench.system("native"))
        self.made = os.path.join(bench.work, "copied")
        if name == "libvirt":
            if not os.path.exists(f"{system.target}/half"):
                bench.fill(f"{system.target}/half", bench.size // 2)
                bench.fill(f"{self.outside}-half", bench.size // 2)
                run(*system.virsh("pool-refresh", "bench"))
        else:
            data_file(bench, system)

    def sample(self, bench, name):
        system = bench.system(name)
        if name == "libvirt":
            return self.sample_libvirt(bench, system)
        own = data_file(bench, system)
        new = os.path.join(system.volumes, "copied") if system.whole else own
        half = bench.size // 2
        begin = half if self.way == "within" and not system.whole else 0
        source = self.outside if self.way == "in" else own
        target = self.made if self.way == "out" else new
        if target != own:
            remove(target)
        sample = bench.workload("copy", source, "0", target, str(begin), str(half),
                                pids=system.pids)
        if target != own:
            remove(target)
        return sample

    def sample_libvirt(self, bench, system):
        half = bench.size // 2
        if self.way == "within":
            command = system.virsh("vol-clone", "--pool", "bench", "half", "clone")
        else:
            verb = "vol-upload" if self.way == "in" else "vol-download"
            path = self.made if self.way == "out" else f"{self.outside}-half"
            command = system.virsh(verb, "--pool", "bench", "half", path)
        sample = bench.workload("-n", str(half), "exec", *command, pids=system.pids)
        if self.way == "within":
            run(*system.virsh("vol-delete", "--pool", "bench", "clone"))
        remove(self.made)
        return sample


def remove(path):
    if os.path.exists(path):
        os.unlink(path)


class SparseCopy(Row):
    """A file of 1 GiB with 16 MiB of data, spread: cp must find the data and keep the holes."""
    unit = "MiB"
    scale = PER_MIB
    wall = "time"
    systems = ("native", "storagefs", "no-passthrough", "nbdfuse", "qemu-storage-daemon", "libvirt")

    def __init__(self, way):
        reach = [(name, what, limit) for name in OWN
                 for what, limit in (("time", 2), ("blocks", 1.05))]
        super().__init__(f"sparse cp {way}", reach)
        self.way = way

    def prepare(self, bench, name):
        if name in self.peers:
            raise NoCounterpart("the export keeps its size")
        system = bench.system(name)
        self.source = os.path.join(bench.system("native").volumes, "sparse")
        if not os.path.exists(self.source):
            sparse_file(self.source)
        if name == "libvirt" and self.way == "out":
            raise NoCounterpart()
        if name == "libvirt" and not os.path.exists(f"{system.target}/sparse"):
            run(*system.virsh("vol-create-as", "bench", "sparse", "1G", "--allocation", "0"))
        elif name in OWN and not os.path.exists(f"{system.target}/sparse"):
            sparse_file(f"{system.target}/sparse")

    def sample(self, bench, name):
        system = bench.system(name)
        if name == "libvirt":
            return bench.workload("-n", str(1 << 30), "exec", *system.virsh(
                "vol-upload", "--pool", "bench", "--sparse", "sparse", self.source),
                pids=system.pids)
        source = self.source if self.way == "in" else os.path.join(system.volumes, "sparse")
        into = system if self.way == "in" else bench.system("native")
        target = os.path.join(into.volumes, "copied")
        remove(target)
        sample = bench.workload("sparsecopy", source, target, pids=system.pids)
        remove(target)
        return sample


def sparse_file(path):
    with open(path, "wb") as f:
        for i in range(16):
            f.seek(i * 64 * MIB)
            f.write(b"\xa5" * MIB)
        f.truncate(1 << 30)
        os.fsync(f.fileno())


SMALL = ("-b", "4096")
DEEP = (*SMALL, "-j", "32")

ROWS = [
    Data("seq read 1M", ("seqread",), cpu=1.1, speed=0.97, us=330),
    Data("seq write 1M", ("seqwrite",), cpu=1.1, speed=0.97, us=330),
    Data("seq read 1M O_DIRECT", ("-d", "seqread"), us=330),
    Data("seq write 1M O_DIRECT", ("-d", "seqwrite"), us=330),
    Data("rand read 4k", (*SMALL, "-n", "20000", "randread"), "op", 0.5, cpu=1.1, us=20),
    Data("rand read 4k 32 jobs", (*DEEP, "-n", "2000", "randread"), "op", 0.5, cpu=1.1, us=20),
    Data("rand read 4k O_DIRECT", ("-d", *SMALL, "randread"), "op", 0.5, us_over=20),
    Data("rand read 4k O_DIRECT 32 jobs", ("-d", *DEEP, "randread"), "op", 0.5, us_over=20),
    Data("rand write 4k", (*SMALL, "-n", "20000", "randwrite"), "op", 0.5, cpu=1.1, us=20),
    Data("rand write 4k 32 jobs", (*DEEP, "-n", "2000", "randwrite"), "op", 0.5, us=20),
    Data("rand write 4k O_DIRECT", ("-d", *SMALL, "randwrite"), "op", 0.5, us_over=20),
    Data("rand write 4k O_DIRECT 32 jobs", ("-d", *DEEP, "randwrite"), "op", 0.5, speed=0.5,
         us_over=20),
    Data("mmap read", ("mmapread",), cpu=1.1, speed=0.97, us=330),
    Copy("in"),
    Copy("out"),
    Copy("within"),
    SparseCopy("in"),
    SparseCopy("out"),
]
