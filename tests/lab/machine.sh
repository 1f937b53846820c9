# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What the tests of machines share; sourced with $here and $build set. One machine at a time, its
# vCPUs on CPU 0 and all else on CPU 1 where there is one. In $work, gone at the end: serial.log,
# vmm.log, and NAME.log of every other process.

vmm=$build/vmm/ringway-vmm net=$build/vhost-backends/net/ringway-net
blk=$build/vhost-backends/blk/ringway-blk
work=$(mktemp -d) || exit
# For each guest: what only costs time where the processor is emulated is left out.
cmdline="console=ttyS0 quiet panic=-1 mitigations=off cryptomgr.notests=1"
aside=$(($(nproc) > 1)) # the CPU for all but vCPUs; the lab has but one
vm='' links=()
passed=0 failed=0

# kill9 PID...: as a crash
kill9() {
	local pid

	for pid; do
		kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
}

finish() {
	local link

	# shellcheck disable=SC2046
	kill9 $(jobs -rp)
	for link in "${links[@]}"; do
		ip link del "$link" 2>/dev/null
	done
	rm -rf "$work"
}
trap finish EXIT

# The emulated processor loses a guest now and then; a real one that does so has failed.
lost_by_emulator() {
	[ "${RWY_LAB:-}" = emulated ] && grep -q "triple fault" "$work/vmm.log" 2>/dev/null
}

# The last lines of all there is to read, what tells most first.
show_ends() {
	local log

	for log in "$work"/serial.log "$work"/vmm.log "$work"/[!sv]*.log; do
		[ ! -s "$log" ] || tail -n 6 "$log" | sed "s,^,$(basename "$log" .log): ,"
	done
	dmesg | tail -n 5 | sed 's/^/dmesg: /'
}

# What a check printed, as TAP wants it.
comment() {
	[ ! -s "$work/check.out" ] || sed '/^#/!s/^/# /' "$work/check.out"
}

# check WHAT COMMAND...: one line of TAP
check() {
	local what=$1

	shift
	if "$@" >"$work/check.out"; then
		passed=$((passed + 1))
		comment
		echo "ok $((passed + failed)) - $what"
		return
	fi
	comment
	if lost_by_emulator; then
		echo "$what: no; the emulated processor lost the guest by a triple fault" >&2
		exit "$RWY_LAB_AGAIN"
	fi
	failed=$((failed + 1))
	echo "not ok $((passed + failed)) - $what"
	show_ends | sed 's/^/# /'
}

# summary: the plan, and whether all went well
summary() {
	echo "1..$((passed + failed))"
	[ $failed -eq 0 ]
}

# start ARGUMENTS...: a machine, with $cpus vCPUs or one
start() {
	rm -f "$work/stats"
	: >"$work/serial.log"
	taskset -c "$aside" "$vmm" --serial "file=$work/serial.log" --exit-stats "$work/stats" \
		--cpus "${cpus:-1},pin=0" "$@" </dev/null >"$work/vmm.log" 2>&1 &
	vm=$!
}

# logs NAME PATTERN SECONDS [TIMES]: it is in NAME.log within that time, so many times
logs() {
	local deadline=$((SECONDS + $3))

	until [ "$(grep -c -- "$2" "$work/$1.log")" -ge "${4:-1}" ]; do
		[ $SECONDS -lt $deadline ] || return
		# What a machine that has ended says is there by now.
		[ -z "$vm" ] || kill -0 "$vm" 2>/dev/null || deadline=0
		sleep 0.2
	done
}

# says PATTERN SECONDS [TIMES]: the guest does
says() {
	logs serial "$@"
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

# crash: the machine is killed
crash() {
	kill9 "$vm"
	vm=''
}

# stats: the machine writes its exit statistics now
stats() {
	rm -f "$work/stats"
	kill -USR1 "$vm"
	for _ in $(seq 300); do
		[ ! -e "$work/stats" ] || return 0
		sleep 0.1
	done
	return 1
}

# holds FILTER: jq's filter is true of the exit statistics
holds() {
	jq -e "$1" "$work/stats" >"$work/jq" ||
		{ jq -c '{resets, seconds, exits, devices, backends}' "$work/stats" | sed 's/^/# /'; false; }
}

# qmp STEP...: all of them succeed; their answers are in qmp.log
qmp() {
	RWY_QMP_SECONDS=90 taskset -c "$aside" python3 "$here/../qmp_client.py" "$work/qmp" "$@" \
		>"$work/qmp.log" 2>&1
}

# tap NAME ADDRESS: a tap of the host's
tap() {
	modprobe tun 2>/dev/null
	ip tuntap add "$1" mode tap && links+=("$1") &&
		ip addr add "$2/24" dev "$1" && ip link set "$1" up
}

# start_peer ADDRESS: what the guest talks to, tests/lab/peer.py; it gives away $work/gift
start_peer() {
	python3 -u "$here/peer.py" "$1" "$work/gift" >>"$work/peer.log" 2>&1 &
}

# sent_arrived PATTERN TIME: the sum that the guest says it sent, the TIMEth time, came to the peer
sent_arrived() {
	local sum

	sum=$(sed -n "s/.*guest: $1 \([0-9a-f]*\).*/\1/p" "$work/serial.log" | sed -n "$2p")
	[ -n "$sum" ] && logs peer "took $sum" 30
}

# gift_arrived PATTERN SECONDS TIME: the guest got the gift as it is
gift_arrived() {
	says "guest: $1 $(md5sum <"$work/gift" | cut -c-32)" "$2" "${3:-1}"
}
