#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Adds up meson's test logs: names what was skipped and what failed, closes with the totals.
What failed programs said of it comes first.

Usage: tally.py LABEL=LOG ...   LOG without its .json and .junit.xml"""

import json
import pathlib
import re
import sys
import xml.etree.ElementTree as tree

# Of a program that failed: so many lines of its output, and the last ones of its errors.
SAID, SAID_ERRORS = 14, 4
passed, failures, skips, said = 0, [], [], []


def skip_lines(text):
    return dict(re.findall(r"^(?:# *)?SKIP ([^:\n]+): (.+)$", text or "", re.M))


def keep_said(full, entry):
    """What follows the first failed case of a program, or its end where there is none."""
    lines = (entry.get("stdout") or "").splitlines()
    first = next((i for i, line in enumerate(lines) if line.startswith("not ok")), len(lines) - SAID)
    errors = [line for line in (entry.get("stderr") or "").splitlines() if line]
    said.append(f"{full}, after {entry['duration']:.0f} s, said:")
    for line in lines[max(first, 0):][:SAID] + errors[-SAID_ERRORS:]:
        said.append(f"    {line[:200]}")


def add_program(label, name, entry, cases):
    """One program of the suite: its cases where it printed TAP, itself where it did not."""
    global passed
    reasons = skip_lines(entry.get("stdout"))
    found = 0
    for title, outcome, why in cases:
        title = re.sub(r"^\d+ - ", "", title)
        full = f"{label} {name}" if title.endswith(name) else f"{label} {name}: {title}"
        if outcome == "skipped":
            why = why or reasons.get(title) or "; ".join(reasons.values()) or "gave no reason"
            skips.append(f"SKIP {full}: {why}")
        elif outcome == "failure":
            found += 1
            failures.append(f"FAIL {full}")
        else:
            passed += 1
    # A program that died or ended early has no failed case to show for it.
    if entry["result"] not in ("OK", "SKIP", "EXPECTEDFAIL"):
        if not found:
            failures.append(f"FAIL {label} {name}: {entry['result']}")
        keep_said(f"{label} {name}", entry)


def add_log(label, log):
    results = {}
    for line in pathlib.Path(log + ".json").read_text().splitlines():
        entry = json.loads(line)
        results[entry["name"]] = entry
    seen = set()
    for suite in tree.parse(log + ".junit.xml").getroot().iter("testsuite"):
        cases = {}
        for case in suite.findall("testcase"):
            outcome, why = "passed", ""
            for child in case:
                if child.tag in ("failure", "error"):
                    outcome = "failure"
                elif child.tag == "skipped":
                    outcome, why = "skipped", child.get("message", "")
            owner = suite.get("name").split(".", 1)[-1]
            owner = owner if owner in results else case.get("name")
            cases.setdefault(owner, []).append((case.get("name"), outcome, why))
        for owner, listed in cases.items():
            entry = results.get(owner, {"result": "OK", "stdout": ""})
            seen.add(owner)
            add_program(label, owner.split(" / ")[-1], entry, listed)
    for owner, entry in results.items():
        if owner not in seen:
            add_program(label, owner.split(" / ")[-1], entry, [])


for argument in sys.argv[1:]:
    add_log(*argument.split("=", 1))
for line in said + skips + failures:
    print(line)
print(f"{passed} passed, {len(failures)} failed, {len(skips)} skipped")
sys.exit(1 if failures or not passed else 0)
