"""The rows of iSCSI pools: against qemu-img bench and iscsi-perf on the same target, a real tgtd
of tests/servers; LUNs probed against one after another, and against libvirt's refresh.

tgtd itself is no one's CPU here: it does the same for all of them.
"""

import os
import re
import subprocess
import time

from measure import MIB, PER_MIB, NoCounterpart, Row, Sample
from systems import Failed, Libvirt, MinimalData, Storagefs, System, need, resident, run, write

HERE = os.path.dirname(os.path.realpath(__file__))
IQN = "iqn.2026-11.example.storagefs"
INITIATOR = f"{IQN}:bench"
OWN = "storagefs iscsi"
FLOOR = "minimal libiscsi"
MANY = 256

POOL_XML = """<pool type='{kind}'><name>{name}</name><source><host name='127.0.0.1' port='{port}'/>
<device path='{iqn}:{target}'/><initiator><iqn name='{initiator}'/></initiator></source></pool>
"""


class Target(System):
    """tgtd with one LUN for data and a target of many LUNs."""
    name = "tgtd"

    def start(self):
        need("tgtd")
        self.tool = os.path.join(os.path.dirname(HERE), "servers", "tgt")
        self.dir = os.path.join(self.home, "tgt")
        self.tgt("start", "many")
        self.tgt("make", "plain")
        self.bench.fill(os.path.join(self.dir, "plain.3"))
        self.tgt("add", "plain", "3", "1M") # its file is there already
        with open(os.path.join(self.dir, "port")) as f:
            self.port = f.read().strip()
        self.url = f"iscsi://127.0.0.1:{self.port}/{IQN}:plain/3"

    def tgt(self, command, *args):
        environment = dict(os.environ, LUNS=str(MANY), THREADS="4")
        result = subprocess.run([self.tool, command, self.dir, *args], env=environment,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)
        if result.returncode != 0:
            raise Failed(f"tgt {command}: {result.stderr.strip()[-300:]}")

    def stop(self):
        if os.path.isdir(self.dir):
            self.tgt("stop")
        super().stop()

    def pool_xml(self, name, target, kind="iscsi-direct"):
        return POOL_XML.format(kind=kind, name=name, port=self.port, iqn=IQN, target=target,
                               initiator=INITIATOR)


def target(bench):
    return bench.system(Target.name, lambda: Target(bench))


class IscsiStoragefs(Storagefs):
    """The daemon with the pools `plain` and `many`, beside its dir pool."""

    def __init__(self, bench, name=OWN):
        super().__init__(bench, name)

    def start(self):
        self.tgtd = target(self.bench)
        super().start()

    def define(self, name):
        pool = os.path.join(self.mount, "pools", name)
        if not os.path.exists(pool):
            os.mkdir(pool)
            write(os.path.join(pool, "xml"), self.tgtd.pool_xml(name, name))
        return pool


def own(bench, name=OWN):
    return bench.system(name, lambda: IscsiStoragefs(bench, name))


class MinimalIscsi(MinimalData):
    """minimal_iscsi.c: what FUSE and libiscsi cost together."""
    name = FLOOR

    def start(self):
        tgtd, program = target(self.bench), os.path.join(self.bench.work, "minimal_iscsi")
        run(*os.environ.get("CC", "cc").split(), "-std=gnu17", "-D_GNU_SOURCE", "-O2",
            f"{HERE}/minimal_iscsi.c", "-o", program, "-liscsi")
        self.show(program, f"127.0.0.1:{tgtd.port}", f"{IQN}:plain", f"{IQN}:least", "3")


class LibvirtIscsi(Libvirt):
    """libvirt in our network namespace: in one of its own it would find no target."""
    namespaces = ("-m",)


