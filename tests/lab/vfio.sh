# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What the tests of passed-through functions share; sourced with $here and $build set. They run in
# the lab (tests/lab/lab), where everything may be bound, reset and broken.

# shellcheck source=tests/lab/machine.sh
. "$here/machine.sh"

# check_way: the newer of the kernel's two ways to a function is taken where there are two
check_way() {
	local way=group files='/dev/vfio/[0-9]'

	[ ! -e /dev/iommu ] || way=iommufd files=/dev/vfio/devices/
	check "the function came by $way" holds_file "$files"
}

holds_file() {
	readlink "/proc/$vm/fd"/* | grep -q "$1"
}

# driver_of BDF
driver_of() {
	basename "$(readlink "/sys/bus/pci/devices/$1/driver")" 2>/dev/null
}

# bind BDF DRIVER: away from what has it, to that driver
bind() {
	local device=/sys/bus/pci/devices/$1

	echo "$2" >"$device/driver_override"
	[ ! -e "$device/driver" ] || echo "$1" >"$device/driver/unbind"
	echo "$1" >/sys/bus/pci/drivers_probe
	[ "$(driver_of "$1")" = "$2" ]
}

# function_of DRIVER: the first function that this driver has
function_of() {
	local path

	for path in "/sys/bus/pci/drivers/$1"/*:*; do
		[ ! -e "$path" ] || { basename "$path"; return; }
	done
	return 1
}

# exits FILE: accesses to the function that left the guest, so far
exits() {
	stats && jq '.devices.vfio0 | .reads + .writes' "$work/stats" >"$1"
}

# quiet: between the files `before` and `after` of these none was added
quiet() {
	echo "# accesses that exited before the work $(cat "$work/before"), after $(cat "$work/after")"
	[ "$(cat "$work/before")" -eq "$(cat "$work/after")" ]
}

# function_like VENDOR DEVICE: the last function with these numbers, as sysfs has them; what the
# lab's machine comes with is before what was plugged in
function_like() {
	local path found=''

	for path in /sys/bus/pci/devices/*; do
		[ "$(cat "$path/vendor" "$path/device")" != "$1"$'\n'"$2" ] || found=$path
	done
	[ -n "$found" ] && basename "$found"
}
