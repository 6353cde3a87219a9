"""The rows of sheepdog pools: against a raw loop on the tests' cluster in memory, and against
`dog vdi` on a real one where SHEEPDOG=HOST:PORT names one and dog is in PATH.

The cluster itself is no one's CPU here: it does the same for all of them.
"""

import os
import shutil
import subprocess
import time

from measure import MIB, PER_MIB, NoCounterpart, Row, Sample
from systems import Failed, MinimalData, Storagefs, System, need, resident, run, wait_for, write

HERE = os.path.dirname(os.path.realpath(__file__))
TOOL = os.path.join(os.path.dirname(HERE), "servers", "sheep")
RAW, OWN, DOG, FLOOR = "raw loop", "storagefs sheepdog", "dog", "minimal sheep"
MANY = 1000

POOL_XML = """<pool type='sheepdog'><name>{name}</name><source><host name='{host}' port='{port}'/>
<name>bench</name></source></pool>
"""


class Cluster(System):
    """The tests' cluster in memory: `name` says what it holds, data or many VDIs."""

    def __init__(self, bench, name):
        self.name = name
        super().__init__(bench)

    def start(self):
        self.dir = os.path.join(self.home, "sheep")
        process = self.spawn(TOOL, self.dir)
        ports = os.path.join(self.dir, "ports")
        wait_for(lambda: os.path.exists(ports), "the cluster did not start", process)
        with open(ports) as f:
            self.host, self.port = "127.0.0.1", f.read().split()[0]
        self.address = f"{self.host}:{self.port}"
        getattr(self, f"make_{self.name.split()[-1]}")()

    def tell(self, *words):
        run(TOOL + "_tell", self.dir, *words)

    def make_data(self):
        path = os.path.join(self.home, "data")
        self.bench.fill(path)
        self.tell("create", "data", str(self.bench.size))
        self.tell("fill", "data", "0", path)
        os.unlink(path)

    def make_many(self):
        self.tell("crowd", str(MANY), str(64 * MIB))


class Real:
    """A cluster that runs: one volume for us, one for dog."""
    pids = []

    def __init__(self):
        self.address = os.environ.get("SHEEPDOG", "")
        self.host, _, self.port = self.address.rpartition(":")
        if not self.port or not shutil.which("dog"):
            raise NoCounterpart("no real cluster in SHEEPDOG, or no dog")

    def dog(self, *words, stdin=subprocess.DEVNULL):
        result = subprocess.run(["dog", *words, "-a", self.host, "-p", self.port], stdin=stdin,
                                capture_output=True)
        if result.returncode != 0:
            raise Failed(f"dog {' '.join(words)}: {result.stderr.decode()[-300:]}")


def cluster(bench, name):
    return bench.system(name, lambda: Cluster(bench, name))


def compiled(bench, name):
    program = os.path.join(bench.work, name)
    if not os.path.exists(program):
        run(*os.environ.get("CC", "cc").split(), "-std=gnu17", "-D_GNU_SOURCE", "-O2",
            f"{HERE}/{name}.c", "-o", program)
    return program


def raw(bench):
    return compiled(bench, "sheep_raw")


class MinimalSheep(MinimalData):
    """minimal_sheep.c: what FUSE and the bytes from a sheep cost together."""
    name = FLOOR

    def __init__(self, bench, real):
        self.port = real.port
        super().__init__(bench)

    def start(self):
        self.show(compiled(self.bench, "minimal_sheep"), self.port, "bench", str(self.bench.size))


def own(bench, name=OWN):
    return bench.system(name, lambda: Storagefs(bench, name))


def define(system, name, where):
    """The pool of that name; a definition of the host of another one is a conflict."""
    pools = os.path.join(system.mount, "pools")
    for other in os.listdir(pools):
        if other not in ("bench", name):
            write(f"{pools}/{other}/ctl", "stop\n")
            os.rmdir(f"{pools}/{other}")
    if not os.path.exists(f"{pools}/{name}"):
        os.mkdir(f"{pools}/{name}")
        write(f"{pools}/{name}/xml", POOL_XML.format(name=name, host=where.host, port=where.port))
    return f"{pools}/{name}"


class Deep(Row):
    """The same requests at the same depth, of a volume whose objects are there."""
    reference = RAW
    systems = (RAW, OWN)
    wall = "speed"

    def __init__(self, way, block, depth):
        size = f"{block // 1024}k"
        super().__init__(f"sheepdog {way} {size} {depth} deep", [(OWN, "speed", 0.7)])
        self.way, self.block, self.depth = way, block, depth
        if block > 4096:
            self.unit, self.scale = "MiB", PER_MIB

    def prepare(self, bench, name):
        need("qemu-img")
        where = cluster(bench, "sheep with data")
        if name == OWN:
            self.pool = define(own(bench), "data", where)
        else:
            raw(bench)

    def sample(self, bench, name):
        count = (1 if bench.quick else 4) * (4000 if self.block == 4096 else 800)
        units = str(count * (1 if self.block == 4096 else self.block))
        step = self.block if self.block > 4096 else MIB + 4096
        if name == RAW:
            where = cluster(bench, "sheep with data").address
            return bench.workload(
                "-n", units, "exec", raw(bench), where, self.way, "data", str(bench.size),
                str(self.block), str(self.depth), str(count), str(step))
        return bench.workload(
            "-n", units, "exec", "qemu-img", "bench", "-n", "-f", "raw", "-t", "none", "-c",
            str(count), "-d", str(self.depth), "-s", str(self.block), "-S", str(step),
            *(["-w"] if self.way == "write" else []), f"{self.pool}/volumes/data",
            pids=own(bench).pids)


