"""A sheep: one port of the cluster, its connections, and the faults that are put into them."""

import asyncio
import os
import random
import socket
import struct

from sheep_cluster import Crash
from sheep_wire import (
    BITMAP, CLUSTER, CLUSTER_INFO, CLUSTER_INFO_SIZE, COPIES, CREATE, DEFAULT, DELETE, DELETED,
    DISCARD, EXIST, FLUSH, F_WRITE, HEADER, INFO, INTERNAL_VERSION, INVALID, LOCK, MAX_NODES, NEW,
    NODES, NODE_SIZE, NO_OBJ, OPCODES, PUBLIC_VERSION, READ, RELEASE, REMOVE, STAT,
    UNFORMATTED, VDIS, VERSION, WRITE, Answer, Request)

LINGER = struct.pack("ii", 1, 0)
HELD_BACK = 0.3     # seconds that an answer out of order waits for a later one
ALWAYS_ANSWERED = (VDIS, NODES, DEFAULT)


class Fault:
    """A line `OPCODE[:data|:inode] [nth=N] [times=N] [node=N] ACTION [ARGUMENT]`."""

    def __init__(self, words):
        self.opcode, _, self.of = words[0].partition(":")
        if self.opcode != "any" and self.opcode not in OPCODES:
            raise ValueError("no opcode %s" % self.opcode)
        self.nth, self.times, self.node = 1, 1, None
        words = words[1:]
        while "=" in words[0]:
            key, _, value = words[0].partition("=")
            if key not in ("nth", "times", "node"):
                raise ValueError("no such key: %s" % key)
            setattr(self, key, int(value))
            words = words[1:]
        self.action, self.argument = words[0], " ".join(words[1:])
        if self.action not in ACTIONS:
            raise ValueError("no action %s" % self.action)
        self.seen = 0

    def fires(self, request, node):
        if self.opcode not in ("any", request.name) or self.node not in (None, node):
            return False
        if self.of and (self.of == "inode") != request.of_inode:
            return False
        self.seen += 1
        return self.seen >= self.nth and (not self.times or self.seen < self.nth + self.times)


class Connection(asyncio.Protocol):
    def __init__(self, node):
        self.node, self.sheep = node, node.sheep
        self.buffer = bytearray()
        self.held = []          # answers that wait for a later one
        self.transport = None
        self.mute = self.owes = False   # says nothing more; has left something unanswered

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport.set_write_buffer_limits(high=64 << 20)
        self.node.connections.add(self)
        if self.node.silent:
            transport.pause_reading()

    def connection_lost(self, error):
        self.node.connections.discard(self)

    def data_received(self, data):
        self.buffer += data
        at = 0
        while not self.node.silent and len(self.buffer) - at >= HEADER:
            header = bytes(self.buffer[at:at + HEADER])
            request = Request(header)
            size = HEADER + (request.length if request.flags & F_WRITE else 0)
            if len(self.buffer) - at < size:
                break
            request.payload = bytes(self.buffer[at + HEADER:at + size])
            at += size
            self.take(request)
            if self.transport.is_closing():
                return
        del self.buffer[:at]

    def take(self, request):
        self.sheep.count(request, self)
        fault = self.sheep.fault_for(request, self.node.index)
        try:
            if fault:
                ACTIONS[fault.action](self, request, fault.argument)
            else:
                self.send(self.answer(request))
        except Crash:
            self.node.kill()

    def answer(self, request):
        return self.node.answer(request).pack(request, self.sheep.epoch)

    def send(self, data):
        if self.sheep.jitter:
            self.sheep.after(random.uniform(0, self.sheep.jitter), self.write, data)
        else:
            self.write(data)

    def write(self, data):
        if self.mute or self.transport.is_closing():
            return
        self.transport.write(data)
        held, self.held = self.held, []
        for late in held:
            self.transport.write(late)

    def settle(self):
        """What was not answered never will be: the connection ends."""
        if self.mute or self.owes:
            self.reset()

    def reset(self):
        self.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
        self.transport.abort()

    def silence(self, silent):
        if silent:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()
            self.data_received(b"")

    # -- what a fault does instead of answering --

    def do_result(self, request, code):
        self.send(Answer(int(code, 0)).pack(request, self.sheep.epoch))

    def do_reset(self, request, _):
        self.reset()

    def do_reset_after(self, request, _):
        self.answer(request)
        self.reset()

    def do_cut(self, request, size):
        data = self.answer(request)[:int(size)]
        self.transport.write(data)
        self.transport.close()

    def do_part(self, request, size):
        self.write(self.answer(request)[:int(size)])
        self.mute = True

    def do_ignore(self, request, _):
        self.owes = True

    def do_stall(self, request, _):
        self.answer(request)
        self.owes = True

    def do_lose(self, request, _):
        """As a copy does that is being recovered when the write comes: a new epoch, all is well."""
        self.sheep.epoch += 1
        self.send(Answer().pack(request, self.sheep.epoch))

    def do_delay(self, request, seconds):
        self.sheep.after(float(seconds), self.write, self.answer(request))

    def do_later(self, request, _):
        self.held.append(self.answer(request))
        self.sheep.after(HELD_BACK, self.write, b"")

    def do_twice(self, request, _):
        data = self.answer(request)
        self.send(data)
        self.send(data)

    def do_garbage(self, request, size):
        self.answer(request)
        self.send(os.urandom(int(size or HEADER)))

    def do_alter(self, request, words):
        """AT VALUE: the reply's 32 bits there are others."""
        at, value = words.split()
        data = bytearray(self.answer(request))
        struct.pack_into("<I", data, int(at), int(value, 0))
        self.send(bytes(data))

    def do_opcode(self, request, value):
        data = bytearray(self.answer(request))
        data[1] = int(value, 0)
        self.send(bytes(data))

    def do_before(self, request, command):
        self.sheep.command(command.split())
        self.send(self.answer(request))

    def do_after(self, request, command):
        data = self.answer(request)
        self.sheep.command(command.split())
        self.send(data)

    def do_die(self, request, _):
        self.answer(request)
        self.node.kill()


