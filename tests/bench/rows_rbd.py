"""The rows of rbd pools, on a real Ceph of tests/servers: against `rbd bench` and rbd-fuse on the
same image, against what librados and librbd need by themselves (rbd_bare.c), the ends of a copy,
and libvirt's refresh.

Ceph's own daemons are no one's CPU here: they do the same for all of them. The others have librbd's
cache as it is by default, which answers writes early as we do; it forgets those that fail.
"""

import os
import subprocess
import time

from measure import MIB, PER_MIB, Row, Sample
from rows_iscsi import Copy, copied, lun_alone, slower, target
from systems import Failed, Libvirt, MinimalData, Storagefs, System, is_mounted, need, resident, run, \
    unmount, wait_for, write

HERE = os.path.dirname(os.path.realpath(__file__))
OWN = "storagefs rbd"
FLOOR = "minimal librbd"
MANY = 1000
OPEN = 50
THREADS = 16

POOL_XML = """<pool type='rbd'><name>{name}</name><source><name>{ceph}</name>
<host name='127.0.0.1' port='{port}'/><auth type='ceph' username='admin'>
<secret type='ceph' usage='bench'/></auth></source></pool>
"""
SECRET_UUID = "6d1a9a2e-0d0e-4f6e-8c0b-3b6f1f8d7c55"
SECRET_XML = f"""<secret ephemeral='no' private='yes'><uuid>{SECRET_UUID}</uuid>
<usage type='ceph'><name>bench</name></usage></secret>
"""
MAKE_MANY = """
import rados, rbd, sys
cluster = rados.Rados(conffile=sys.argv[1], name='client.admin')
cluster.connect(timeout=30)
pool = cluster.open_ioctx('many')
for i in range(int(sys.argv[2])):
    rbd.RBD().create(pool, f'image-{i:04}', 1 << 30)
"""


class Cluster(System):
    """One monitor and one OSD in memory, with three images full of data and a pool of many."""
    name = "ceph"

    def start(self):
        for program in ("ceph-mon", "ceph-osd", "rbd"):
            need(program)
        self.tool = os.path.join(os.path.dirname(HERE), "servers", "ceph")
        self.dir = os.path.join(self.home, "cluster")
        self.conf = os.path.join(self.dir, "ceph.conf")
        self.ceph("start")
        self.key = self.read("key.admin")
        self.port = self.read("port")
        self.bare, self.least = (self.compile(name) for name in ("rbd_bare", "minimal_rbd"))
        for image in ("images/data", "images/peer", "images/least"):
            self.rbd("create", "--size", f"{self.bench.size // MIB}M", image)
            self.rbd("bench", "--io-type", "write", "--io-size", "1M", "--io-total",
                     str(self.bench.size), image)
        run("/usr/bin/python3", "-c", MAKE_MANY, self.conf, str(MANY))

    def compile(self, name):
        program = os.path.join(self.bench.work, name)
        run(*os.environ.get("CC", "cc").split(), "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-pthread",
            f"{HERE}/{name}.c", "-o", program, "-lrbd", "-lrados")
        return program

    def ceph(self, command):
        environment = dict(os.environ, POOLS="many", OWNER=str(os.getpid()))
        result = subprocess.run([self.tool, command, self.dir], env=environment, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE)
        if result.returncode != 0:
            raise Failed(f"ceph {command}: {result.stderr.strip()[-300:]}")

    def read(self, name):
        with open(os.path.join(self.dir, name)) as f:
            return f.read().strip()

    def rbd(self, *args):
        run("rbd", "-c", self.conf, *args)

    def run_bare(self, *args):
        """What librbd needs by itself."""
        wall, cpu, _, units, _ = map(int, run(self.bare, self.conf, *args).split())
        return Sample(wall / 1e9, cpu / 1e9, units)

    def pool_xml(self, name, ceph):
        return POOL_XML.format(name=name, ceph=ceph, port=self.port)

    def stop(self):
        if os.path.isdir(self.dir):
            self.ceph("stop")
        super().stop()


