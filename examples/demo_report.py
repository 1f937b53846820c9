#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The demo's table and demo.json, from what examples/demo_job left in the directory given.

Everything two sides counted is compared: guests against back-ends, checksums against images. Exits
with 1 when anything disagrees."""

import hashlib
import json
import pathlib
import re
import subprocess
import sys

out = pathlib.Path(sys.argv[1])
GUESTS = ["a", "b"]
PORT = {"a": "port0", "b": "port1"}
DISK = {("a", "vda"): "disk0", ("a", "vdb"): "disk1", ("b", "vda"): "disk2", ("b", "vdb"): "disk3"}
KIND = {"vda": "file", "vdb": "memory"}
checks = []


def load(name):
    return json.loads((out / name).read_text())


def said(guest, word):
    """The words of each line "demo: WORD ..." on a guest's console."""
    text = (out / f"{guest}.serial").read_text(errors="replace")
    return [line.split()[2:] for line in re.findall(rf"demo: {word}\b.*", text)]


def agree(what, one, other):
    checks.append({"what": what, "one": one, "other": other, "agree": one == other})


def from_image(guest, path):
    run = subprocess.run(["debugfs", "-R", f"cat {path}", str(out / f"{guest}.img")],
                         capture_output=True)
    return run.stdout


def difference(after, before):
    return {k: v - before.get(k, 0) for k, v in after.items() if isinstance(v, int)}


def queues(metrics, name):
    """Sums over the queues of a port or disk."""
    total = {}
    for entry, counters in metrics.items():
        if entry.startswith(name + ".q"):
            for counter, value in counters.items():
                total[counter] = total.get(counter, 0) + value
    return total


def phase(guest, begin, end, back_end, name, units):
    """What a phase cost: exits by reason, kicks and calls, for each packet or request."""
    first, last = load(f"exits-{guest}-{begin}.json"), load(f"exits-{guest}-{end}.json")
    exits = difference(last["exits"], first["exits"])
    rings = difference(queues(load(f"{back_end}-{guest}-{end}.json"), name),
                       queues(load(f"{back_end}-{guest}-{begin}.json"), name))
    units = max(units, 1)
    return {
        "count": units,
        "exits": {k: v for k, v in exits.items() if v},
        "exits_each": {k: round(v / units, 4) for k, v in exits.items() if v},
        "kicks_each": round(rings.get("kicks", 0) / units, 4),
        "calls_each": round(rings.get("calls", 0) / units, 4),
        "interrupts_each": round((last["interrupts"] - first["interrupts"]) / units, 4),
    }


def network():
    result = {"guests": {}}
    up = json.loads(from_image("b", "/iperf-up.json"))["end"]
    down = json.loads(from_image("b", "/iperf-down.json"))["end"]
    result["tcp_b_to_a_mbit"] = round(up["sum_received"]["bits_per_second"] / 1e6, 1)
    result["tcp_a_to_b_mbit"] = round(down["sum_received"]["bits_per_second"] / 1e6, 1)
    ping = from_image("b", "/ping.txt").decode()
    low, mean, high = re.search(r"= ([\d.]+)/([\d.]+)/([\d.]+)", ping).groups()
    result["ping_us"] = {"min": float(low) * 1000, "mean": float(mean) * 1000,
                         "max": float(high) * 1000}
    for guest in GUESTS:
        rx, rx_bytes, tx, tx_bytes, _ = map(int, said(guest, "net")[0])
        port = load(f"net-{guest}-blk.json")[PORT[guest]]
        for what, one, other in (("packets received", rx, port["tx_packets"]),
                                 ("bytes received", rx_bytes, port["tx_bytes"]),
                                 ("packets sent", tx, port["rx_packets"]),
                                 ("bytes sent", tx_bytes, port["rx_bytes"])):
            agree(f"guest {guest} and ringway-net: {what}", one, other)
        result["guests"][guest] = phase(guest, "net", "blk", "net", PORT[guest], rx + tx)
    return result


