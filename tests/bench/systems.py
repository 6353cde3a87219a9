"""What is measured: how each system is started, where it shows its bytes, how it is stopped.

A system is started by the first row that needs it and stopped at the end, by pid; `pids` are the
processes whose CPU is counted. Everything lives under the private directory of the run.
"""

import os
import shutil
import signal
import subprocess
import time

TIMEOUT = 60
CLIENT_CPU = min(os.sched_getaffinity(0)) # of rows whose client keeps to one


class Unavailable(Exception):
    """The system is not on this machine: its rows say so and nothing fails."""


class Failed(Exception):
    """Something that should have run did not."""


def need(program):
    path = shutil.which(program)
    if not path:
        raise Unavailable(f"{os.path.basename(program)} not installed")
    return path


def install(packages):
    """Debian packages by program: those of the programs that are missing."""
    missing = [package for program, package in packages.items() if not shutil.which(program)]
    if missing and os.geteuid() == 0:
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", *missing],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def wait_for(condition, what, process=None):
    end = time.monotonic() + TIMEOUT
    while not condition():
        if process and process.poll() is not None:
            raise Failed(f"{what}: it ended with status {process.returncode}")
        if time.monotonic() > end:
            raise Failed(f"{what}: nothing within {TIMEOUT} s")
        time.sleep(0.01)


def run(*command, **options):
    result = subprocess.run(command, capture_output=True, text=True,
                            stdin=None if "input" in options else subprocess.DEVNULL, **options)
    if result.returncode != 0:
        raise Failed(f"{' '.join(command)[:200]}: {result.stderr.strip()[-400:]}")
    return result.stdout


def is_mounted(path):
    with open("/proc/self/mountinfo") as mounts:
        return any(line.split()[4] == path for line in mounts)


def unmount(path):
    if is_mounted(path):
        tool = ["umount", "-l"] if os.geteuid() == 0 else ["fusermount3", "-uz"]
        subprocess.run([*tool, path], capture_output=True)


def mount_image(image, path):
    """An ext4 of its own, on a sparse file."""
    with open(image, "wb") as f:
        f.truncate(4 << 30)
    run("mkfs.ext4", "-q", "-F", "-N", "400000", "-E", "lazy_itable_init=0,lazy_journal_init=0",
        image)
    run("mount", "-o", "loop", image, path)


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def resident(pid):
    """The resident set in KiB."""
    with open(f"/proc/{pid}/status") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


POOL_XML = "<pool type='dir'><name>{name}</name><target><path>{target}</path></target></pool>\n"


