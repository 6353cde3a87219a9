"""What pools on the kernel's storage stand on, in a VM: a filesystem, an NFS server, volume groups, disks
with partitions, targets and maps, each made once and defined alike for us and for libvirt.
"""

import os
import subprocess
import tempfile

from systems import need, run, wait_for, write

DISKS = [os.environ.get(f"VM_DISK{i}", "") for i in range(6)]
LVS, PARTITIONS = 200, 128


def blank(disk):
    run("blkdiscard", "-f", "-z", disk)
    run("udevadm", "settle")


def server(*command):
    """One that lasts as long as the VM."""
    need(command[0])
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, start_new_session=True)


def mounted(filesystem, path):
    os.makedirs(path, exist_ok=True)
    if not os.path.ismount(path):
        run("mount", "-t", filesystem, filesystem, path)


class Kind:
    """A pool type as both systems get it: one definition, and what it stands on."""
    volume = None               # what create makes; None: volumes are given
    alone = False               # it is started by one system at a time

    def __init__(self, name, source, target):
        self.name = name
        self.source, self.target = source, target
        self.made = False

    def ready(self):
        """Makes what the pool stands on, once for all rows."""
        if not self.made:
            self.make()
            self.made = True

    def make(self):
        pass

    def undo(self):
        """Undoes what make did, so that a disk has one user."""

    def xml(self):
        kind = self.name.partition(" ")[0]
        return (f"<pool type='{kind}'><name>{self.name}</name><source>{self.source}</source>"
                f"<target><path>{self.target}</path></target></pool>\n")


class Filesystem(Kind):
    volume = "v"
    alone = True

    def __init__(self):
        super().__init__("fs", f"<device path='{DISKS[0]}'/><format type='ext4'/>", "/run/bench-fs")

    def make(self):
        blank(DISKS[0])
        run("mkfs.ext4", "-q", DISKS[0])
        os.makedirs(self.target, exist_ok=True)


class Logical(Kind):
    """A volume group with a volume for data."""
    volume = "v"
    group = "bench"

    def __init__(self):
        super().__init__("logical", f"<device path='{DISKS[1]}'/><name>{self.group}</name>",
                         f"/dev/{self.group}")

    def make(self):
        blank(DISKS[1])
        run("vgcreate", "-q", self.group, DISKS[1])
        run("lvcreate", "-q", "-y", "-Wn", "-L", "256M", "-n", "data", self.group)


class ManyLogical(Kind):
    """200 LVs: written into the group's metadata at once, as lvcreate takes a second for each."""
    group = "many"

    def __init__(self):
        super().__init__("logical many", f"<name>{self.group}</name>", f"/dev/{self.group}")

    def make(self):
        blank(DISKS[2])
        run("vgcreate", "-q", "-s", "1M", self.group, DISKS[2])
        run("lvcreate", "-q", "-y", "-Wn", "-an", "-l", "1", "-n", "lv000", self.group)
        text = run("vgcfgbackup", "-q", "-f", "/run/many", self.group) and open("/run/many").read()
        at = text.index("\t\tlv000 {")
        end = text.index("\n\t\t}\n", at) + 5
        one = text[at:end]
        lvs = [one]
        for i in range(1, LVS):
            lv = one.replace("lv000", f"lv{i:03}").replace('"pv0", 0', f'"pv0", {i}')
            old = one.partition('id = "')[2].partition('"')[0]
            lvs.append(lv.replace(old, f"{i:06}" + old[6:]))
        write("/run/many", text[:at] + "".join(lvs) + text[end:])
        run("vgcfgrestore", "-q", "-f", "/run/many", self.group)
        # udev takes seconds for each, which is no one's start
        run("vgchange", "-q", "-ay", self.group)
        run("udevadm", "settle", "--timeout=900")


class Disk(Kind):
    """A disk with a table of partitions, of which the first is for data."""

    def __init__(self):
        super().__init__("disk", f"<device path='{DISKS[3]}'/><format type='gpt'/>", "/dev")
        self.volume = os.path.basename(DISKS[3]) + "2"

    def make(self):
        blank(DISKS[3])
        run("sfdisk", "-q", DISKS[3], input="label: gpt\n,256M,L\n")
        run("udevadm", "settle")


class ManyDisk(Kind):
    def __init__(self):
        super().__init__("disk many", f"<device path='{DISKS[5]}'/><format type='gpt'/>", "/dev")

    def make(self):
        blank(DISKS[5])
        run("sfdisk", "-q", DISKS[5], input="label: gpt\n" + ",4M,L\n" * PARTITIONS)
        run("udevadm", "settle")


