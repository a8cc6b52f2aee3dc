"""usage: client.py ADDRESS (echo|source|sink|quit)...

ADDRESS may be 127.0.0.1:PORT, forwarded to the guest's port 7."""
import os, socket, sys, time

host, port = sys.argv[1], 7
if host.startswith("127."):
    host, port = host.split(":")

def connect():
    for _ in range(300):
        try:
            return socket.create_connection((host, port), timeout=60)
        except OSError:
            time.sleep(0.2)
    sys.exit("cannot connect")

def read_all(s):
    parts = []
    while True:
        b = s.recv(65536)
        if not b:
            return b"".join(parts)
        parts.append(b)

def echo():
    for n in 1, 1447, 1449, 20000, 100000:
        s, d = connect(), os.urandom(n)
        s.sendall(d)
        s.shutdown(socket.SHUT_WR)
        assert read_all(s) == d, n

def source():
    s, n = connect(), 4000000
    s.sendall(b"SOURCE %d" % n)
    d = read_all(s)
    block = bytes(i * 7 & 255 for i in range(65536))
    assert d == (block * (n // 65536 + 1))[:n], len(d)

def sink():
    s, d = connect(), b"SINK" + os.urandom(4000000)
    s.sendall(d)
    s.shutdown(socket.SHUT_WR)
    assert int(read_all(s)) == len(d)

def quit():
    connect().sendall(b"QUIT")

for name in sys.argv[2:]:
    start = time.time()
    globals()[name]()
    print("%s %.1f s" % (name, time.time() - start))
