"""The rows of the table, with the figures to reach."""

import os
import time

from measure import MIB, PER_MIB, NoCounterpart, Row, Sample
from systems import (CLIENT_CPU, Libvirt, MinimalNames, Storagefs, define_pools, resident, run,
                     write)

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


def least_read(bench, minimal):
    """open, read and close of a text: four requests, as the kernel keeps no size of it."""
    return bench.workload("-n", "1000" if bench.quick else "5000", "-b", "4096", "read",
                          os.path.join(minimal.mount, "hello"), pids=minimal.pids,
                          cpu=CLIENT_CPU)


class NamesRow(Row):
    """A row with minimal_names.c as its floor."""
    floor = MinimalNames.name

    def prepare_floor(self, bench, target):
        bench.system(self.floor, lambda: MinimalNames(bench, target))

    def finish(self, bench):
        bench.stop(self.floor)


class Names(NamesRow):
    """Creation of volumes with a size, or their deletion: by the commands, or by the system calls
    that these make, in one process.

    Nothing is deleted before all rounds of the creation are done; see Bench.names.
    """
    wall = "time"
    seldom = ("libvirt",)

    def __init__(self, name, measured, count=1000, reach=()):
        super().__init__(name, reach)
        self.systems = ("native", "storagefs", "libvirt")
        if measured == "create":
            self.systems += (self.floor,)
        self.measured = measured
        self.count = count
        self.rest = []

    def prepare(self, bench, name):
        target = os.path.join(bench.names(), name)
        os.makedirs(target, exist_ok=True)
        if name == self.floor:
            self.prepare_floor(bench, target)
        elif name != "native":
            bench.system(name).add_pool("names", target)

    def sample(self, bench, name):
        prefix = f"{self.measured}{len(self.rest)}"
        created = self.act(bench, name, "touch" if self.measured == "touch" else "create", prefix)
        if self.measured == "delete":
            return self.act(bench, name, "delete", prefix)
        self.rest.append((name, prefix))
        return created

    def finish(self, bench):
        for name, prefix in self.rest:
            self.act(bench, name, "delete", prefix)
        super().finish(bench)

    def act(self, bench, name, verb, prefix):
        system, args = bench.system(name), ["-n", str(self.count)]
        if name == "libvirt":
            return bench.workload(*args, "exec", *system.virsh(), pids=system.pids,
                                  cpu=CLIENT_CPU, stdin=self.script(verb, prefix))
        directory = os.path.join(bench.names(), "native")
        if name == "storagefs":
            directory = os.path.join(system.mount, "pools", "names", "volumes")
        if name == self.floor:
            directory = system.mount
        args += ["-x", prefix, verb, directory]
        return bench.workload(*args, *([] if verb == "delete" else [str(MIB)]), pids=system.pids,
                              cpu=CLIENT_CPU)

    def script(self, verb, prefix):
        names = [f"{prefix}-{i:06}" for i in range(self.count)]
        if verb == "delete":
            return "".join(f"vol-delete --pool names {v}\n" for v in names)
        return "".join(f"vol-create-as names {v} 0\nvol-resize --pool names {v} 1M\n"
                       for v in names)


def many_files(bench, count):
    """A directory of that many sparse files, shared by all systems."""
    path = os.path.join(bench.names(), str(count))
    if not os.path.isdir(path):
        os.mkdir(path)
        bench.workload("-n", str(count), "create", path, str(MIB))
    return path


class List(NamesRow):
    """ls -l of a pool against ls -l of its target directory.

    At first the kernel may hold no size younger than a second; `again` follows at once.
    """
    seldom = ("libvirt",)
    wall = "time"
    unit = "volume"
    systems = ("native", "storagefs", "libvirt", NamesRow.floor)

    def __init__(self, count, again, reach=()):
        label = f"{count // 1000}k"
        super().__init__(f"ls -l {label}{' again' if again else ''}", reach)
        self.count = count
        self.again = again
        self.pool = f"names{label}"

    def prepare(self, bench, name):
        if name == "libvirt" and (self.again or self.count > 10000):
            raise NoCounterpart("" if self.again else "over 16,384 volumes it lists none")
        target = many_files(bench, self.count)
        if name == self.floor:
            self.prepare_floor(bench, target)
        elif name != "native":
            bench.system(name).add_pool(self.pool, target)

    def sample(self, bench, name):
        system = bench.system(name)
        command = ["ls", "-l", many_files(bench, self.count)]
        if name == "libvirt":
            command = system.virsh("vol-list", "--details", self.pool)
        if name == "storagefs":
            command = ["ls", "-l", os.path.join(system.mount, "pools", self.pool, "volumes")]
        if name == self.floor:
            command = ["ls", "-l", system.mount]
        if self.again:
            bench.workload("exec", *command)
        else:
            time.sleep(1.1)
        return bench.workload("-n", str(self.count), "exec", *command, pids=system.pids)