class Scsi(Kind):
    """The adapter that has all the disks."""

    def __init__(self):
        super().__init__("scsi", "", "/dev/disk/by-path")

    def make(self):
        device = os.path.realpath(f"/sys/block/{os.path.basename(DISKS[4])}/device")
        self.address = os.path.basename(device).split(":")
        self.source = f"<adapter type='scsi_host' name='host{self.address[0]}'/>"
        blank(DISKS[4])


class Netfs(Kind):
    """A directory that this kernel's own NFS server exports."""
    volume = "v"
    alone = True

    def __init__(self):
        super().__init__("netfs", "<host name='127.0.0.1'/><dir path='/export'/>"
                         "<format type='nfs'/>", "/run/bench-netfs")

    def make(self):
        root = os.path.join(tempfile.gettempdir(), "served")
        for path in (f"{root}/export", self.target, "/var/lib/nfs/v4recovery", "/run/rpcbind"):
            os.makedirs(path, exist_ok=True)
        run("modprobe", "-a", "nfsd", "lockd", "nfs", "nfsv4")
        mounted("nfsd", "/proc/fs/nfsd")
        mounted("rpc_pipefs", "/run/rpc_pipefs")
        write("/etc/exports", f"{root} 127.0.0.1(rw,fsid=0,no_subtree_check,insecure,"
              f"no_root_squash)\n{root}/export 127.0.0.1(rw,no_root_squash,no_subtree_check,"
              "insecure,fsid=1)\n")
        server("rpcbind", "-w", "-f")
        wait_for(lambda: answers("rpcinfo", "-p", "127.0.0.1"), "rpcbind did not answer")
        run("exportfs", "-ra")
        server("rpc.mountd", "-F")
        run("rpc.nfsd", "-G", "10", "-L", "10", "2")
        write("/proc/fs/nfsd/v4_end_grace", "Y\n")
        wait_for(lambda: answers("showmount", "-e", "127.0.0.1"), "the NFS server did not answer")


class Iscsi(Kind):
    """A target of this kernel, for its own initiator."""
    alone = True
    iqn = "iqn.2026-11.bench:kernel"

    def __init__(self):
        super().__init__("iscsi", f"<host name='127.0.0.1'/><device path='{self.iqn}'/>",
                         "/dev/disk/by-path")

    def make(self):
        run("modprobe", "-a", "target_core_mod", "target_core_file", "iscsi_target_mod",
            "iscsi_tcp")
        mounted("configfs", "/sys/kernel/config")
        lio = "/sys/kernel/config/target"
        group, unit = f"{lio}/iscsi/{self.iqn}/tpgt_1", f"{lio}/core/fileio_0/bench"
        for path in (f"{group}/np/127.0.0.1:3260", f"{group}/lun/lun_0", unit, "/run/lock/iscsi"):
            os.makedirs(path)
        data = os.path.join(tempfile.gettempdir(), "unit")
        with open(data, "wb") as f:
            f.truncate(16 << 20)
        write(f"{unit}/control", f"fd_dev_name={data},fd_dev_size={16 << 20}\n")
        write(f"{unit}/enable", "1\n")
        os.symlink(unit, f"{group}/lun/lun_0/disk")
        for name, value in (("authentication", 0), ("generate_node_acls", 1),
                            ("demo_mode_write_protect", 0), ("cache_dynamic_acls", 1)):
            write(f"{group}/attrib/{name}", f"{value}\n")
        write(f"{group}/enable", "1\n")
        server("iscsid", "-f")
        wait_for(lambda: os.path.exists("/sys/class/iscsi_transport/tcp"), "iscsid did not start")


class Mpath(Kind):
    """All maps: there is one, of the disk with two paths."""

    def __init__(self):
        super().__init__("mpath", "", "/dev/mapper")

    def make(self):
        paths = os.environ["VM_PATHS"].split()
        run("modprobe", "-a", "dm_multipath", "dm_service_time")
        numbers = [os.stat(path).st_rdev for path in paths]
        units = " ".join(f"{os.major(n)}:{os.minor(n)} 1" for n in numbers)
        run("dmsetup", "create", "bench-map", "-u", "mpath-35000c50000b00000", "--table",
            f"0 {run('blockdev', '--getsz', paths[0]).strip()} multipath 0 0 1 1 "
            f"service-time 0 {len(paths)} 1 {units}")
        run("udevadm", "settle")


def answers(*command):
    return subprocess.run(command, capture_output=True).returncode == 0


KINDS = [Filesystem(), Netfs(), Logical(), Disk(), Iscsi(), Scsi(), Mpath()]
FS, _, LOGICAL, DISK, _, SCSI, _ = KINDS
MANY_LVS, MANY_PARTITIONS = ManyLogical(), ManyDisk()
