"""Rounds, ratios and verdicts: how a row's samples become its lines of the table."""

import os
import statistics
import subprocess
import time
from dataclasses import dataclass

import systems
from systems import Failed, Unavailable

MIB = 1 << 20
PER_MIB = MIB * 1e6


class NoCounterpart(Exception):
    """The system cannot do what the row measures."""


@dataclass
class Sample:
    """One measurement: seconds of wall clock and of CPU (client and servers), per `units`."""
    wall: float
    cpu: float
    units: float
    extra: int = 0
    client: float = 0

    def per_unit(self, what):
        return getattr(self, what) / (self.units or 1)


class Bench:
    """The run: its private directory, its options, and the systems that it has started."""

    def __init__(self, work, args):
        self.work = work
        self.quick = args.quick
        self.rounds = args.rounds or (3 if args.quick else 9)
        self.verbose = args.verbose
        self.only = args.systems.split(",") if args.systems else None
        self.build = None
        self.size = (64 if args.quick else 128) * MIB
        self.running = {}
        self.unavailable = {}

    def program(self):
        for name in ("fs/storagefs", "storagefs"):
            path = os.path.join(self.build, name)
            if os.access(path, os.X_OK):
                return path
        raise Failed(f"no storagefs in {self.build}")

    def wants(self, row, name):
        always = (row.reference, row.floor, *row.floors.values())
        return (not self.only or name in self.only or name in always or
                name not in systems.SYSTEMS)

    def system(self, name, make=None):
        """The system of that name, started when it is first asked for; a failure is remembered."""
        if name in self.unavailable:
            raise self.unavailable[name]
        if name not in self.running:
            system = make() if make else systems.SYSTEMS[name](self)
            self.running[name] = system
            try:
                system.start()
            except (Failed, Unavailable, OSError) as e:
                self.unavailable[name] = e
                self.stop(name)
                raise
        return self.running[name]

    def stop(self, name):
        if name in self.running:
            self.running.pop(name).stop()

    def close(self):
        for name in reversed(list(self.running)):
            self.stop(name)
        systems.unmount(os.path.join(self.work, "names"))

    def names(self):
        """A filesystem for names alone: ext4 is slow where many inodes were deleted lately."""
        path = os.path.join(self.work, "names")
        if not os.path.isdir(path):
            os.mkdir(path)
            if os.geteuid() == 0:
                systems.mount_image(f"{path}.image", path)
        return path

    def fill(self, path, size=None):
        self.workload("fill", path, str(size or self.size))

    def workload(self, *args, pids=(), stdin=None, cpu=None):
        command = [] if cpu is None else ["taskset", "-c", str(cpu)]
        command.append(os.path.join(self.work, "workload"))
        for pid in pids:
            command += ["-p", str(pid)]
        command += args
        if self.verbose:
            print("+", *command, flush=True)
        result = subprocess.run(command, capture_output=True, text=True, input=stdin or "")
        if result.returncode != 0:
            raise Failed(result.stderr.strip()[-300:] or f"status {result.returncode}")
        wall, client, servers, units, extra = map(int, result.stdout.split())
        return Sample(wall / 1e9, (client + servers) / 1e9, units, extra, client / 1e9)


@dataclass
class Figure:
    """A figure to reach: `what` of `system` is at most or at least `limit`.

    cpu, time, speed are ratios to the row's reference; peers is how many times less CPU than the
    better of the peers; the others are absolute. Of wall clocks the better quartile counts.
    """
    system: str
    what: str
    limit: float

    LABELS = {"cpu": "CPU ≤ {}×", "time": "time ≤ {}×", "speed": "speed ≥ {}×",
              "peers": "peers' CPU ≥ {}×", "us": "CPU ≤ {} µs", "us_over": "CPU ≤ native + {} µs",
              "us_time": "time ≤ {} µs", "blocks": "allocation ≤ {}×", "mib": "≤ {} MiB",
              "growth": "growth ≤ {}×"}

    def label(self):
        return self.LABELS[self.what].format(f"{self.limit:g}")

    def met(self, value):
        return value >= self.limit if self.what in ("peers", "speed") else value <= self.limit


