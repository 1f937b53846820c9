#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The control socket of a machine that runs the guest of tiny.S, as TAP.

Usage: test_control.py RINGWAY-VMM TINY-KERNEL RINGWAY-BLK
"""

import contextlib
import os
import pathlib
import socket
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from qmp_client import Client, Failed  # noqa: E402

VMM, TINY, BLK = sys.argv[1:4]
SECONDS = 30
# Where a machine that serves a file finds ringway-blk.
os.environ["PATH"] = f"{pathlib.Path(BLK).resolve().parent}:{os.environ['PATH']}"


class Bench:
    """A machine, its directory, and what was started besides."""

    def __init__(self, stack, guest, *options):
        self.dir = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.stack = stack
        self.path = self.dir / "qmp"
        self.serial = self.dir / "serial"
        options = [o.replace("@", str(self.dir)) for o in options]
        self.vmm = self.start(VMM, "--kernel", TINY, "--cmdline", guest, "--memory", "16M",
                              "--serial", f"file={self.serial}", "--qmp", self.path, *options)

    def start(self, *command):
        process = self.stack.enter_context(subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL))
        self.stack.callback(process.kill)
        return process

    def blk(self, name):
        disk = self.dir / "disk"
        disk.write_bytes(bytes(1 << 20))
        self.start(BLK, "--disk", f"socket={self.dir / name},file={disk}", "--poll", "never")
        wait_for((self.dir / name).exists)
        return str(self.dir / name)

    def client(self):
        client = Client(str(self.path), SECONDS)
        self.stack.callback(client.close)
        return client

    def ends(self):
        assert self.vmm.wait(SECONDS) == 0
        assert not self.path.exists(), "the socket is still there"

    def says(self, text, times=1):
        wait_for(lambda: self.serial.read_text().count(text) >= times)


def wait_for(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def fails(pattern, run, *args, **kwargs):
    try:
        run(*args, **kwargs)
    except Failed as why:
        assert pattern in str(why), f"{why}, not {pattern}"
    else:
        raise AssertionError(f"it did not fail with {pattern}")


def status(stack):
    b = Bench(stack, "h", "--cpus", "2")
    c = b.client()
    assert stat.S_IMODE(b.path.stat().st_mode) == 0o600
    assert c.greeting["capabilities"] == []
    assert c.run("query-version") == c.greeting["version"]
    assert c.run("query-status") == {"status": "running", "running": True}
    c.run("stop")
    assert c.run("query-status") == {"status": "paused", "running": False}
    c.run("stop")
    c.run("cont")
    assert [e["event"] for e in c.events] == ["STOP", "RESUME"]
    cpus = c.run("query-cpus-fast")
    assert [cpu["cpu-index"] for cpu in cpus] == [0, 1]
    for cpu in cpus:
        name = pathlib.Path(f"/proc/{b.vmm.pid}/task/{cpu['thread-id']}/comm").read_text()
        assert name == f"vcpu{cpu['cpu-index']}\n", name
    assert c.run("query-kvm") == {"enabled": True, "present": True}
    assert c.run("query-name") == {}
    assert c.run("query-memory-size-summary") == {"base-memory": 16 << 20, "plugged-memory": 0}
    assert c.run("query-block") == []
    names = {command["name"] for command in c.run("query-commands")}
    assert {"qmp_capabilities", "quit", "device_add", "device_del", "query-pci"} <= names
    c.run("quit")
    assert c.event("SHUTDOWN")["data"] == {"guest": False, "reason": "host-qmp-quit"}
    assert c.read() is None
    b.ends()


def power_button(stack):
    b = Bench(stack, "b")
    c = b.client()
    b.says("tiny: hello")
    c.run("stop")
    c.run("system_powerdown")
    time.sleep(0.3)
    assert "pressed" not in b.serial.read_text(), "it ran while it was stopped"
    c.run("cont")
    c.event("POWERDOWN")
    assert c.event("SHUTDOWN")["data"] == {"guest": True, "reason": "guest-shutdown"}
    b.says("tiny: pressed")
    b.ends()


def resets(stack):
    b = Bench(stack, "h", "--cpus", "2")
    c = b.client()
    b.says("tiny: hello")
    c.run("system_reset")
    assert c.event("RESET")["data"] == {"guest": False, "reason": "host-qmp-system-reset"}
    b.says("tiny: hello", 2)
    c.run("stop")
    c.run("system_reset")
    time.sleep(0.3)
    assert b.serial.read_text().count("hello") == 2, "it ran while it was stopped"
    c.run("cont")
    b.says("tiny: hello", 3)
    c.run("quit")
    b.ends()


def prelaunch(stack):
    b = Bench(stack, "r", "--disk", "socket=@/blk")
    c = b.client()
    assert c.run("query-status") == {"status": "prelaunch", "running": False}
    fails("not started yet", c.run, "device_add", driver="vhost-user-blk-pci", id="d")
    fails("DeviceNotFound", c.run, "device_del", id="d")
    assert [d["qdev_id"] for d in c.run("query-pci")[0]["devices"]] == ["host-bridge"]
    c.run("stop")
    b.blk("blk")
    wait_for(lambda: c.run("query-status")["status"] == "paused")
    assert "hello" not in b.serial.read_text()
    c.run("cont")
    assert c.event("RESET")["data"] == {"guest": True, "reason": "guest-reset"}
    assert c.event("SHUTDOWN")["data"]["guest"]
    b.ends()


def behind(c, port):
    """What is behind a root port, by query-pci."""
    bridges = [d for d in c.run("query-pci")[0]["devices"] if d["qdev_id"] == port]
    assert len(bridges) == 1, port
    return [d["qdev_id"] for d in bridges[0]["pci_bridge"]["devices"]]


def disks(c):
    """By query-block: the file, size and whether it is read-only."""
    found = {}
    for disk in c.run("query-block"):
        inside = disk["inserted"]
        assert inside["file"] == inside["image"]["filename"]
        assert disk["qdev"] == f"/machine/peripheral/{disk['device']}/virtio-backend"
        assert not disk["removable"] and not disk["locked"]
        found[disk["device"]] = (inside["file"], inside["image"]["virtual-size"], inside["ro"])
    return found


def cold_disks(stack):
    """Those of the command line: by the file where we serve it ourselves."""
    file = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory())) / "file"
    file.write_bytes(bytes(4096))
    b = Bench(stack, "h", "--disk", "socket=@/blk", "--disk", f"file={file}")
    path = b.blk("blk")
    c = b.client()
    wait_for(lambda: c.run("query-status")["status"] == "running")
    assert disks(c) == {"disk0": (path, 1 << 20, False), "disk1": (str(file), 4096, False)}
    c.run("quit")
    b.ends()


def devices(stack):
    b = Bench(stack, "h", "--root-ports", "2")
    c = b.client()
    path = b.blk("blk")
    for _ in range(10):
        c.run("device_add", driver="vhost-user-blk-pci", id="d1", socket=path)
        assert behind(c, "rp1") == ["d1"]
        assert disks(c) == {"d1": (path, 1 << 20, False)}
        # The guest does not look at it, so nobody need be asked.
        c.run("device_del", id="d1")
        assert c.event("DEVICE_DELETED")["data"] == {
            "device": "d1", "path": "/machine/peripheral/d1"}
        assert behind(c, "rp1") == []
        assert disks(c) == {}
    c.run("device_add", driver="vhost-user-blk-pci", id="d2", socket=path, bus="rp2",
          **{"num-queues": "1", "packed": True})
    assert behind(c, "rp2") == ["d2"]
    c.run("system_reset")
    b.says("tiny: hello", 2)
    assert behind(c, "rp2") == ["d2"]
    c.run("device_del", id="/machine/peripheral/d2")
    c.event("DEVICE_DELETED")
    c.run("device_add", driver="vhost-user-blk-pci", id="d3", socket=path)
    c.run("quit")
    b.ends()


def names(stack):
    b = Bench(stack, "h")
    c = b.client()
    path = b.blk("blk")
    backend = {"type": "socket", "data": {"addr": {"type": "unix", "data": {"path": path}},
                                          "server": False}}
    c.run("chardev-add", id="c1", backend=backend)
    fails("Duplicate", c.run, "chardev-add", id="c1", backend=backend)
    fails("unix", c.run, "chardev-add", id="c2", backend={"type": "pty", "data": {}})
    fails("server", c.run, "chardev-add", id="c2", backend={
        "type": "socket", "data": {"addr": backend["data"]["addr"]}})
    fails("no chardev", c.run, "device_add", driver="vhost-user-blk-pci", id="d", chardev="c2")
    c.run("device_add", driver="vhost-user-blk-pci", id="d", chardev="c1")
    fails("no chardev 'c2'", c.run, "netdev_add", type="vhost-user", id="n1", chardev="c2")
    fails("vhost-user", c.run, "netdev_add", type="tap", id="n1", chardev="c1")
    c.run("netdev_add", type="vhost-user", id="n1", chardev="c1", queues=2)
    c.run("netdev_del", id="n1")
    fails("no netdev", c.run, "device_add", driver="virtio-net-pci", id="e", netdev="n1")
    c.run("chardev-remove", id="c1")
    fails("There is no", c.run, "chardev-remove", id="c1")
    c.run("quit")
    b.ends()


def refusals(stack):
    b = Bench(stack, "h", "--root-ports", "1")
    c = b.client()
    path = b.blk("blk")

    def add(**arguments):
        c.run("device_add", **{"driver": "vhost-user-blk-pci", "id": "d", "socket": path,
                               **arguments})
    fails("'driver' is missing", c.run, "device_add", id="d")
    fails("'id' is missing", c.run, "device_add", driver="vhost-user-blk-pci")
    fails("not a device", add, driver="e1000")
    for bad in ("", "1", "a b", "x" * 40, "\u00e4"):
        fails("identifier", add, id=bad)
    fails("Bus 'rp2' not found", add, bus="rp2")
    fails("expects a string", add, bus=1)
    fails("'size' is unexpected", add, size=5)
    fails("'num-queues' expects a number", add, **{"num-queues": 0})
    fails("65", add, **{"num-queues": "65"})
    fails("'packed' expects", add, packed="maybe")
    fails("'mac' is unexpected", add, mac="52:54:00:00:00:01")
    fails("is not an address", add, driver="virtio-net-pci", mac="nonsense")
    fails("No such file", add, socket="/nowhere/at/all")
    fails("no socket", add, socket="/proc/self/exe")
    add()
    fails("Duplicate", add)
    fails("All 1 root ports", add, id="e")
    fails("taken by 'd'", add, id="e", bus="rp1")
    fails("DeviceNotFound", c.run, "device_del", id="e")
    fails("does not support hotplugging", c.run, "device_del", id="rp1")
    c.run("quit")
    b.ends()


def silent_backend(stack):
    b = Bench(stack, "h", "--root-ports", "1")
    c = b.client()
    listener = stack.enter_context(contextlib.closing(socket.socket(socket.AF_UNIX)))
    listener.bind(str(b.dir / "mute"))
    listener.listen()
    began = time.monotonic()
    fails("does not answer", c.run, "device_add", driver="vhost-user-blk-pci", id="d",
          socket=str(b.dir / "mute"))
    assert 9 < time.monotonic() - began < 20
    # The port is free again, and a machine that ends does not wait for the next one.
    c.socket.sendall(b'{"execute":"device_add","arguments":{"driver":"vhost-user-blk-pci",'
                     b'"id":"d","socket":"%s"}}' % str(b.dir / "mute").encode())
    time.sleep(0.3)
    c.close()
    time.sleep(0.3)
    os.kill(b.vmm.pid, 15)
    os.kill(b.vmm.pid, 15)
    time.sleep(0.3)
    if b.vmm.poll() is None:
        os.kill(b.vmm.pid, 15)
    b.ends()


def refuses(stack):
    """Bad values are one line, status 2, before anything is made."""
    directory = stack.enter_context(tempfile.TemporaryDirectory())
    file = pathlib.Path(directory) / "file"
    file.write_text("")
    for options in (["--qmp", f"{directory}/no/such"], ["--qmp", f"{directory}/{'x' * 120}"],
                    ["--qmp", str(file)], ["--root-ports", "17"], ["--root-ports", "x"]):
        done = subprocess.run([VMM, "--kernel", TINY, *options], capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=SECONDS)
        assert done.returncode == 2, done
        assert done.stderr.count("\n") == 1, done
    assert file.exists()


TESTS = [status, power_button, resets, prelaunch, cold_disks, devices, names, refusals,
         silent_backend, refuses]

print(f"1..{len(TESTS)}")
failed = 0
for number, test in enumerate(TESTS, 1):
    try:
        with contextlib.ExitStack() as stack:
            test(stack)
        print(f"ok {number} - {test.__name__}", flush=True)
    except (AssertionError, Failed, OSError, subprocess.TimeoutExpired) as why:
        failed += 1
        print(f"not ok {number} - {test.__name__}", flush=True)
        print(f"# {type(why).__name__}: {why}", flush=True)
sys.exit(1 if failed else 0)
