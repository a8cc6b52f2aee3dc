"""A redis client that counts: usage: client.py HOST FILE

Sets and gets keys one after another until FILE appears, and checks each
answer.  Prints how many, and what was not as expected; exits with 1 then.
The file "progress" has the number so far."""
import os
import socket
import sys

SIZE = 3000
KEYS = 200


def command(*words):
    out = b"*%d\r\n" % len(words)
    for w in words:
        out += b"$%d\r\n%s\r\n" % (len(w), w)
    return out


def main():
    host, stop = sys.argv[1], sys.argv[2]
    s = socket.create_connection((host, 6379), timeout=60)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    f = s.makefile("rb")
    n = wrong = 0
    while not os.path.exists(stop):
        key = b"key%d" % (n % KEYS)
        value = b"%d:" % n + b"x" * SIZE
        s.sendall(command(b"SET", key, value))
        answer = f.readline()
        s.sendall(command(b"GET", key))
        length = f.readline()
        got = f.read(len(value) + 2) if length == b"$%d\r\n" % len(value) else b""
        if answer != b"+OK\r\n" or got != value + b"\r\n":
            print("request %d: %r %r" % (n, answer, length))
            wrong += 1
            if wrong > 5:
                break
        n += 1
        with open("progress", "w") as p:
            p.write("%d\n" % n)
    print("requests %d wrong %d" % (n, wrong))
    return wrong != 0 or n == 0


sys.exit(main())