class System:
    """One way to the same bytes.

    `whole` systems show a directory of files, `volumes`; the others export one `file`, so that a
    copy within them is from its first half to its second.
    """
    whole = False
    volumes = None

    def __init__(self, bench):
        self.bench = bench
        self.home = os.path.join(bench.work, self.name.replace(" ", "-"))
        self.processes = []
        self.mounts = []
        shutil.rmtree(self.home, ignore_errors=True)
        os.mkdir(self.home)

    @property
    def pids(self):
        return [p.pid for p in self.processes]

    def spawn(self, *command):
        if self.bench.verbose:
            print("+", *command)
        log = open(os.path.join(self.home, "log"), "ab")
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   start_new_session=True)
        log.close()
        self.processes.append(process)
        return process

    def log(self):
        try:
            with open(os.path.join(self.home, "log"), errors="replace") as f:
                return f.read()[-400:].strip()
        except OSError:
            return ""

    def stop(self):
        """Servers unmount when they are told to end; what is left is unmounted lazily."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for path in self.mounts:
            unmount(path)
        self.processes, self.mounts = [], []


class Native(System):
    """Plain files of the filesystem that holds the run; pools show the very same ones.

    Where the pages and blocks of two files happen to lie is worth more than some of the figures.
    """
    name = "native"
    whole = True

    def start(self):
        self.target = self.volumes = os.path.join(self.home, "files")
        os.mkdir(self.volumes)


class Storagefs(System):
    """The daemon on one dir pool, `bench`, and `pools` more that are autostarted."""
    name = "storagefs"
    whole = True
    options = ""

    def __init__(self, bench, name=None, pools=0, target=None):
        self.name = name or self.name
        self.extra_pools = pools
        self.target = target
        super().__init__(bench)

    def start(self):
        if not self.bench.build:
            raise Failed("storagefs was not built")
        program = self.bench.program()
        self.source = os.path.join(self.home, "etc")
        self.mount = os.path.join(self.home, "mnt")
        self.target = self.target or self.bench.system("native").volumes
        for path in (self.source, self.mount):
            os.mkdir(path)
        define_pools(self.source, self.extra_pools, self.home)
        options = ["-o", self.options] if self.options else []
        self.mounts.append(self.mount)
        process = self.spawn(program, "-f", *options, self.source, self.mount)
        try:
            wait_for(lambda: is_mounted(self.mount), "storagefs did not mount", process)
            self.pool = os.path.join(self.mount, "pools", "bench")
            os.mkdir(self.pool)
            write(os.path.join(self.pool, "xml"),
                  POOL_XML.format(name="bench", target=self.target))
        except (Failed, OSError) as e:
            raise Failed(f"{e} ({self.log()})") from e
        self.volumes = os.path.join(self.pool, "volumes")

    def add_pool(self, name, target):
        """Another pool; returns its volumes."""
        pool = os.path.join(self.mount, "pools", name)
        if not os.path.exists(pool):
            os.mkdir(pool)
            write(os.path.join(pool, "xml"), POOL_XML.format(name=name, target=target))
        return os.path.join(pool, "volumes")


class NoPassthrough(Storagefs):
    """The same with its own data path, as pools of other types have it."""
    name = "no-passthrough"
    options = "no-passthrough"


class Tmpfs(System):
    """A file of a tmpfs: what opening and reading a small file costs at least."""
    name = "tmpfs"

    def start(self):
        self.mount = os.path.join(self.home, "mnt")
        os.mkdir(self.mount)
        if os.geteuid() != 0:
            raise Unavailable("needs root")
        run("mount", "-t", "tmpfs", "tmpfs", self.mount)
        self.mounts.append(self.mount)


class Minimal(System):
    """minimal_fuse.c: what FUSE costs before a filesystem does anything, at its best: one thread
    on the CPU of the client."""
    name = "minimal libfuse"

    def start(self):
        self.show("minimal_fuse", "one")

    def show(self, program, argument):
        self.mount = os.path.join(self.home, "mnt")
        os.mkdir(self.mount)
        self.mounts.append(self.mount)
        process = self.spawn(os.path.join(self.bench.work, program), self.mount, argument)
        os.sched_setaffinity(process.pid, {CLIENT_CPU})
        wait_for(lambda: is_mounted(self.mount), f"{program} did not mount", process)


class MinimalNames(Minimal):
    """minimal_names.c in the same way: what FUSE costs where files are listed, made and resized.
    Each row has one of its own, and stops it."""
    name = "minimal names"

    def __init__(self, bench, target):
        self.target = target
        super().__init__(bench)

    def start(self):
        if os.geteuid() != 0:
            raise Unavailable("needs root") # for the filesystem with small inode numbers
        self.show("minimal_names", self.target)


class MinimalData(System):
    """The least filesystems that show one file: minimal.h and what is behind it."""

    def show(self, program, *arguments):
        mount = os.path.join(self.home, "mnt")
        self.file = os.path.join(mount, "data")
        os.mkdir(mount)
        if os.geteuid() != 0:
            raise Unavailable("needs root")
        self.mounts.append(mount)
        process = self.spawn(program, mount, *arguments)
        wait_for(lambda: is_mounted(mount), f"{os.path.basename(program)} did not mount", process)


class MinimalFile(MinimalData):
    """minimal_file.c: what FUSE costs where only the kernel has to do with the data."""
    name = "minimal passthrough"
    mode = ()

    def start(self):
        data = os.path.join(self.bench.system("native").volumes, "data")
        self.show(os.path.join(self.bench.work, "minimal_file"), data, *self.mode)
        device = os.stat(os.path.dirname(self.file)).st_dev
        write(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb", "1024")


class MinimalDirect(MinimalFile):
    """minimal_file.c again: what FUSE costs where one thread moves the data through its buffer."""
    name = "minimal direct"
    mode = ("direct",)


class MinimalUncached(MinimalFile):
    """The same from and to the disk."""
    name = "minimal O_DIRECT"
    mode = ("O_DIRECT",)


class MinimalMany(MinimalFile):
    """The same by eight threads, for many jobs: more cost more CPU here, fewer are slower."""
    name = "minimal O_DIRECT 8"
    mode = ("O_DIRECT", "8")


class Qemu(System):
    """qemu-storage-daemon's FUSE export of one raw file."""
    name = "qemu-storage-daemon"

    def start(self):
        need("qemu-storage-daemon")
        image = os.path.join(self.home, "image")
        self.bench.fill(image)
        self.export("file", image)

    def export(self, driver, path):
        program, self.file = need("qemu-storage-daemon"), os.path.join(self.home, "export")
        write(self.file, "")
        self.mounts.append(self.file)
        process = self.spawn(
            program, "--blockdev", f"driver={driver},node-name=file,filename={path}",
            "--blockdev", "driver=raw,node-name=volume,file=file", "--export",
            f"type=fuse,id=export,node-name=volume,mountpoint={self.file},writable=on")
        wait_for(lambda: is_mounted(self.file), "qemu-storage-daemon did not mount", process)