def disks():
    result = {"disks": {}, "guests": {}}
    for guest in GUESTS:
        requests = 0
        for disk, kind in KIND.items():
            job = json.loads(from_image(guest, f"/fio-{disk}.json"))["jobs"][0]
            result["disks"][f"{guest} {disk} {kind}"] = {
                way: {"iops": round(job[way]["iops"]),
                      "mean_us": round(job[way]["clat_ns"]["mean"] / 1000)}
                for way in ("read", "write")}
            agree(f"guest {guest} {disk}: fio's errors and 0", job["error"], 0)
            counted = [c[1:] for c in said(guest, "blk") if c[0] == disk][0]
            reads, read_sectors, writes, write_sectors, flushes = map(int, counted)
            store = load(f"blk-{guest}-end.json")[DISK[guest, disk]]
            for what, one, other in (("reads", reads, store["reads"]),
                                     ("bytes read", read_sectors * 512, store["read_bytes"]),
                                     ("bytes written", write_sectors * 512,
                                      store["written_bytes"] + store["zeroed_bytes"]),
                                     ("flushes", flushes, store["flushes"])):
                agree(f"guest {guest} {disk} and ringway-blk: {what}", one, other)
            # Linux counts an empty flush among the writes, so only where there was none.
            if flushes == 0:
                agree(f"guest {guest} {disk} and ringway-blk: writes", writes, store["writes"])
            requests += reads + writes + flushes
        rings = {}
        for disk in KIND:
            rings[disk] = phase(guest, "blk", "end", "blk", DISK[guest, disk], requests)
        cost = rings["vda"]
        cost["kicks_each"] = round(sum(r["kicks_each"] for r in rings.values()), 4)
        cost["calls_each"] = round(sum(r["calls_each"] for r in rings.values()), 4)
        result["guests"][guest] = cost
        data = from_image(guest, "/data")
        agree(f"guest {guest}: checksum of a file on ext4, in the guest and from the image",
              said(guest, "sha256")[0][0], hashlib.sha256(data).hexdigest())
    return result


def print_costs(title, guests):
    for guest, cost in guests.items():
        reasons = sorted(cost["exits_each"].items(), key=lambda kv: -kv[1])
        listed = "  ".join(f"{k} {v}" for k, v in reasons if k not in ("total", "user"))
        print(f"  guest {guest}: exits for each {title} {cost['exits_each'].get('total', 0)}"
              f" ({listed}); kicks {cost['kicks_each']}, calls {cost['calls_each']},"
              f" interrupts {cost['interrupts_each']}")


def print_table(result):
    net, blk = result["net"], result["blk"]
    print(f"  where: {result['where']}")
    print("\n  network, guest to guest through ringway-net")
    print(f"    TCP b -> a {net['tcp_b_to_a_mbit']:>10.1f} Mbit/s")
    print(f"    TCP a -> b {net['tcp_a_to_b_mbit']:>10.1f} Mbit/s")
    ping = net["ping_us"]
    print(f"    ping       {ping['mean']:>10.0f} us mean  ({ping['min']:.0f} to {ping['max']:.0f})")
    print_costs("packet", net["guests"])
    print("\n  disks of ringway-blk, 4 KiB random, depth 32, verified")
    for name, disk in blk["disks"].items():
        print(f"    {name:<14} write {disk['write']['iops']:>8} IOPS {disk['write']['mean_us']:>8} us"
              f"   read {disk['read']['iops']:>8} IOPS {disk['read']['mean_us']:>8} us")
    print_costs("request", blk["guests"])
    wrong = [c for c in result["checks"] if not c["agree"]]
    print(f"\n  {len(result['checks'])} counts and checksums compared, {len(wrong)} disagree")
    for check in wrong:
        print(f"    {check['what']}: {check['one']} and {check['other']}")
    return not wrong


result = {
    "where": (out / "where").read_text().strip(),
    "kernel": said("a", "up")[0][2],
    "net": network(),
    "blk": disks(),
    "checks": checks,
}
(out / "demo.json").write_text(json.dumps(result, indent=1) + "\n")
sys.exit(0 if print_table(result) else 1)
