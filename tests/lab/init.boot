#!/bin/busybox sh
# shellcheck shell=dash
# SPDX-License-Identifier: BSD-3-Clause
#
# The lab's first program, in its initramfs: make the host's root file system this machine's own,
# with a tmpfs on top to write to, and go on with the second program from there.

busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs dev /dev
while read -r module; do
	busybox insmod "/lib/modules/$module" 2>/dev/null
done </lib/modules/order

lower=/mnt/lower upper=/mnt/upper
busybox mkdir $lower $upper
busybox mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=512000,cache=loose host $lower
busybox mount -t tmpfs -o size=75%,mode=755 upper $upper
busybox mkdir $upper/upper $upper/work
busybox mount -t overlay -o lowerdir=$lower,upperdir=$upper/upper,workdir=$upper/work overlay /root
for dir in proc sys dev; do
	busybox mount --move /$dir /root/$dir
done

ctl=$(busybox sed 's/.*rwy\.ctl=\([^ ]*\).*/\1/' /root/proc/cmdline)
exec busybox switch_root /root /bin/sh "$ctl/init" "$ctl"
