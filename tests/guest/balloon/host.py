"""The host's side: usage: host.py QMP-SOCKET CONSOLE PID WHAT

Moves the balloon of a guest of 128 MiB through QEMU's monitor and waits for
what the guest's console says of it.  Prints what it found; exits with 1 when
that is not as it should be."""
import json
import re
import socket
import sys
import time

MIB = 1 << 20
LIMIT = 90


class Monitor:
    def __init__(self, path):
        end = time.time() + LIMIT
        while True:
            try:
                self.s = socket.socket(socket.AF_UNIX)
                self.s.connect(path)
                break
            except OSError:
                if time.time() > end:
                    raise
                time.sleep(0.2)
        self.f = self.s.makefile("r")
        self.f.readline()
        self.call("qmp_capabilities")

    def call(self, name, **args):
        self.s.sendall(json.dumps({"execute": name, "arguments": args}).encode() + b"\n")
        while True:
            answer = json.loads(self.f.readline())
            if "error" in answer:
                sys.exit("%s: %s" % (name, answer["error"]["desc"]))
            if "return" in answer:
                return answer["return"]


def until(what, test):
    end = time.time() + LIMIT
    while time.time() < end:
        r = test()
        if r:
            return r
        time.sleep(0.2)
    sys.exit("no " + what)


def console(pattern):
    def test():
        with open(sys.argv[2], errors="replace") as f:
            return re.search(pattern, f.read(), re.M)

    return until("line like " + pattern, test)


def rss():
    with open("/proc/%s/statm" % sys.argv[3]) as f:
        return int(f.read().split()[1]) * 4 // 1024


def actual(m, mib):
    until("balloon of %d MiB" % mib, lambda: m.call("query-balloon")["actual"] == mib * MIB)


def device(m):
    for d in m.call("qom-list", path="/machine/peripheral"):
        if d["name"] == "bal":
            return "/machine/peripheral/bal"
    sys.exit("no device")


def watch(m):
    first = int(console(r"^first (\d+)").group(1))
    m.call("balloon", value=64 * MIB)
    console(r"^total %d$" % (first - 65536))
    actual(m, 64)
    low = rss()
    m.call("qom-set", path=device(m), property="guest-stats-polling-interval", value=1)
    until("statistics", lambda: m.call("qom-get", path=device(m), property="guest-stats")
          ["stats"]["stat-total-memory"] == (first - 65536) * 1024)
    m.call("balloon", value=128 * MIB)
    console(r"^total %d$" % first)
    print("64 MiB and back, statistics; QEMU had %d MiB at 64" % low)


def eat(m):
    console(r"^first (\d+)")
    m.call("balloon", value=64 * MIB)
    console(r"^ate 80 MiB; the balloon gave way$")
    print("it gave way")


def touch(m):
    console("^touched$")
    high = rss()
    console("^freed$")
    until("smaller QEMU (it has %d MiB)" % high, lambda: rss() < high - 48)
    print("QEMU had %d MiB, then %d" % (high, rss()))


m = Monitor(sys.argv[1])
{"watch": watch, "eat": eat, "touch": touch}[sys.argv[4]](m)
if sys.argv[4] == "touch":
    m.call("quit")