class Attribute(Row):
    """open, read and close of an attribute against the same on tmpfs, and on the least libfuse.

    The client keeps to one CPU, as the least libfuse does: else the row shows what it takes to
    wake the other CPU, and that is up to three times the rest.
    """
    reference = "tmpfs"
    floor = "minimal libfuse"
    systems = ("tmpfs", "storagefs", floor)
    wall = "time"

    def __init__(self, name, file):
        super().__init__(name, [("storagefs", "cpu", 5), ("storagefs", "time", 5)])
        self.file = file

    def prepare(self, bench, name):
        system = bench.system(name)
        if name == "tmpfs":
            write(os.path.join(system.mount, "state"), "running\n")

    def sample(self, bench, name):
        system = bench.system(name)
        path = os.path.join(system.mount, "state")
        if name == self.floor:
            return least_read(bench, system)
        if name == "storagefs":
            path = os.path.join(system.pool, self.file)
        return bench.workload("-n", "1000" if bench.quick else "5000", "-b", "4096", "read", path,
                              pids=system.pids, cpu=CLIENT_CPU)


class Description(Row):
    """info/V/xml of one volume against the same text in a file, on one CPU as of an attribute; virsh
    reads many in one process."""
    wall = "time"
    floor = "minimal libfuse"
    systems = ("native", "storagefs", "libvirt", floor)

    def prepare(self, bench, name):
        system = bench.system(name)
        if name == self.floor:
            return
        if name == "native":
            write(os.path.join(system.volumes, "description"), "x" * 700)
        elif name == "libvirt":
            bench.fill(f"{system.target}/described", MIB)
            run(*system.virsh("pool-refresh", "bench"))
        else:
            data_file(bench, system)

    def sample(self, bench, name):
        system = bench.system(name)
        if name == self.floor:
            return least_read(bench, system)
        if name == "libvirt":
            return bench.workload("-n", "200", "exec", *system.virsh(), pids=system.pids,
                                  stdin="vol-dumpxml --pool bench described\n" * 200)
        path = os.path.join(system.volumes, "description")
        if name == "storagefs":
            path = os.path.join(system.pool, "info", "data", "xml")
        return bench.workload("-n", "1000", "-b", "65536", "read", path, pids=system.pids,
                              cpu=CLIENT_CPU)


class Mount(Row):
    """From exec to the first answer, against the least libfuse filesystem there is."""
    reference = "minimal libfuse"
    systems = ("minimal libfuse", "storagefs", "libvirt")
    seldom = ("libvirt",)
    wall = "time"
    unit = "start"

    def __init__(self, pools, reach=()):
        super().__init__(f"mount {pools} pools", reach)
        self.pools = pools
        self.made = 0

    def prepare(self, bench, name):
        self.home = os.path.join(bench.work, f"mount-{self.pools}")
        if not os.path.isdir(self.home):
            os.makedirs(f"{self.home}/etc")
            os.mkdir(f"{self.home}/mnt")
            define_pools(f"{self.home}/etc", self.pools, self.home)
        if name == "storagefs":
            bench.system(name)

    def sample(self, bench, name):
        mount = f"{self.home}/mnt"
        if name == self.reference:
            return bench.workload("mounted", mount, "hello", f"{bench.work}/minimal_fuse", mount)
        if name == "storagefs":
            probe = f"pools/p{self.pools - 1:04}/state" if self.pools else "pools"
            return bench.workload("mounted", mount, probe, bench.program(), "-f",
                                  f"{self.home}/etc", mount)
        return self.start_libvirt(bench)

    def start_libvirt(self, bench):
        self.made += 1
        system = Libvirt(bench, f"libvirt-{self.pools}-{self.made}", self.pools)
        try:
            system.lay_out()
            begin = time.monotonic()
            system.launch()
            wall = time.monotonic() - begin
            pid = system.pids[0]
            return Sample(wall, time.clock_gettime((~pid << 3) | 2), 1, resident(pid))
        finally:
            system.stop()


