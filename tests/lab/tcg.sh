# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What QEMU's emulated machines are told so that they are fast and steady; sourced by lab and by the
# tests of tests/interop that boot a guest.

# Emulated string instructions go byte by byte, as do kernels that trust in them to be fast.
# shellcheck disable=SC2034
tcg_cpu=max,la57=off,erms=off,fsrm=off

# Kernel arguments. The clocks of such a machine go on while this one does something else, so what it
# finds out about one by another is wrong, by as much as a factor of ten: the frequency of the TSC,
# which is this machine's own (a BogoMIPS is 500 kHz of it), whether the TSC is steady, and whether
# the timer works.
tcg_clock() {
	printf no_timer_check
	! grep -qw constant_tsc /proc/cpuinfo ||
		awk '/^bogomips/ { printf " tsc=reliable tsc_early_khz=%d", $3 * 500; exit }' /proc/cpuinfo
}