class Deep(Row):
    """The same requests at the same depth: qemu-img bench on the target, qemu-img bench on our
    file, and iscsi-perf, which reads alone."""
    reference = "qemu-img bench"
    floor = FLOOR
    systems = (reference, OWN, "iscsi-perf", floor)
    wall = "speed"

    def __init__(self, name, block, depth, writes=False):
        super().__init__(f"iscsi {name}", [(OWN, "speed", 1.0)])
        self.block, self.depth, self.writes = block, depth, writes
        if block > 4096:
            self.unit, self.scale = "MiB", PER_MIB

    def prepare(self, bench, name):
        if name == "iscsi-perf" and self.writes:
            raise NoCounterpart()
        need("qemu-img" if name != "iscsi-perf" else name)
        target(bench)
        if name == OWN:
            own(bench).define("plain")
        elif name == FLOOR:
            bench.system(FLOOR, lambda: MinimalIscsi(bench))

    def sample(self, bench, name):
        seconds = 1 if bench.quick else 2
        if name == "iscsi-perf":
            return self.perf(bench, seconds)
        count = seconds * (10000 if self.block == 4096 else 700 if self.writes else 2000)
        units = count * (1 if self.block == 4096 else self.block)
        # 4k requests are spread, none is next to the last
        step = self.block if self.block > 4096 else MIB + 4096
        args = ["-f", "raw", "-t", "none", "-c", str(count), "-d", str(self.depth), "-s",
                str(self.block), "-S", str(step), *(["-w"] if self.writes else [])]
        if name == self.reference:
            return bench.workload("-n", str(units), "exec", "qemu-img", "bench", *args,
                                  target(bench).url)
        system = bench.system(name)
        file = system.file if name == FLOOR else f"{system.mount}/pools/plain/volumes/unit:0:0:3"
        return bench.workload("-n", str(units), "exec", "qemu-img", "bench", "-n", *args, file,
                              pids=system.pids)

    def perf(self, bench, seconds):
        before = os.times()
        out = run("iscsi-perf", "-i", INITIATOR, "-m", str(self.depth), "-b",
                  str(self.block // 512), "-t", str(seconds),
                  *(["-r"] if self.block == 4096 else []), target(bench).url)
        after = os.times()
        rates = re.findall(r"iops average (\d+)", out)
        if not rates:
            raise Failed(f"iscsi-perf said: {out[-200:]}")
        cpu = (after.children_user + after.children_system - before.children_user -
               before.children_system)
        units = int(rates[-1]) * seconds * (1 if self.block == 4096 else self.block)
        return Sample(seconds, cpu, units)


def lun_alone(bench, writes):
    """All of the LUN, by who knows nothing of us."""
    return bench.workload(
        "-n", str(bench.size), "exec", "qemu-img", "bench", "-f", "raw", "-t", "none", "-c",
        str(bench.size // 262144), "-d", "8", "-s", "256k", *(["-w"] if writes else []),
        target(bench).url)


def directory_alone(bench, writes):
    """As much as that, in a file beside those of the dir pool; written until it is on the disk."""
    directory = bench.system("native").volumes
    if not writes:
        return bench.workload("-n", str(bench.size), "exec", "dd", f"if={directory}/data",
                              "of=/dev/null", "bs=256k", "status=none")
    sample = bench.workload("-n", str(bench.size), "exec", "dd", "if=/dev/zero",
                            f"of={directory}/alone", "bs=256k", f"count={bench.size // 262144}",
                            "conv=fsync", "status=none")
    os.unlink(f"{directory}/alone")
    return sample


def slower(*samples):
    return max(samples, key=lambda sample: sample.wall)


def copied(bench, source, copy, pids):
    """cp, until it is there."""
    return bench.workload("-n", str(bench.size), "exec", "sh", "-c", 'cp "$0" "$1" && sync "$1"',
                          source, copy, pids=pids)


class Copy(Row):
    """cp between two pools, until it is there; the slower of both ends bounds it."""
    reference = "slower end"
    unit = "MiB"
    scale = PER_MIB

    def __init__(self, kind, own, way):
        self.systems = (self.reference, own)
        super().__init__(f"{kind} cp {way}", [(own, "speed", 0.8)])
        self.way = way


class CopyLun(Copy):
    """cp between a dir pool and a LUN, both ours."""

    def __init__(self, way):
        super().__init__("iscsi", OWN, way)

    def prepare(self, bench, name):
        need("qemu-img")
        target(bench)
        if name == OWN:
            own(bench).define("plain")
        else:
            bench.fill(os.path.join(bench.system("native").volumes, "data"))

    def sample(self, bench, name):
        into = self.way == "in"
        if name == self.reference:
            return slower(lun_alone(bench, into), directory_alone(bench, not into))
        system = own(bench)
        lun = f"{system.mount}/pools/plain/volumes/unit:0:0:3"
        if into:
            return copied(bench, f"{system.volumes}/data", lun, system.pids)
        sample = copied(bench, lun, f"{system.volumes}/copy", system.pids)
        os.unlink(f"{system.volumes}/copy")
        return sample


class Probe(Row):
    """From nothing to a list of 256 LUNs with their sizes, against asking one after another."""
    reference = "one after another"
    systems = (reference, OWN, "libvirt")
    unit = "target"
    wall = "time"

    def __init__(self):
        super().__init__(f"iscsi probe {MANY} LUNs", [(OWN, "time", 0.5)])

    def prepare(self, bench, name):
        target(bench)
        if name == self.reference:
            self.program = os.path.join(bench.work, "iscsi_probe")
            run(*os.environ.get("CC", "cc").split(), "-std=gnu17", "-O2",
                f"{HERE}/iscsi_probe.c", "-o", self.program, "-liscsi")
        elif name == OWN:
            self.pool = own(bench).define("many")
        else:
            self.define_in_libvirt(bench, self.libvirt(bench))

    def libvirt(self, bench):
        return bench.system("libvirt iscsi", lambda: LibvirtIscsi(bench, "libvirt iscsi"))

    def define_in_libvirt(self, bench, system):
        xml = os.path.join(system.home, "many.xml")
        write(xml, target(bench).pool_xml("many", "many"))
        run(*system.virsh("pool-define", xml))
        run(*system.virsh("pool-start", "many"))

    def sample(self, bench, name):
        if name == self.reference:
            return bench.workload("-n", "1", "exec", self.program,
                                  f"127.0.0.1:{target(bench).port}", f"{IQN}:many", INITIATOR)
        if name == OWN:
            write(f"{self.pool}/ctl", "stop\n")
            return bench.workload("-n", "1", "exec", "sh", "-c",
                                  'echo start >"$0/ctl" && ls -l "$0/volumes" | tail -n 1',
                                  self.pool, pids=own(bench).pids)
        system = self.libvirt(bench)
        return bench.workload("-n", "1", "exec", *system.virsh("pool-refresh", "many"),
                              pids=system.pids)


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


class Added(Row):
    """What started pools add to a daemon; each round has a new one."""
    reference = "one pool, MiB"
    systems = (reference, "pool of 256 LUNs, MiB", "one pool, threads")
    wall = "size"
    unit = "daemon, MiB or threads"
    scale = 1
    ordered = True

    def __init__(self):
        super().__init__("iscsi added", [(self.reference, "mib", 3)])

    def rounds(self, bench):
        return 1 if bench.quick else 3

    def prepare(self, bench, name):
        target(bench)

    def sample(self, bench, name):
        bench.stop("storagefs added")
        system = own(bench, "storagefs added")
        measure = threads if name.endswith("threads") else lambda pid: resident(pid) / 1024
        before = measure(system.pids[0])
        pool = system.define("many" if "256" in name else "plain")
        run("ls", "-l", f"{pool}/volumes")
        time.sleep(0.2)
        value = measure(system.pids[0]) - before
        return Sample(value, value, 1)


ROWS = [
    Deep("read 256k 8 deep", 262144, 8),
    Deep("write 256k 8 deep", 262144, 8, writes=True),
    Deep("read 4k 32 deep", 4096, 32),
    Deep("write 4k 32 deep", 4096, 32, writes=True),
    CopyLun("in"),
    CopyLun("out"),
    Probe(),
    Added(),
]
