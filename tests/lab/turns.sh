# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Labs take turns on this machine; sourced by lab and by tests/run. An emulated one keeps a CPU busy,
# so two run at a time where there are two CPUs; more would starve each other until guests fail.
# Commands that use KVM itself have the machine's devices and CPU 0 to themselves, one at a time.

turns_emulated=$(($(nproc) > 1 ? 2 : 1))

# turns_try N: the Nth turn, if nobody has it, until descriptor 4 is closed
turns_try() {
	exec 4>"$RWY_CACHE/lab.lock.$1"
	flock -n 4
}

# turns_take ACCEL: a turn for tcg or kvm, as soon as there is one
turns_take() {
	local last=1 turn told=''

	[ "$1" != tcg ] || last=$turns_emulated
	while :; do
		for turn in $(seq "$last"); do
			turns_try "$turn" && return
		done
		[ -n "$told" ] || echo "lab: waiting for the end of another lab on this machine" >&2
		told=y
		sleep 0.5
	done
}

# Leave one turn for labs, until descriptor 4 is closed: a CPU is for something else.
turns_leave_one() {
	[ "$turns_emulated" -eq 1 ] || turns_try 2
}
