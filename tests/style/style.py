#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The house rules that a machine can check, as TAP. Usage: style.py SOURCE-ROOT BUILD-ROOT"""

import pathlib
import re
import subprocess
import sys

root = pathlib.Path(sys.argv[1]).resolve()
build = pathlib.Path(sys.argv[2]).resolve()

FOLDERS = ["lib", "vhost-backends", "iommu", "vmm", "sriov", "tests", "perf", "examples"]
PRODUCT = ["lib", "vhost-backends", "vmm", "iommu", "sriov"]
FILE_LINES = 600
FUNCTION_LINES = 80

# Which top-level folders the files of one may include from (besides their own).
EDGES = {
    "lib": set(),
    "vhost-backends": {"lib"},
    "iommu": {"lib"},
    "vmm": {"iommu", "lib"},
    "sriov": {"lib"},
    "tests": set(FOLDERS),
    "perf": set(FOLDERS) - {"tests"},
    "examples": set(FOLDERS) - {"tests"},
}

# One owner for each dependency: header pattern -> where it may be included.
OWNERS = [
    (r"rte_\w+\.h", r"vhost-backends/net/port_dpdk\.c|perf/.*"),
    (r"infiniband/.*|rdma/.*", r"sriov/rdma\.c|vhost-backends/blk/store_\w+\.c"),
    (r"numa(if)?\.h", r"lib/numa\.c"),
    (r"linux/kvm\.h", r"vmm/.*|tests/.*"),
    (r"linux/vfio\.h|linux/iommufd\.h", r"iommu/.*|tests/.*"),
    (r"liburing\.h", r"vhost-backends/blk/.*"),
    (r"jansson\.h", r"lib/stats\.c|vmm/.*|sriov/.*|perf/.*|vhost-backends/be_main\.c|tests/.*"),
    (r"cmocka\.h", r"tests/.*"),
]


def sources(*suffixes):
    listed = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True,
                            check=True).stdout.split("\n")
    return [p for p in listed if p.endswith(suffixes) and (root / p).is_file()]


def text(path):
    return (root / path).read_text()


def check_format():
    bad = subprocess.run(["clang-format", "--dry-run", "-Werror", *sources(".c", ".h")], cwd=root,
                         capture_output=True, text=True)
    return sorted({m.group(1) for m in re.finditer(r"^(\S+?):\d+:\d+: error", bad.stderr, re.M)})


def check_spdx():
    files = sources(".c", ".h", ".py", ".sh", ".asl", "meson.build")
    return [p for p in files if "SPDX-License-Identifier: BSD-3-Clause" not in text(p)[:200]]


def check_layers():
    bad = []
    for path in sources(".c", ".h"):
        top = path.split("/")[0]
        for inc in re.findall(r'^#include "([^"]+)"', text(path), re.M):
            target = inc.split("/")[0]
            if "/" not in inc or target not in EDGES:
                if not (build / inc).exists():
                    bad.append(f"{path}: include \"{inc}\" is not written from the root")
            elif target != top and target not in EDGES[top]:
                bad.append(f"{path}: {top} may not include {inc}")
    return bad


def check_owners():
    bad = []
    for path in sources(".c", ".h"):
        for inc in re.findall(r"^#include <([^>]+)>", text(path), re.M):
            for pattern, owner in OWNERS:
                if re.fullmatch(pattern, inc) and not re.fullmatch(owner, path):
                    bad.append(f"{path}: <{inc}> belongs to {owner}")
    return bad


def check_stems():
    seen, bad = {}, []
    for path in sources(".c"):
        stem = pathlib.Path(path).stem
        if stem != "main" and stem in seen:
            bad.append(f"{path}: stem already taken by {seen[stem]}")
        seen[stem] = path
    return bad


def check_file_lines():
    return [f"{p}: {n} lines" for p in sources(".c", ".h")
            if (n := text(p).count("\n")) > FILE_LINES]


def check_function_lines():
    bad = []
    for path in sources(".c"):
        start = None
        for number, line in enumerate(text(path).split("\n"), 1):
            if line == "{":
                start = number
            elif line == "}" and start:
                if number - start - 1 > FUNCTION_LINES:
                    bad.append(f"{path}:{start}: {number - start - 1} lines")
                start = None
    return bad


def objects(*folders):
    return [str(o) for f in folders for o in (build / f).rglob("*.c.o")]


def symbols(*folders, flags):
    """(object's name, symbol) for each line of nm."""
    listed = objects(*folders)
    if not listed:
        return
    out = subprocess.run(["nm", "-A", *flags, *listed], capture_output=True, text=True, check=True)
    for line in out.stdout.splitlines():
        path, rest = line.split(":", 1)
        yield pathlib.Path(path).name, rest.split()[-1].split("@")[0]


def check_symbols():
    """Public symbols are rwy_<stem>_<verb>, or the stem itself with rwy_ before it."""
    stems = {pathlib.Path(p).stem for p in sources(".c", ".h")}
    bad = set()
    for obj, symbol in symbols(*PRODUCT, flags=["-g", "--defined-only"]):
        if symbol == "main" or symbol.startswith(("__", "LLVMFuzzer")):
            continue
        words = symbol.removeprefix("rwy_").split("_")
        if not symbol.startswith("rwy_") or not any(
                "_".join(words[:n]) in stems for n in range(1, len(words) + 1)):
            bad.add(f"{obj}: {symbol}")
    return sorted(bad)


def check_lib_calls():
    banned = {"exit", "_exit", "abort", "printf", "puts", "putchar", "fprintf", "vprintf", "perror"}
    return sorted({f"{obj}: {symbol}" for obj, symbol in symbols("lib", flags=["-u"])
                   if symbol in banned})


def check_globals():
    """No mutable file-scope variables but in main.c and log.c."""
    listed = [o for o in objects(*PRODUCT)
              if pathlib.Path(o).name.split("_")[-1] not in ("main.c.o", "log.c.o")
              or "be_main" in o]
    if not listed:
        return []
    out = subprocess.run(["objdump", "-t", *listed], capture_output=True, text=True, check=True)
    bad, obj = [], ""
    for line in out.stdout.splitlines():
        if ":     file format" in line:
            obj = pathlib.Path(line.split(":")[0]).name
        m = re.match(r"\S+ .{7} \.(data|bss)\s+([0-9a-f]+) (\S+)", line)
        if m and int(m.group(2), 16) and not m.group(3).startswith((".", "__")):
            bad.append(f"{obj}: {m.group(3)}")
    return bad


CHECKS = [
    ("clang-format", check_format),
    ("licence line", check_spdx),
    ("includes from the root, layering", check_layers),
    ("one owner for each dependency", check_owners),
    ("unique file stems", check_stems),
    (f"files of at most {FILE_LINES} lines", check_file_lines),
    (f"functions of at most {FUNCTION_LINES} lines", check_function_lines),
    ("public symbols named after their file", check_symbols),
    ("lib never exits or prints", check_lib_calls),
    ("no mutable globals", check_globals),
]

print(f"1..{len(CHECKS)}")
failed = 0
for number, (name, check) in enumerate(CHECKS, 1):
    found = check()
    failed += bool(found)
    print(f"{'not ok' if found else 'ok'} {number} - {name}")
    for line in found:
        print(f"# {line}")
sys.exit(1 if failed else 0)