class Scale(Row):
    """The cost of an operation among 100k volumes and 1,000 pools, against 1k and 10."""
    reference = "1k volumes, 10 pools"
    large = "100k, 1,000"
    systems = (reference, large)
    wall = "time"

    def __init__(self, what, action):
        super().__init__(f"scale {what}", [(self.large, "cpu", 1.3)])
        self.action = action

    def system(self, bench, name):
        big = name == self.large
        files, pools = (100000, 999) if big else (1000, 9)
        target = many_files(bench, files)
        make = lambda: Storagefs(bench, f"scale-{pools + 1}", pools, target)
        system = bench.system(name, make)
        if not hasattr(system, "listed"):
            bench.workload("list", system.volumes)
            system.listed = True
        return system

    def prepare(self, bench, name):
        self.system(bench, name)

    def sample(self, bench, name):
        system = self.system(bench, name)
        return self.action(bench, system)


def scale_attribute(bench, system):
    return bench.workload("-n", "2000", "-b", "4096", "read", f"{system.pool}/state",
                          pids=system.pids)


def scale_description(bench, system):
    return bench.workload("-n", "500", "-b", "65536", "read",
                          f"{system.pool}/info/bench-000500/xml", pids=system.pids)


def scale_create(bench, system):
    system.made = getattr(system, "made", 0) + 1
    return bench.workload("-n", "200", "-x", f"new{system.made}", "create", system.volumes,
                          str(MIB), pids=system.pids)


def scale_open(bench, system):
    paths = [f"{system.volumes}/bench-{i:06}" for i in range(0, 1000, 5)]
    return bench.workload("-n", "2000", "-b", "4096", "read", *paths, pids=system.pids)


class Memory(Row):
    """Resident sets in MiB, of one daemon after another stage; each round has a new daemon."""
    systems = ("storagefs fresh", "storagefs after load", "storagefs 100k listed",
               "storagefs ten listings", "libvirt fresh", "libvirt 10k listed",
               "libvirt ten listings")
    reference = "storagefs 100k listed"
    seldom = tuple(name for name in systems if name.startswith("libvirt"))
    wall = "size"
    unit = "daemon, MiB"
    scale = 1
    ordered = True

    def __init__(self):
        super().__init__("memory", [("storagefs fresh", "mib", 12),
                                    ("storagefs 100k listed", "mib", 40),
                                    ("storagefs ten listings", "mib", 40),
                                    ("storagefs ten listings", "growth", 1.05)])

    def rounds(self, bench):
        return 1 if bench.quick else 3

    def sample(self, bench, name):
        kind, _, stage = name.partition(" ")
        own = f"{kind} memory"
        if stage == "fresh":
            bench.stop(own)
        make = Storagefs if kind == "storagefs" else Libvirt
        files = many_files(bench, 100000 if kind == "storagefs" else 10000)
        system = bench.system(own, lambda: make(bench, f"{kind}-memory", 0, files))
        if stage == "after load":
            self.load(bench, system)
        elif stage != "fresh":
            for _ in range(10 if stage == "ten listings" else 1):
                self.list(bench, system)
        size = resident(system.pids[0]) / 1024
        return Sample(size, size, 1)

    def load(self, bench, system):
        """Many-deep writes, which take its own data path, and names; a file of its own."""
        path = os.path.join(system.volumes, "load")
        bench.fill(path, 64 * MIB)
        bench.workload("-d", "-j", "32", "-b", "4096", "-s", "1", "randwrite", path)
        bench.workload("-d", "seqread", path)
        os.unlink(path)
        bench.workload("-n", "500", "-x", "new", "create", system.volumes, str(MIB))
        bench.workload("-n", "500", "-x", "new", "delete", system.volumes)

    def list(self, bench, system):
        if isinstance(system, Storagefs):
            bench.workload("exec", "ls", "-l", system.volumes)
        else:
            run(*system.virsh("pool-refresh", "bench"))
            run(*system.virsh("vol-list", "bench"))


SMALL = ("-b", "4096")
DEEP = (*SMALL, "-j", "32")

CREATE = [("storagefs", "cpu", 1.5), ("storagefs", "time", 1.5)]

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
    Names("touch + truncate", "touch", 100, CREATE),
    Names("create + resize", "create", 1000, CREATE),
    Names("delete", "delete"),
    List(1000, False),
    List(1000, True),
    List(10000, False, [("storagefs", "time", 1.0)]),
    List(10000, True, [("storagefs", "time", 1.0)]),
    List(100000, False, [("storagefs", "time", 0.7)]),
    List(100000, True, [("storagefs", "time", 0.7)]),
    Description("description", [("storagefs", "us_time", 100)]),
    Attribute("attribute", "state"),
    Mount(0),
    Mount(100, [("storagefs", "time", 3)]),
    Memory(),
    Scale("attribute", scale_attribute),
    Scale("description", scale_description),
    Scale("create", scale_create),
    Scale("open + read 4k", scale_open),
]
