# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# QEMU as the front-end, with a stock guest; software emulation is enough, so it runs anywhere. To
# be sourced by a test, which writes $work/guest/run.sh and then calls qemu_prepare; the guest's
# lines "RWY: WORD" are what it tells the test. The test's answer is TAP.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit
# shellcheck source=tests/lab/tcg.sh
. "$here/../lab/tcg.sh"
cmdline="console=ttyS0 quiet panic=-1 mitigations=off cryptomgr.notests=1 $(tcg_clock)"
work=$(mktemp -d /tmp/ringway-test.XXXXXX) || exit
mkdir "$work/guest"
qemu='' backend='' nr=0 failed=0

qemu_cleanup() {
	[ -z "$qemu" ] || kill -9 "$qemu" 2>/dev/null
	[ -z "$backend" ] || kill -9 "$backend" 2>/dev/null
	wait 2>/dev/null
	rm -rf "$work"
}
trap qemu_cleanup EXIT
trap 'exit 143' INT TERM HUP

skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

# The programs $@ are there, and the guest is.
qemu_prepare() {
	local need

	for need in qemu-system-x86_64 "$@"; do
		command -v "$need" >/dev/null || skip_all "$need is not installed"
	done
	kernel=$("$here/../lab/guest" --kernel) || skip_all "the guest's kernel is not there"
	initrd=$("$here/../lab/guest" --initrd-with "$work/guest" "$work/initrd") ||
		skip_all "the guest's tools are not there"
}

result() {
	nr=$((nr + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $nr - $2"
	else
		failed=1
		echo "not ok $nr - $2"
		tail -n 40 "$work/console" "$work/qemu" "$work/backend" | sed 's/^/# /'
	fi
}

finish() {
	echo "1..$nr"
	exit $failed
}

# Until the line $1 is on the console; 1 after $2 seconds, or when QEMU ended without it.
expect() {
	local end=$((SECONDS + $2))

	until grep -q "RWY: $1" "$work/console"; do
		if [ $SECONDS -ge $end ] || ! kill -0 "$qemu" 2>/dev/null ||
			grep -q "RWY: failed" "$work/console"; then
			grep -q "RWY: $1" "$work/console"
			return
		fi
		sleep 0.2
	done
}

# qemu_boot QEMU-ARGUMENT...
qemu_boot() {
	: >"$work/console" >"$work/qemu"
	qemu_start "$@"
}

# The same, as the next one that writes to the console.
qemu_start() {
	qemu-system-x86_64 -nodefaults -no-user-config -display none \
		-machine q35,memory-backend=ram -accel tcg -cpu "$tcg_cpu" -smp 2 -m 384 \
		-object memory-backend-memfd,id=ram,size=384M,share=on \
		-kernel "$kernel" -initrd "$initrd" -append "$cmdline" \
		-chardev "file,id=console,path=$work/console,append=on" -serial chardev:console \
		"$@" >>"$work/qemu" 2>&1 &
	qemu=$!
}

# The guest ends by itself within $1 seconds.
qemu_ends() {
	local status

	timeout "$1" tail --pid="$qemu" -f /dev/null
	status=$?
	kill -9 "$qemu" 2>/dev/null
	wait "$qemu" 2>/dev/null
	qemu=''
	return $status
}

# backend_crashes COMMAND...: the back-end is killed and started again by COMMAND, a few times
backend_crashes() {
	local pause

	for pause in 0.3 0.7 1.1; do
		sleep $pause
		kill -9 "$backend" && wait "$backend" 2>/dev/null
		sleep 0.$((RANDOM % 5))
		"$@"
	done
}

backend_ends() {
	kill "$backend" && wait "$backend"
	set -- $?
	backend=''
	return "$1"
}
