"""Servers that are no good iSCSI targets, each on a port of 127.0.0.1 of its own.

usage: iscsi_hostile.py FILE [PORT]

FILE gets a line "NAME PORT" for each when all of them listen. PORT is a good target's: the servers
named cut… pass its bytes on and end each connection at some point; those named moves… send who
logs in there, by IPv4 or IPv6, or to themselves. It ends with its parent.
"""

import itertools
import os
import random
import socket
import struct
import sys
import threading
import time

HEADER = 48
LOGIN, SCSI, TEXT, NOP, LOGOUT = 0x03, 0x01, 0x04, 0x00, 0x06


def receive(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


def receive_pdu(connection):
    header = receive(connection, HEADER)
    length = int.from_bytes(header[5:8], "big")
    return header, receive(connection, (length + 3) // 4 * 4 + header[4] * 4)


def pdu(opcode, flags, request, stat_sn, data=b"", middle=b"", length=None):
    """An answer; middle is what each kind has at byte 36 and after."""
    head = bytes([opcode, flags, 0, 0, 0]) + (len(data) if length is None else length).to_bytes(
        3, "big")
    # the window goes on behind the request, unless that was out of the order
    expected = int.from_bytes(request[24:28], "big") + (not request[0] & 0x40)
    numbers = struct.pack(">III", stat_sn, *((expected + n) % (1 << 32) for n in (0, 64)))
    whole = head + request[8:16] + request[16:20] + bytes(4) + numbers + middle
    return whole.ljust(HEADER, b"\0")[:HEADER] + data + bytes(-len(data) % 4)


# -- what comes before a login --

def silent(connection):
    while connection.recv(65536):
        pass


def closes(connection):
    pass


def garbage(connection):
    rnd = random.Random(1)
    receive(connection, HEADER)
    connection.sendall(rnd.randbytes(100000))
    silent(connection)


def http(connection):
    receive(connection, HEADER)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" * 3)


def half(connection):
    header, _ = receive_pdu(connection)
    connection.sendall(pdu(LOGIN | 0x20, header[1], header, 0)[:30])


def huge(connection):
    """A login's answer with data that is as long as can be said, and does not end."""
    header, _ = receive_pdu(connection)
    connection.sendall(pdu(LOGIN | 0x20, header[1], header, 0, length=(1 << 24) - 1))
    while True:
        connection.sendall(b"A=" + b"x" * 65534)


def refuses(connection):
    header, _ = receive_pdu(connection)
    connection.sendall(pdu(LOGIN | 0x20, 0, header, 0, middle=b"\x03\x01"))


def moves_to(address):
    """The target has moved; None: to where it is."""
    def serve(connection):
        header, _ = receive_pdu(connection)
        to = address or b"127.0.0.1:%d,1" % connection.getsockname()[1]
        connection.sendall(pdu(LOGIN | 0x20, 0, header, 0, b"TargetAddress=" + to + b"\0",
                               middle=b"\x01\x01"))
    return serve


# -- what comes after one --

def login(connection):
    """Agrees to everything; returns the next status number."""
    for number in itertools.count():
        header, _ = receive_pdu(connection)
        if header[0] & 0x3f != LOGIN:
            raise ConnectionError
        final = header[1] & 0x83 == 0x83
        # libiscsi takes silence for consent to digests
        text = b"HeaderDigest=None\0" if final else b"AuthMethod=None\0"
        connection.sendall(pdu(LOGIN | 0x20, header[1], header, number, text))
        if final:
            return number + 1


def login_then_silent(connection):
    login(connection)
    silent(connection)


def login_then_garbage(connection):
    login(connection)
    receive_pdu(connection)
    connection.sendall(random.Random(2).randbytes(100000))
    silent(connection)


def liar(answer):
    """Answers each command with data made by answer(bytes asked for)."""
    def serve(connection):
        number = login(connection)
        while True:
            header, _ = receive_pdu(connection)
            kind = header[0] & 0x3f
            asked = int.from_bytes(header[20:24], "big")
            if kind == SCSI:
                data = answer(min(asked, 65536)) if header[1] & 0x40 else b""
                if data:
                    connection.sendall(pdu(0x25, 0x81, header, number, data))
                else:
                    connection.sendall(pdu(0x21, 0x80, header, number))
            elif kind == TEXT:
                connection.sendall(pdu(0x24, 0x80, header, number, answer(500)))
            elif kind == NOP:
                connection.sendall(pdu(0x20, 0x80, header, number))
            elif kind == LOGOUT:
                connection.sendall(pdu(0x26, 0x80, header, number))
                return
            number += 1
    return serve


def wrong_tag(connection):
    """Answers questions that nobody asked."""
    number = login(connection)
    while True:
        header, _ = receive_pdu(connection)
        other = header[:16] + b"\x77" * 4 + header[20:]
        connection.sendall(pdu(0x25, 0x81, other, number, b"\1" * 512))
        number += 1


def disk(connection, special):
    """A good target of one disk of 8 MiB with zeros. special(cdb) may say what else a command is
    answered with: key and code of a failure, or data, b"" for none."""
    number = login(connection)

    def check(header, key, code):
        sense = bytes([0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0]) + code.to_bytes(2, "big") + bytes(4)
        answer = pdu(0x21, 0x80, header, number, bytes([0, len(sense)]) + sense)
        connection.sendall(answer[:3] + b"\2" + answer[4:])

    def give(header, data):
        for at in range(0, len(data), 65536):
            last = at + 65536 >= len(data)
            connection.sendall(pdu(0x25, 0x81 if last else 0, header, number, data[at:at + 65536],
                                   struct.pack(">II", at // 65536, at)))

    def ordinary(cdb, asked):
        if cdb[0] == 0xa0:
            return struct.pack(">II", 8, 0) + b"\0\1" + bytes(6)
        if cdb[0] == 0x12 and not cdb[1] & 1:
            return b"\0\0\6\2\x1f\0\0\0STORAGE disk            1   "
        if cdb[0] == 0x12 and cdb[2] == 0x83:
            return b"\0\x83\0\x0c\1\3\0\x08" + b"\x50" + bytes(6) + b"\1"
        if cdb[0] == 0x9e and cdb[1] & 0x1f == 0x10:
            return struct.pack(">QI", 16383, 512) + bytes(20)
        if cdb[0] == 0x88:
            return bytes(asked)
        return b"" if cdb[0] in (0, 0x91) else (5, 0x2000)

    while True:
        header, _ = receive_pdu(connection)
        cdb, asked = header[32:48], int.from_bytes(header[20:24], "big")
        if header[0] & 0x3f == NOP:
            connection.sendall(pdu(0x20, 0x80, header, number))
        elif header[0] & 0x3f != SCSI:
            return
        else:
            answer = special(cdb)
            if answer is None:
                answer = ordinary(cdb, asked)
            if isinstance(answer, tuple):
                check(header, *answer)
            elif answer:
                give(header, answer)
            else:
                connection.sendall(pdu(0x21, 0x80, header, number))
        number += 1


def grows(connection):
    """Has 8 MiB until it is told to flush, then 16, and says so; the next time, half of them."""
    blocks, sizes, news = 16384, [32768, 8192], False

    def special(cdb):
        nonlocal blocks, news
        if news and cdb[0] not in (0x12, 0xa0):
            news = False
            return 6, 0x2a09
        if cdb[0] == 0x91 and sizes:
            blocks, news = sizes.pop(0), True
        if cdb[0] == 0x9e and cdb[1] & 0x1f == 0x10:
            return struct.pack(">QI", blocks - 1, 512) + bytes(20)
        return None
    disk(connection, special)


def flushes_shortly(connection):
    """Has a cache, and knows only the short form of the command to flush it, which fails once."""
    bad = True

    def special(cdb):
        nonlocal bad
        if cdb[0] == 0x1a:
            return bytes([23, 0, 0, 0, 8, 0x12, 4]) + bytes(17)
        if cdb[0] == 0x91:
            return 5, 0x2000
        if cdb[0] == 0x35 and bad:
            bad = False
            return 3, 0x0c00
        return b"" if cdb[0] in (0x8a, 0x35) else None
    disk(connection, special)


NOISE = random.Random(3)

SERVERS = {
    "silent": silent,
    "closes": closes,
    "garbage": garbage,
    "http": http,
    "half": half,
    "huge": huge,
    "refuses": refuses,
    "moves": moves_to(b"%s%n" * 200),
    "login-then-silent": login_then_silent,
    "login-then-garbage": login_then_garbage,
    "wrong-tag": wrong_tag,
    "grows": grows,
    "flushes-shortly": flushes_shortly,
    "liar-nothing": liar(lambda n: b""),
    "liar-zeros": liar(bytes),
    "liar-ones": liar(lambda n: b"\xff" * n),
    "liar-noise": liar(lambda n: NOISE.randbytes(n)),
    "liar-short": liar(lambda n: NOISE.randbytes(min(n, 3))),
    "liar-long": liar(lambda n: NOISE.randbytes(n + 1000)),
}


# -- between a good target and us --

def cuts(good, lengths):
    """Each connection ends when so many bytes have come back, or gone there."""
    def serve(connection):
        left = next(lengths)
        target = socket.create_connection(("127.0.0.1", good))
        for s in connection, target:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        def forward(source, sink):
            nonlocal left
            try:
                while left > 0:
                    data = source.recv(min(65536, left))
                    if not data:
                        break
                    left -= len(data)
                    sink.sendall(data)
            except OSError:
                pass
            for s in source, sink:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        other = threading.Thread(target=forward, args=(target, connection), daemon=True)
        other.start()
        forward(connection, target)
        other.join()
        target.close()
    return serve


# -- serving --

def handle(connection, serve):
    try:
        with connection:
            serve(connection)
    except OSError:
        pass


def listen(serve):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)

    def accept():
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=handle, args=(connection, serve), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


def main():
    parent = os.getppid()
    servers = dict(SERVERS)
    if len(sys.argv) > 2:
        good = int(sys.argv[2])
        # first at every point of logins and questions, then only ever so often
        servers = {"cut-early": cuts(good, itertools.count(1, 97)),
                   "cut-late": cuts(good, itertools.count(700000, 1111)),
                   "moves-4": moves_to(b"127.0.0.1:%d,1" % good),
                   "moves-6": moves_to(b"[::1]:%d" % good),
                   "moves-name": moves_to(b"localhost:%d,1" % good),
                   "moves-round": moves_to(None)}
    lines = "".join(f"{name} {listen(serve)}\n" for name, serve in servers.items())
    with open(sys.argv[1] + ".new", "w") as f:
        f.write(lines)
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    while os.getppid() == parent:
        time.sleep(0.5)


main()