def ceph(bench):
    return bench.system(Cluster.name, lambda: Cluster(bench))


class RbdStoragefs(Storagefs):
    """The daemon with rbd pools beside its dir pool."""

    def __init__(self, bench, name=OWN):
        super().__init__(bench, name)

    def start(self):
        self.cluster = ceph(self.bench)
        super().start()
        write(os.path.join(self.mount, "secrets", "bench"), self.cluster.key)

    def define(self, name):
        pool = os.path.join(self.mount, "pools", name)
        if not os.path.exists(pool):
            os.mkdir(pool)
            write(os.path.join(pool, "xml"), self.cluster.pool_xml(name, name))
        with open(os.path.join(pool, "state")) as f:
            if f.read() != "running\n":
                raise Failed(f"the pool {name} does not run: {self.log()}")
        return pool

    def define_lun(self):
        pool = os.path.join(self.mount, "pools", "plain")
        if not os.path.exists(pool):
            os.mkdir(pool)
            write(os.path.join(pool, "xml"), target(self.bench).pool_xml("plain", "plain"))
        return pool

    def cpu(self):
        return time.clock_gettime((~self.pids[0] << 3) | 2)


def own(bench, name=OWN):
    return bench.system(name, lambda: RbdStoragefs(bench, name))


class RbdFuse(System):
    """Ceph's own images as files."""
    name = "rbd-fuse"

    def start(self):
        program, cluster = need("rbd-fuse"), ceph(self.bench)
        self.mount = os.path.join(self.home, "mnt")
        os.mkdir(self.mount)
        self.mounts.append(self.mount)
        process = self.spawn(program, "-f", "-c", cluster.conf, "-p", "images", self.mount)
        wait_for(lambda: is_mounted(self.mount), "rbd-fuse did not mount", process)
        self.file = os.path.join(self.mount, "peer") # it keeps its lock
        wait_for(lambda: os.path.exists(self.file), "rbd-fuse shows no image", process)

    def stop(self):
        unmount(self.mount)
        super().stop()


class MinimalRbd(MinimalData):
    """minimal_rbd.c: what FUSE and librbd cost together."""
    name = FLOOR

    def start(self):
        cluster = ceph(self.bench)
        self.show(cluster.least, cluster.conf, "images", "least")