class Nbdfuse(System):
    """nbdfuse on nbdkit's file plugin, over a unix socket."""
    name = "nbdfuse"

    def start(self):
        nbdkit, nbdfuse = need("nbdkit"), need("nbdfuse")
        image, self.file = os.path.join(self.home, "image"), os.path.join(self.home, "export")
        socket = os.path.join(self.home, "socket")
        self.bench.fill(image)
        write(self.file, "")
        server = self.spawn(nbdkit, "-f", "-U", socket, "file", image)
        wait_for(lambda: os.path.exists(socket), "nbdkit did not listen", server)
        self.mounts.append(self.file)
        client = self.spawn(nbdfuse, self.file, f"nbd+unix:///?socket={socket}")
        wait_for(lambda: is_mounted(self.file), "nbdfuse did not mount", client)


LIBVIRTD_CONF = """auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_dir = "{home}/sock"
unix_sock_rw_perms = "0700"
log_level = 4
log_outputs = "4:stderr"
host_uuid = "11111111-2222-4333-8444-555555555555"
"""

LIBVIRTD_INNER = """set -e
mount --make-rprivate /
mkdir -p /etc/libvirt /var/lib/libvirt /var/cache/libvirt /run/libvirt
mount --bind "{home}/etc" /etc/libvirt
mount --bind "{home}/var" /var/lib/libvirt
mount --bind "{home}/cache" /var/cache/libvirt
mount --bind "{home}/run" /run/libvirt
LIBVIRT_DRIVER_DIR="{home}/drv" exec /usr/sbin/libvirtd -f "{home}/libvirtd.conf" -p "{home}/pid"
"""


class Libvirt(System):
    """libvirtd with few drivers, in namespaces of its own, and a dir pool `bench`."""
    name = "libvirt"
    namespaces = ("-m", "-n")
    drivers = ("storage",)

    def __init__(self, bench, name=None, pools=0, target=None):
        self.name = name or self.name
        self.extra_pools = pools
        self.target = target
        super().__init__(bench)

    def lay_out(self):
        need("/usr/sbin/libvirtd")
        need("virsh")
        if os.geteuid() != 0:
            raise Unavailable("needs root")
        for name in ("etc", "var", "cache", "run", "sock", "drv", "etc/storage"):
            os.mkdir(os.path.join(self.home, name))
        drivers = "/usr/lib/{}-linux-gnu/libvirt/connection-driver".format(os.uname().machine)
        for name in self.drivers:
            driver = f"{drivers}/libvirt_driver_{name}.so"
            if not os.path.exists(driver):
                raise Unavailable(f"libvirt's {name} driver not installed")
            os.symlink(driver, f"{self.home}/drv/libvirt_driver_{name}.so")
        write(f"{self.home}/libvirtd.conf", LIBVIRTD_CONF.format(home=self.home))
        write(f"{self.home}/inner", LIBVIRTD_INNER.format(home=self.home))
        define_pools(f"{self.home}/etc/storage", self.extra_pools, self.home)
        self.uri = f"storage:///system?socket={self.home}/sock/libvirt-sock"

    def launch(self):
        """unshare and the shell exec, so that the pid stays the daemon's."""
        process = self.spawn("unshare", *self.namespaces, "bash", f"{self.home}/inner")
        wait_for(lambda: os.path.exists(f"{self.home}/sock/libvirt-sock"),
                 "libvirtd did not listen", process)
        wait_for(self.answers, "libvirtd did not answer", process)

    def answers(self):
        return subprocess.run(self.virsh("pool-list", "--all"), capture_output=True).returncode == 0

    def start(self):
        self.lay_out()
        self.pools = set()
        self.target = self.target or os.path.join(self.home, "files")
        os.makedirs(self.target, exist_ok=True)
        self.launch()
        xml = os.path.join(self.home, "pool.xml")
        write(xml, POOL_XML.format(name="bench", target=self.target))
        run(*self.virsh("pool-define", xml))
        run(*self.virsh("pool-start", "bench"))

    def add_pool(self, name, target):
        if name not in self.pools:
            run(*self.virsh("pool-create-as", name, "dir", "--target", target))
            self.pools.add(name)

    def virsh(self, *command):
        return ["virsh", "-q", "-c", self.uri, *command]


def define_pools(source, count, home):
    """Autostarted definitions as both libvirt and we keep them."""
    os.makedirs(f"{source}/autostart", exist_ok=True)
    for i in range(count):
        name = f"p{i:04}"
        os.makedirs(f"{home}/targets/{name}")
        write(f"{source}/{name}.xml", POOL_XML.format(name=name, target=f"{home}/targets/{name}"))
        os.symlink(f"{source}/{name}.xml", f"{source}/autostart/{name}.xml")


SYSTEMS = {kind.name: kind
           for kind in (Native, Tmpfs, Minimal, MinimalFile, MinimalDirect, MinimalUncached,
                        MinimalMany, Storagefs, NoPassthrough, Qemu, Nbdfuse, Libvirt)}