class Row:
    """A row of the table: how one sample of each system is taken, and what is to be reached."""
    reference = "native"
    systems = ("native", "storagefs", "no-passthrough", "qemu-storage-daemon", "nbdfuse", "libvirt")
    peers = ("qemu-storage-daemon", "nbdfuse")
    wall = "speed"
    unit = "op"
    scale = 1e6             # from seconds per unit of a sample to what is shown
    ordered = False         # the systems build on one another: no alternation
    seldom = ()             # systems that only each third round takes: they last long
    floor = None            # the system that shows the least it can take; or "client"
    floors = {}             # by system, where theirs is another
    waits = False           # for what no CPU time tells of: the floor's wall clock counts

    def __init__(self, name, figures=()):
        self.name = name
        self.figures = [Figure(*f) for f in figures]

    def rounds(self, bench):
        return bench.rounds

    def prepare(self, bench, name):
        """Called once for each system, before the rounds."""

    def sample(self, bench, name):
        raise NotImplementedError

    def finish(self, bench):
        """Called after the last round."""


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0], values[0]
    q1, q2, q3 = statistics.quantiles(values, n=4, method="inclusive")
    return q2, q1, q3


def shown(values):
    return "{:.3g} [{:.3g} {:.3g}]".format(*quartiles(values))


class Measured:
    """A row's samples by round, after all; a system that cannot run has a reason instead."""

    def __init__(self, row, bench):
        self.row = row
        self.samples = {}
        self.reasons = {}
        self.failed = []
        self.systems = [n for n in row.systems if bench.wants(row, n)]
        wanted = [n for n in self.systems if self.attempt(n, lambda n=n: row.prepare(bench, n))]
        for i in range(row.rounds(bench)):
            for name in wanted if row.ordered or i % 2 == 0 else reversed(wanted):
                if name not in self.reasons and not (name in row.seldom and i % 3):
                    self.attempt(name, lambda n=name: self.take(bench, n, i))
        row.finish(bench)

    def take(self, bench, name, i):
        self.samples.setdefault(name, {})[i] = self.row.sample(bench, name)

    def attempt(self, name, action):
        try:
            action()
            return True
        except NoCounterpart as e:
            self.reasons[name] = f"no counterpart: {e}" if str(e) else "no counterpart"
        except Unavailable as e:
            self.reasons[name] = f"peer not installed: {e}"
        except (Failed, OSError) as e:
            self.reasons[name] = f"could not run: {e}"
            self.failed.append(name)
        self.samples.pop(name, None)
        return False

    def each(self, name, what):
        return [s.per_unit(what) for s in self.samples[name].values()]

    def together(self, *names):
        """The samples of the rounds that all of them took part in."""
        rounds = set.intersection(*(set(self.samples[n]) for n in names))
        return [[self.samples[n][i] for n in names] for i in sorted(rounds)]

    def ratios(self, name, what, inverse=False):
        pairs = [(a.per_unit(what), b.per_unit(what))
                 for a, b in self.together(name, self.row.reference)]
        return [b / a if inverse else a / b for a, b in pairs]

    def value(self, figure):
        """What decides, or None when a system of it did not run."""
        own, what = figure.system, figure.what
        if own not in self.samples:
            return None
        if what in ("us", "mib"):
            return statistics.median(self.each(own, "cpu")) * self.row.scale
        if what == "us_time":
            return quartiles(self.each(own, "wall"))[1] * self.row.scale
        if what == "peers":
            peers = [p for p in self.row.peers if p in self.samples]
            rounds = [[s.per_unit("cpu") for s in r] for r in self.together(own, *peers)]
            return statistics.median(min(p) / o for o, *p in rounds) if peers else None
        return self.against_reference(own, what)

    def floor(self, figure):
        """What the row's floor takes where not even that reaches the figure, else None.

        Of time it is the CPU: the least there is, and steady; unless the row waits. Of speed its
        better quartile, as ours.
        """
        value, floor = None, self.row.floors.get(figure.system, self.row.floor)
        what = {"time": "cpu", "us_time": "us"}.get(figure.what, figure.what)
        what = figure.what if self.row.waits else what
        if floor == "client" and figure.what == "time" and figure.system in self.samples:
            rounds = self.together(figure.system, self.row.reference)
            value = statistics.median(a.client / a.units / b.per_unit("cpu") for a, b in rounds)
        elif floor in self.samples and what not in ("mib", "blocks"):
            value = self.value(Figure(floor, what, figure.limit))
        return None if value is None or figure.met(value) else (floor, value)

    def against_reference(self, own, what):
        reference = self.row.reference
        if reference not in self.samples:
            return None
        if what == "us_over":
            return statistics.median(a.per_unit("cpu") - b.per_unit("cpu") for a, b in
                                     self.together(own, reference)) * self.row.scale
        if what == "blocks":
            return max(a.extra / (b.extra or 1) for a, b in self.together(own, reference))
        if what == "time":
            return quartiles(self.ratios(own, "wall"))[1]
        if what == "speed":
            return quartiles(self.ratios(own, "wall", inverse=True))[2]
        return quartiles(self.ratios(own, "cpu"))[0]