ACTIONS = {name[3:].replace("_", "-"): function for name, function in vars(Connection).items()
           if name.startswith("do_")}


class Node:
    def __init__(self, sheep, index):
        self.sheep, self.index = sheep, index
        self.port, self.server, self.silent = 0, None, False
        self.connections = set()

    async def start(self):
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: Connection(self), "127.0.0.1", self.port,
                                               reuse_address=True)
        self.port = self.server.sockets[0].getsockname()[1]

    def kill(self):
        """As kill -9 of a sheep: its connections are reset, its port is closed."""
        if self.server:
            self.server.close()
            self.server = None
            self.sheep.node_lost(self.index)
        for connection in list(self.connections):
            connection.reset()

    def silence(self, silent):
        self.silent = silent
        for connection in list(self.connections):
            connection.silence(silent)

    # -- requests --

    def answer(self, request):
        sheep = self.sheep
        internal = request.opcode >= 0x80
        if request.version != sheep.version if internal else request.version > PUBLIC_VERSION:
            return Answer(VERSION)
        if request.opcode not in sheep.operations:
            return Answer(INVALID)
        if not sheep.formatted and request.opcode not in ALWAYS_ANSWERED:
            return Answer(UNFORMATTED)
        if sheep.status and request.opcode not in ALWAYS_ANSWERED:
            return Answer(sheep.status)
        return sheep.operations[request.opcode](request, self)


class Operations:
    """The requests, by opcode, of a cluster with nodes."""

    def __init__(self, sheep, cluster):
        self.sheep, self.cluster = sheep, cluster
        plain = {CREATE: cluster.create, READ: cluster.read, WRITE: cluster.write,
                 REMOVE: cluster.remove, DISCARD: cluster.discard, NEW: cluster.new,
                 INFO: cluster.info, DELETE: cluster.delete}
        self.table = {code: lambda request, _, run=run: run(request)
                      for code, run in plain.items()}
        self.table.update({
            LOCK: lambda request, node: cluster.lock(request, node.index),
            RELEASE: lambda request, node: cluster.unlock(request, node.index),
            FLUSH: lambda request, node: Answer(INVALID),
            VDIS: lambda request, node: self.bitmap(request, cluster.in_use),
            DELETED: lambda request, node: self.bitmap(request, cluster.deleted),
            DEFAULT: self.default, NODES: self.nodes, STAT: self.stat, CLUSTER: self.state,
            CLUSTER_INFO: self.info, EXIST: self.exists,
            COPIES: lambda request, node: cluster.states(request, self.addresses()),
        })

    @staticmethod
    def bitmap(request, bits):
        return Answer(payload=bytes(bits)) if request.length == BITMAP else Answer(INVALID)

    def exists(self, request, _):
        return Answer(0 if request.oid in self.cluster.objects else NO_OBJ)

    def default(self, request, _):
        return Answer(union=struct.pack("<IBBB", 0, self.cluster.copies, 0, self.cluster.shift))

    def entry(self, node):
        address = bytes(12) + socket.inet_aton(self.sheep.advertise)
        out = os.urandom(24) + address + struct.pack("<H", node.port)
        out = out.ljust(64, b"\0") + struct.pack("<HxxIQ", 0x80, node.index, self.room())
        return out

    def addresses(self):
        return {node.index: self.entry(node)[24:64] for node in self.sheep.nodes}

    def room(self):
        return self.cluster.room * self.cluster.copies // len(self.sheep.nodes)

    def nodes(self, request, _):
        alive = [node for node in self.sheep.nodes if node.server]
        if request.length < NODE_SIZE * MAX_NODES:
            self.cluster.trap("GET_NODE_LIST with room for %d bytes only" % request.length)
            if not request.length:
                raise Crash
        return Answer(union=struct.pack("<II", 0, len(alive)),
                      payload=b"".join(self.entry(node) for node in alive))

    def stat(self, request, _):
        used = self.cluster.used() * self.cluster.copies // len(self.sheep.nodes)
        return Answer(union=struct.pack("<I12xQQ", 0, self.room(), max(0, self.room() - used)))

    def flags(self):
        return 4 | (8 if self.cluster.locking else 0)

    def state(self, request, _):
        epoch = struct.pack("<QQIIBBB3xH16s", self.cluster.created, 0, self.sheep.epoch, 0,
                            0, self.cluster.copies, 0, self.flags(), b"plain")
        return Answer(payload=epoch[:request.length])

    def info(self, request, _):
        out = bytearray(CLUSTER_INFO_SIZE)
        struct.pack_into("<BxhIQHBxBB", out, 0, INTERNAL_VERSION, len(self.sheep.nodes),
                         self.sheep.epoch, self.cluster.created, self.flags(),
                         self.cluster.copies, 1, self.cluster.shift)
        return Answer(payload=bytes(out))