class Deep(Row):
    """The same requests 16 deep: of `rbd bench`, and of 16 threads on our file.

    `rbd bench` writes the same bytes again and again, from one buffer whose checksum librados
    knows: the floor is the least program that has bytes of a client to write, and read.
    """
    reference = "rbd bench"
    systems = (reference, OWN, FLOOR)
    floor = FLOOR
    wall = "speed"

    def __init__(self, name, block, writes, figures):
        super().__init__(f"rbd {name}", figures)
        self.block, self.writes = block, writes
        if block > 4096:
            self.unit, self.scale = "MiB", PER_MIB

    def prepare(self, bench, name):
        ceph(bench)
        if name == OWN:
            own(bench).define("images")
        elif name == FLOOR:
            bench.system(FLOOR, lambda: MinimalRbd(bench))

    def count(self, bench):
        count = 256 if self.block == MIB else 16384
        return count if bench.quick else count * 4

    def sample(self, bench, name):
        if name == self.reference:
            return self.bench_itself(bench)
        system = bench.system(name)
        file = system.file if name == FLOOR else \
            f"{system.mount}/pools/images/volumes/data"
        return self.at_random(bench, file, system.pids)

    def at_random(self, bench, file, pids):
        sample = bench.workload(
            "-d", "-j", str(THREADS), "-b", str(self.block), "-s", "20", "-n",
            str(self.count(bench) // THREADS), "randwrite" if self.writes else "randread", file,
            pids=pids)
        sample.units *= 1 if self.block == 4096 else self.block
        return sample

    def bench_itself(self, bench):
        """Without what the command needs to start and connect, as a run that does nothing has it."""
        nothing, all_ = self.rbd_bench(bench, THREADS), self.rbd_bench(bench, self.count(bench))
        units = self.count(bench) - THREADS
        return Sample(all_.wall - nothing.wall, all_.cpu - nothing.cpu,
                      units * (1 if self.block == 4096 else self.block))

    def rbd_bench(self, bench, count):
        return bench.workload(
            "-n", str(count), "exec", "rbd", "-c", ceph(bench).conf, "bench", "--io-type",
            "write" if self.writes else "read", "--io-size", str(self.block), "--io-threads",
            str(THREADS), "--io-total", str(count * self.block), "--io-pattern", "rand",
            "images/data")


class Fuse(Deep):
    """Against rbd-fuse, by qemu-img bench: opened by several threads it answers ENOENT.

    It has no fsync: up to 24 MiB that it has answered are in its memory when the clock stops.
    """
    reference = RbdFuse.name
    systems = (reference, OWN, FLOOR)

    def prepare(self, bench, name):
        need("qemu-img")
        super().prepare(bench, name)
        if name == self.reference:
            bench.system(name, lambda: RbdFuse(bench))

    def sample(self, bench, name):
        system = own(bench) if name == OWN else bench.system(name)
        file = f"{system.mount}/pools/images/volumes/data" if name == OWN else system.file
        count = self.count(bench) // 4
        # 4k requests are spread, none is next to the last
        step = self.block if self.block == MIB else MIB + 4096
        return bench.workload(
            "-n", str(count * (1 if self.block == 4096 else self.block)), "exec", "qemu-img",
            "bench", "-n", "-f", "raw", "-t", "none", "-c", str(count), "-d", str(THREADS), "-s",
            str(self.block), "-S", str(step), *(["-w"] if self.writes else []), file,
            pids=system.pids)


class CopyImage(Copy):
    """cp between a dir pool and an image; against librbd alone."""
    reference = "rbd import, export"

    def __init__(self, way):
        super().__init__("rbd", OWN, way)

    def prepare(self, bench, name):
        own(bench).define("images")
        self.file = os.path.join(own(bench).target, "data")
        self.copy = os.path.join(own(bench).target, "copy")
        if not os.path.exists(self.file):
            bench.fill(self.file)

    def sample(self, bench, name):
        system, cluster = own(bench), ceph(bench)
        images = f"{system.mount}/pools/images/volumes"
        if name == self.reference:
            args = ["import", self.file, "images/copy"]
            if self.way == "out":
                args = ["export", "images/data", self.copy]
            sample = bench.workload("-n", str(bench.size), "exec", "rbd", "-c", cluster.conf,
                                    "--no-progress", *args)
        else:
            paths = [f"{system.volumes}/data", f"{images}/copy"]
            if self.way == "out":
                paths = [f"{images}/data", f"{system.volumes}/copy"]
            sample = copied(bench, *paths, system.pids)
        if self.way == "out":
            os.unlink(self.copy)
        else:
            cluster.rbd("rm", "images/copy")
        return sample


class CopyBetween(Copy):
    """cp between an image and a LUN, both ours; the floor is one program on both libraries.

    Both ends are on this machine: a copy has the CPU that one of them has alone.
    """
    floor = "qemu-img convert"

    def __init__(self, way):
        super().__init__("rbd", OWN, way)
        self.systems += (self.floor,)

    def prepare(self, bench, name):
        need("qemu-img")
        system = own(bench)
        self.images = os.path.join(system.define("images"), "volumes")
        self.lun = os.path.join(system.define_lun(), "volumes", "unit:0:0:3")

    def sample(self, bench, name):
        from_lun = self.way == "from a LUN"
        if name == self.reference:
            return slower(lun_alone(bench, not from_lun), self.image_alone(bench, from_lun))
        if name == self.floor:
            return self.converted(bench, from_lun)
        if not from_lun:
            return copied(bench, f"{self.images}/data", self.lun, own(bench).pids)
        sample = copied(bench, self.lun, f"{self.images}/copy", own(bench).pids)
        ceph(bench).rbd("rm", "images/copy")
        return sample

    def converted(self, bench, from_lun):
        cluster = ceph(bench)
        image = f"rbd:images/{'alone' if from_lun else 'data'}:conf={cluster.conf}"
        ends = (target(bench).url, image) if from_lun else (image, target(bench).url)
        if from_lun:
            cluster.rbd("create", "--size", f"{bench.size // MIB}M", "images/alone")
        sample = bench.workload(
            "-n", str(bench.size), "exec", "qemu-img", "convert", "-n", "-S", "0", "-W", "-m", "8",
            "-t", "none", "-T", "none", "-f", "raw", "-O", "raw", *ends)
        if from_lun:
            cluster.rbd("rm", "images/alone")
        return sample

    def image_alone(self, bench, writes):
        """By who knows nothing of us; written as a copy is, to an image of which nothing is there."""
        image, cluster = "alone" if writes else "data", ceph(bench)
        if writes:
            cluster.rbd("create", "--size", f"{bench.size // MIB}M", "images/alone")
        sample = bench.workload(
            "-n", str(bench.size), "exec", "qemu-img", "bench", "-f", "raw", "-t", "none", "-c",
            str(bench.size // 262144), "-d", "8", "-s", "256k", *(["-w"] if writes else []),
            f"rbd:images/{image}:conf={cluster.conf}")
        if writes:
            cluster.rbd("rm", "images/alone")
        return sample


class LibvirtRbd(Libvirt):
    """libvirt in our network namespace, with secrets: it would find no monitor in its own."""
    namespaces = ("-m",)
    drivers = ("storage", "secret")

    def secret(self, *command):
        return ["virsh", "-q", "-c", self.uri.replace("storage:", "secret:"), *command]


class ListImages(Row):
    """ls -l of a pool of which nothing is known yet. It shows what is allocated, too: the floor."""
    reference = "header loop"
    floor = "header and map loop"
    systems = (reference, OWN, floor, "libvirt refresh")
    unit = "image"
    wall = "time"

    def __init__(self):
        super().__init__(f"rbd ls -l {MANY}", [(OWN, "time", 2)])

    def prepare(self, bench, name):
        ceph(bench)
        if name == OWN:
            self.pool = own(bench).define("many")
        elif name not in (self.reference, self.floor):
            self.define_in_libvirt(bench, self.libvirt(bench))

    def libvirt(self, bench):
        return bench.system("libvirt rbd", lambda: LibvirtRbd(bench, "libvirt rbd"))

    def define_in_libvirt(self, bench, system):
        secret, xml = (os.path.join(system.home, name) for name in ("secret.xml", "many.xml"))
        write(secret, SECRET_XML)
        run(*system.secret("secret-define", secret))
        run(*system.secret("secret-set-value", SECRET_UUID, ceph(bench).key))
        write(xml, ceph(bench).pool_xml("many", "many"))
        run(*system.virsh("pool-define", xml))
        run(*system.virsh("pool-start", "many"))

    def sample(self, bench, name):
        if name == self.reference:
            return ceph(bench).run_bare("many", "list")
        if name == self.floor:
            return ceph(bench).run_bare("many", "list-allocated")
        if name == OWN:
            write(f"{self.pool}/ctl", "refresh\n")
            return bench.workload("-n", str(MANY), "exec", "ls", "-l", f"{self.pool}/volumes",
                                  pids=own(bench).pids)
        system = self.libvirt(bench)
        return bench.workload("-n", str(MANY), "exec", *system.virsh("pool-refresh", "many"),
                              pids=system.pids)


class Point(Row):
    """Snapshots of an image, or clones of one of its snapshots, one after the other."""
    reference = "librbd"
    systems = (reference, OWN)
    wall = "time"
    COUNT = 10

    def __init__(self, what):
        super().__init__(f"rbd {what}", [(OWN, "time", 1.2)])
        self.what = what

    def prepare(self, bench, name):
        self.pool = own(bench).define("images")
        if self.what == "clone" and name == self.reference:
            ceph(bench).rbd("snap", "create", "images/data@base")

    def finish(self, bench):
        if self.what == "clone":
            ceph(bench).rbd("snap", "rm", "images/data@base")

    def sample(self, bench, name):
        cluster, clone = ceph(bench), self.what == "clone"
        prefix = "bare" if name == self.reference else "own"
        names = [f"{prefix}-{i}" for i in range(self.COUNT)]
        if name == self.reference:
            sample = cluster.run_bare("images", self.what, "data", str(self.COUNT),
                                      *(["base"] if clone else []))
        else:
            system = own(bench)
            cpu, wall = system.cpu(), time.monotonic()
            for each in names:
                self.make(each)
            sample = Sample(time.monotonic() - wall, system.cpu() - cpu, self.COUNT)
        for each in names:
            cluster.rbd(*(("rm", f"images/{each}") if clone else
                          ("snap", "rm", f"images/data@{each}")))
        return sample

    def make(self, name):
        if self.what == "snapshot":
            os.mknod(f"{self.pool}/snapshots/data/{name}")
            return
        os.mkdir(f"{self.pool}/info/{name}")
        write(f"{self.pool}/info/{name}/xml",
              "<volume><backingStore><path>images/data@base</path></backingStore></volume>\n")


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


class Added(Row):
    """What a started pool adds to a daemon, 1000 images listed, 50 open; each round a new one."""
    reference = "pool, MiB"
    systems = (reference, f"{MANY} listed, MiB", f"{OPEN} open, MiB", "pool, threads",
               f"{OPEN} open, threads")
    wall = "size"
    unit = "daemon, MiB or threads"
    scale = 1
    ordered = True

    def __init__(self):
        super().__init__("rbd added", [(self.reference, "mib", 30)])

    def rounds(self, bench):
        return 1 if bench.quick else 3

    def prepare(self, bench, name):
        ceph(bench)

    def sample(self, bench, name):
        bench.stop("storagefs added")
        system = own(bench, "storagefs added")
        measure = threads if name.endswith("threads") else lambda pid: resident(pid) / 1024
        before = measure(system.pids[0])
        volumes = os.path.join(system.define("many"), "volumes")
        opened = []
        if not name.startswith("pool"):
            run("ls", "-l", volumes)
        if "open" in name:
            opened = [open(f"{volumes}/image-{i:04}", "r+b") for i in range(OPEN)]
        time.sleep(0.2)
        value = measure(system.pids[0]) - before
        for each in opened:
            each.close()
        return Sample(value, value, 1)


def deep(name, block, writes, over, speed, fuse):
    """Against both: what our way costs over librbd, and how much faster it is than rbd-fuse."""
    figures = [(OWN, "us_over", over)] + ([(OWN, "speed", speed)] if speed else [])
    return [Deep(f"{name} 16 deep", block, writes, figures),
            Fuse(f"{name} 16 deep, rbd-fuse", block, writes, [(OWN, "speed", fuse)])]


ROWS = [
    *deep("read 1M", MIB, False, 330, None, 4),
    *deep("write 1M", MIB, True, 330, None, 4),
    *deep("read 4k", 4096, False, 20, 0.7, 4),
    *deep("write 4k", 4096, True, 20, 0.7, 2),
    CopyImage("in"),
    CopyImage("out"),
    CopyBetween("from a LUN"),
    CopyBetween("to a LUN"),
    ListImages(),
    Point("snapshot"),
    Point("clone"),
    Added(),
]
