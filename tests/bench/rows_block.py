"""The rows of volumes that are block devices: against the device itself, and against the export that
qemu-storage-daemon makes of it. Here a partition of a loop device, in a disk pool; rows_kernel.py has
the other types, in a VM.
"""

import os

from measure import MIB, PER_MIB, Row
from rows_data import minimal
from systems import Failed, Qemu, Storagefs, System, Unavailable, is_mounted, run, wait_for, write

OWN = "storagefs"
QEMU = "qemu-storage-daemon"
DISK = "storagefs disk"
POOL_XML = """<pool type='disk'><name>loop</name><source><device path='{device}'/><format type='gpt'/>
</source><target><path>/dev</path></target></pool>
"""


class QemuDevice(Qemu):
    """qemu-storage-daemon's FUSE export of a block device."""

    def __init__(self, bench, name, device):
        self.name, self.device = name, device
        super().__init__(bench)

    def start(self):
        self.export("host_device", self.device)


class LeastDevice(System):
    """minimal_file.c on a block device: what FUSE costs where it moves the data."""

    def __init__(self, bench, name, device, mode):
        self.name, self.device, self.mode = name, device, mode
        super().__init__(bench)

    def start(self):
        mount = os.path.join(self.home, "mnt")
        self.file = os.path.join(mount, "data")
        os.mkdir(mount)
        self.mounts.append(mount)
        process = self.spawn(os.path.join(self.bench.work, "minimal_file"), mount, self.device,
                             *self.mode)
        wait_for(lambda: is_mounted(mount), "minimal_file did not mount", process)


class Bytes(Row):
    """One command of the workload on one device: itself, as a volume, as qemu's export."""
    reference = "device"
    peers = (QEMU,)

    def __init__(self, kind, name, command, unit="MiB", reach=()):
        super().__init__(f"{kind} {name}", [*reach, (OWN, "peers", 2)])
        self.kind, self.command, self.unit = kind, command, unit
        self.scale = PER_MIB if unit == "MiB" else Row.scale
        self.floor = minimal(command)
        self.systems = (self.reference, OWN, QEMU, self.floor)

    def paths(self, bench):
        """The daemon, the device, and the volume that is the device."""
        raise NotImplementedError

    def prepare(self, bench, name):
        self.daemon, device, self.volume = self.paths(bench)
        self.device = os.path.realpath(device)

    def sample(self, bench, name):
        path, pids = self.device, []
        if name == OWN:
            path, pids = self.volume, self.daemon.pids
        elif name != self.reference:
            label = f"{name} {self.kind}"
            system = bench.system(label, lambda: self.export(bench, name, label))
            path, pids = system.file, system.pids
        return bench.workload(*self.command, path, pids=pids)

    def export(self, bench, name, label):
        if name == QEMU:
            return QemuDevice(bench, label, self.device)
        return LeastDevice(bench, label, self.device, name.split()[1:])


class LoopDisk(Storagefs):
    """The daemon with a disk pool on a loop device."""

    def start(self):
        if os.geteuid() != 0:
            raise Unavailable("needs root")
        image = os.path.join(self.home, "disk")
        with open(image, "wb") as f:
            f.truncate(self.bench.size + 16 * MIB)
        self.loop = run("losetup", "-f", "--show", image).strip()
        run("sfdisk", "-q", "--no-reread", self.loop,
            input=f"label: gpt\n,{self.bench.size // MIB}M,L\n")
        run("partx", "-u", self.loop)
        if not os.path.exists(f"{self.loop}p1"):
            raise Unavailable("the kernel has no partitions of loop devices")
        self.bench.fill(f"{self.loop}p1")
        super().start()
        pool = os.path.join(self.mount, "pools", "loop")
        os.mkdir(pool)
        write(f"{pool}/xml", POOL_XML.format(device=self.loop))
        with open(f"{pool}/state") as f:
            if f.read() != "running\n":
                raise Failed(f"the pool of {self.loop} did not start: {self.log()}")
        self.volume = f"{pool}/volumes/{os.path.basename(self.loop)}p1"

    def stop(self):
        super().stop()
        if getattr(self, "loop", None):
            run("losetup", "-d", self.loop)


class LoopBytes(Bytes):
    def paths(self, bench):
        system = bench.system(DISK, lambda: LoopDisk(bench, DISK))
        return system, f"{system.loop}p1", system.volume


SMALL = ("-b", "4096", "-n", "5000")
BULK_US, SMALL_US = [(OWN, "us_over", 330)], [(OWN, "us_over", 20)]

ROWS = [
    LoopBytes("block", "seq read 1M O_DIRECT", ("-d", "seqread"), reach=BULK_US),
    LoopBytes("block", "seq write 1M O_DIRECT", ("-d", "seqwrite"), reach=BULK_US),
    LoopBytes("block", "seq read 1M", ("seqread",), reach=BULK_US),
    LoopBytes("block", "seq write 1M", ("seqwrite",), reach=BULK_US),
    LoopBytes("block", "rand read 4k O_DIRECT", ("-d", *SMALL, "randread"), "op", SMALL_US),
    LoopBytes("block", "rand write 4k O_DIRECT", ("-d", *SMALL, "randwrite"), "op", SMALL_US),
    LoopBytes("block", "rand read 4k O_DIRECT 32 jobs", ("-d", "-j", "32", "-b", "4096", "-n", "500",
                                                        "randread"), "op", SMALL_US),
]
