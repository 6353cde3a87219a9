"""The rows of names: making, deleting and listing volumes."""

import os
import time

from measure import MIB, NoCounterpart, Row
from systems import CLIENT_CPU, MinimalNames


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


CREATE = [("storagefs", "cpu", 1.5), ("storagefs", "time", 1.5)]

ROWS = [
    Names("touch + truncate", "touch", 100, CREATE),
    Names("create + resize", "create", 1000, CREATE),
    Names("delete", "delete"),
    List(1000, False),
    List(1000, True),
    List(10000, False, [("storagefs", "time", 1.0)]),
    List(10000, True, [("storagefs", "time", 1.0)]),
    List(100000, False, [("storagefs", "time", 0.7)]),
    List(100000, True, [("storagefs", "time", 0.7)]),
]
