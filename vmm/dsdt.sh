#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# dsdt.sh IASL CC ROOT ASL HEADER: compile ASL, preprocessed with the headers below ROOT, to the
# bytes of an array `dsdt` in HEADER.

work=$(mktemp -d) || exit
trap 'rm -rf "$work"' EXIT

"$2" -E -P -x c -I "$3" "$4" -o "$work/dsdt.asl" || exit
"$1" -vs -we -tc -p "$work/dsdt" "$work/dsdt.asl" >"$work/log" 2>&1 || {
	cat "$work/log" >&2
	exit 1
}
sed 's/^unsigned char .*\[\]/static const unsigned char dsdt[]/' "$work/dsdt.hex" >"$5"
