#!/usr/bin/env python3
"""The switch of the hosts rehearsal: carries frames between TAP devices, late or not at all. Standard library alone.

    switch.py CONDITIONS

The file CONDITIONS has a line "DELAY LOSS SPREAD" and a line for each network namespace, which gets the device eth0.
Frames between them take DELAY milliseconds, more or less by at most the share SPREAD of them, and the share LOSS of
frames is lost. The file is read again at every SIGHUP; the devices are there as long as this process lives.
(Linux has this as netem, which many kernels are built without.)
"""

import ctypes
import fcntl
import heapq
import os
import random
import selectors
import signal
import struct
import sys
import time

TUNSETIFF, TAP, NO_INFORMATION, CLONE_NEWNET = 0x400454CA, 0x0002, 0x1000, 0x40000000


def tap(namespace):
    """A file descriptor of eth0 in a network namespace: one frame a read or write."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    if libc.setns(handle, CLONE_NEWNET) != 0:
        sys.exit(f"switch.py: {namespace}: {os.strerror(ctypes.get_errno())}")
    os.close(handle)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", b"eth0", TAP | NO_INFORMATION))
    return device


class Switch:
    def __init__(self, conditions):
        self.conditions = conditions
        self.ports = {}  # by namespace, a name and the inode of its file: a device keeps a namespace that was deleted
        self.homes = {}  # the port of an address that was seen as a source
        self.late = []  # (time, number, port, frame)
        self.number = 0
        self.selector = selectors.DefaultSelector()
        self.read_conditions()

    def read_conditions(self, *_):
        with open(self.conditions, encoding="utf-8") as file:
            first, *namespaces = file.read().splitlines()
        self.delay, self.loss, self.spread = (float(word) for word in first.split())
        found = {(name, os.stat(f"/run/netns/{name}").st_ino) for name in namespaces}
        for namespace in self.ports.keys() - found:
            self.remove(namespace)
        for namespace in found - self.ports.keys():
            self.ports[namespace] = tap(namespace[0])
            self.selector.register(self.ports[namespace], selectors.EVENT_READ)

    def remove(self, namespace):
        port = self.ports.pop(namespace)
        self.selector.unregister(port)
        os.close(port)
        self.homes = {address: other for address, other in self.homes.items() if other != port}
        self.late = [entry for entry in self.late if entry[2] != port]
        heapq.heapify(self.late)

    def receive(self, port):
        try:
            frame = os.read(port, 65536)
        except OSError:
            return  # its link is down
        destination, source = frame[:6], frame[6:12]
        self.homes[source] = port
        home = self.homes.get(destination)
        for other in [home] if home is not None else list(self.ports.values()):
            if other != port and random.random() >= self.loss:
                due = time.monotonic() + self.delay / 1000 * random.uniform(1 - self.spread, 1 + self.spread)
                self.number += 1
                heapq.heappush(self.late, (due, self.number, other, frame))

    def deliver(self):
        while self.late and self.late[0][0] <= time.monotonic():
            _, _, port, frame = heapq.heappop(self.late)
            try:
                os.write(port, frame)
            except OSError:
                pass  # its link is down

    def run(self):
        while True:
            wait = max(0, self.late[0][0] - time.monotonic()) if self.late else None
            for key, _ in self.selector.select(wait):
                self.receive(key.fd)
            self.deliver()


if __name__ == "__main__":
    switch = Switch(sys.argv[1])
    signal.signal(signal.SIGHUP, switch.read_conditions)
    print("ready", flush=True)
    switch.run()
