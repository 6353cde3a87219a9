"""The rows of texts: the description of a volume and an attribute."""

import os

from measure import MIB, Row
from rows_data import data_file
from systems import CLIENT_CPU, run, write


def least_read(bench, minimal):
    """open, read and close of a text: four requests, as the kernel keeps no size of it."""
    return bench.workload("-n", "1000" if bench.quick else "5000", "-b", "4096", "read",
                          os.path.join(minimal.mount, "hello"), pids=minimal.pids,
                          cpu=CLIENT_CPU)


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


ROWS = [
    Description("description", [("storagefs", "us_time", 100)]),
    Attribute("attribute", "state"),
]