class List(Row):
    """From nothing to a list with sizes, against reading the same headers in a raw loop."""
    reference = RAW
    systems = (RAW, OWN)
    unit = "list"
    wall = "time"

    def __init__(self):
        super().__init__(f"sheepdog list {MANY} VDIs", [(OWN, "time", 2)])

    def prepare(self, bench, name):
        where = cluster(bench, "sheep with many")
        if name == OWN:
            self.pool = define(own(bench), "many", where)
        else:
            raw(bench)

    def sample(self, bench, name):
        if name == RAW:
            return bench.workload("-n", "1", "exec", raw(bench),
                                  cluster(bench, "sheep with many").address, "list")
        write(f"{self.pool}/ctl", "stop\n")
        return bench.workload("-n", "1", "exec", "sh", "-c",
                              'echo start >"$0/ctl" && ls -l "$0/volumes" | tail -n 1',
                              self.pool, pids=own(bench).pids)


class Dog(Row):
    """A whole volume of a real cluster through dog, and through us.

    The raw loop is what one sheep gives to who asks for nothing but the bytes, several requests
    ahead: sheep that share the client's machine have no more of it. It is the floor of writes;
    of reads, who has to give the bytes to a client, too. What is read is dropped: the file system
    of a copy would be measured as well.
    """
    reference = DOG
    unit = "MiB"
    scale = PER_MIB
    BLOCK, DEPTH = MIB // 2, 4              # the quickest of those tried, from 64k 64 deep to 4M

    def __init__(self, way):
        super().__init__(f"sheepdog {way}, real cluster", [(OWN, "speed", 2)])
        self.way = way
        self.floor = FLOOR if way == "read" else RAW
        # a floor looks for its VDI once: after the last new one
        self.systems = (DOG, OWN, RAW) + ((FLOOR,) if way == "read" else ())

    def prepare(self, bench, name):
        self.real = Real()
        self.data = os.path.join(bench.work, "sheepdog-data")
        if not os.path.exists(self.data):
            bench.fill(self.data)
        if name == OWN:
            self.pool = define(own(bench), "real", self.real)
        if self.way == "read":
            self.empty()
            with open(self.data, "rb") as data:
                self.real.dog("vdi", "write", "bench", "0", str(bench.size), stdin=data)
        if name == FLOOR:
            bench.system(name, lambda: MinimalSheep(bench, self.real))

    def empty(self):
        """A new VDI, of which no object is there."""
        try:
            self.real.dog("vdi", "delete", "bench")
        except Failed:
            pass
        self.real.dog("vdi", "create", "bench", "1G")
        time.sleep(0.5)                     # objects of the old one are removed late

    def command(self, bench, name):
        if name in (OWN, FLOOR):
            path = f"{self.pool}/volumes/bench" if name == OWN else bench.system(name).file
            if self.way == "read":
                return f"dd if={path} of=/dev/null bs=1M count={bench.size // MIB}"
            return f"dd if={self.data} of={path} bs=1M conv=notrunc,fsync"
        if name == DOG:
            command = (f"dog vdi {self.way} -a {self.real.host} -p {self.real.port} "
                       f"bench 0 {bench.size}")
        elif self.way == "read":
            command = (f"{raw(bench)} {self.real.address} read bench {bench.size} {self.BLOCK} "
                       f"{self.DEPTH} {bench.size // self.BLOCK} {self.BLOCK}")
        else:
            command = f"{raw(bench)} {self.real.address} fill bench {bench.size} {self.DEPTH}"
        return command + (" >/dev/null" if self.way == "read" else f" <{self.data}")

    def sample(self, bench, name):
        command = self.command(bench, name)
        if self.way == "write":
            self.empty()
        if name == OWN:
            write(f"{self.pool}/ctl", "refresh\n")
        return bench.workload("-n", str(bench.size), "exec", "sh", "-c", command,
                              pids=bench.system(name).pids if name in (OWN, FLOOR) else ())


class Added(Row):
    """What a started pool adds to a daemon; each round has a new one."""
    reference = "one pool, MiB"
    systems = (reference, f"pool of {MANY} VDIs, MiB")
    wall = "size"
    unit = "daemon, MiB"
    scale = 1
    ordered = True

    def __init__(self):
        super().__init__("sheepdog added", [(self.reference, "mib", 3)])

    def rounds(self, bench):
        return 1 if bench.quick else 3

    def sample(self, bench, name):
        bench.stop("storagefs sheepdog added")
        system = own(bench, "storagefs sheepdog added")
        before = resident(system.pids[0])
        kind = "many" if str(MANY) in name else "data"
        run("ls", "-l", define(system, kind, cluster(bench, f"sheep with {kind}")) + "/volumes")
        time.sleep(0.2)
        value = (resident(system.pids[0]) - before) / 1024
        return Sample(value, value, 1)


ROWS = [
    Deep("read", 262144, 8),
    Deep("write", 262144, 8),
    Deep("read", 4096, 32),
    Deep("write", 4096, 32),
    List(),
    Dog("read"),
    Dog("write"),
    Added(),
]
