"""The rows of the daemon itself: its start, its memory, and what many volumes and pools cost."""

import os
import time

from measure import MIB, Row, Sample
from rows_names import many_files
from systems import Libvirt, Storagefs, define_pools, resident, run


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


ROWS = [
    Mount(0),
    Mount(100, [("storagefs", "time", 3)]),
    Memory(),
    Scale("attribute", scale_attribute),
    Scale("description", scale_description),
    Scale("create", scale_create),
    Scale("open + read 4k", scale_open),
]