class Report:
    """Prints the table and keeps count of the verdicts."""
    LINE = "  {:<20} {:>10} {:>26} {:>26}  {}"

    def __init__(self):
        self.counts = {"met": 0, "out of reach": 0, "not met": 0, "not measured": 0}
        self.missed = []
        self.unreached = []
        self.failures = {}

    def begin(self, bench):
        with open("/proc/loadavg") as f:
            load = f.read().split()[0]
        print(f"{os.uname().release}, {os.cpu_count()} CPUs, load {load}, {bench.rounds} paired "
              f"rounds; medians [quartiles]\nCPU: client and servers, µs per unit and as a ratio "
              f"to the first line of the row\n")
        print(self.LINE.format("system", "CPU µs", "CPU ratio", "wall ratio", "verdict"))

    def row(self, row, bench):
        begin = time.monotonic()
        measured = Measured(row, bench)
        print(f"{row.name} (per {row.unit}; took {time.monotonic() - begin:.0f} s)")
        for name in measured.systems:
            print(self.line(measured, name), flush=True)

    def line(self, measured, name):
        row, verdicts = measured.row, self.verdicts(measured, name)
        if name not in measured.samples:
            if name in measured.failed:
                self.failures.setdefault(measured.reasons[name], []).append(row.name)
            return self.LINE.format(name, "-", "-", "-", measured.reasons[name])
        cpu = statistics.median(measured.each(name, "cpu")) * row.scale
        us, ratio, wall = f"{cpu:.4g}" if cpu < 1e4 else f"{cpu:.0f}", "-", "-"
        if name != row.reference and row.reference in measured.samples:
            ratio = shown(measured.ratios(name, "cpu"))
            wall = f"{row.wall} " + shown(measured.ratios(name, "wall", row.wall == "speed"))
        return self.LINE.format(name, us, ratio, wall, "; ".join(verdicts)).rstrip()

    def verdicts(self, measured, name):
        out = []
        for figure in measured.row.figures:
            if figure.system != name:
                continue
            value = measured.value(figure)
            verdict = ("not measured" if value is None else
                       "met" if figure.met(value) else "not met")
            floor = measured.floor(figure) if verdict == "not met" else None
            if floor is not None:
                verdict = "out of reach"
            self.counts[verdict] += 1
            text = f"{verdict}: {figure.label()}"
            if value is not None:
                text += f" ({value:.3g})"
            if floor is not None:
                self.unreached.append(f"{measured.row.name}, {name}: {figure.label()}, measured "
                                      f"{value:.3g}; {floor[0]} alone {floor[1]:.3g}")
            if verdict == "not met":
                text = text.upper()[:7] + text[7:]
                self.missed.append(f"{measured.row.name}, {name}: {figure.label()}, "
                                   f"measured {value:.3g}")
            out.append(text)
        return out

    def end(self):
        print("\nfigures: " + ", ".join(f"{n} {what}" for what, n in self.counts.items()))
        for text in self.missed:
            print(f"  not met: {text}")
        for text in self.unreached:
            print(f"  out of reach: {text}")
        for reason, rows in self.failures.items():
            print(f"  {reason} ({', '.join(rows)})")
        return 1 if self.failures else 0
