# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What the tests of passed-through functions share; sourced with $here and $build set. They run in
# the lab (tests/lab/lab), where everything may be bound, reset and broken.

vmm=$build/vmm/ringway-vmm
work=$(mktemp -d) || exit
vm=''
passed=0 failed=0

finish() {
	[ -z "$vm" ] || kill -KILL "$vm" 2>/dev/null
	wait
	rm -rf "$work"
}
trap finish EXIT

# check WHAT COMMAND...: one line of TAP
check() {
	local what=$1

	shift
	if "$@"; then
		passed=$((passed + 1))
		echo "ok $((passed + failed)) - $what"
	else
		failed=$((failed + 1))
		echo "not ok $((passed + failed)) - $what"
		{ tail -n 12 "$work/serial" "$work/log"; dmesg | tail -n 5; } 2>/dev/null |
			sed 's/^/# /'
	fi
}

# summary: the plan, and whether all went well
summary() {
	echo "1..$((passed + failed))"
	[ $failed -eq 0 ]
}

# start ARGUMENTS...: a machine with its serial line in $work/serial
start() {
	rm -f "$work/stats"
	: >"$work/serial"
	taskset -c 1 "$vmm" --serial "file=$work/serial" --exit-stats "$work/stats" \
		--cpus 1,pin=0 "$@" </dev/null 2>"$work/log" &
	vm=$!
}

# says PATTERN SECONDS [TIMES]: the guest says it, so many times
says() {
	local deadline=$((SECONDS + $2))

	until [ "$(grep -c -- "$1" "$work/serial")" -ge "${3:-1}" ]; do
		kill -0 "$vm" 2>/dev/null || break
		[ $SECONDS -lt $deadline ] || break
		sleep 0.2
	done
	[ "$(grep -c -- "$1" "$work/serial")" -ge "${3:-1}" ]
}

# logs PATTERN SECONDS: the machine monitor says it
logs() {
	local deadline=$((SECONDS + $2))

	until grep -q -- "$1" "$work/log" || [ $SECONDS -ge $deadline ]; do
		sleep 0.2
	done
	grep -q -- "$1" "$work/log"
}

# ends SECONDS: the machine ends with status 0
ends() {
	local deadline=$((SECONDS + $1)) status

	while kill -0 "$vm" 2>/dev/null && [ $SECONDS -lt $deadline ]; do
		sleep 0.2
	done
	kill -KILL "$vm" 2>/dev/null
	wait "$vm"
	status=$?
	vm=''
	[ $status -eq 0 ]
}

# stats: let the machine write its exit statistics now
stats() {
	rm -f "$work/stats"
	kill -USR1 "$vm"
	for _ in $(seq 100); do
		[ ! -e "$work/stats" ] || return 0
		sleep 0.1
	done
	return 1
}

# holds FILTER: jq's filter is true of the exit statistics
holds() {
	jq -e "$1" "$work/stats" >"$work/jq" || { jq -c '.exits, .devices' "$work/stats"; false; }
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
