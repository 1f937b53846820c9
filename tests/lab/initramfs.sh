# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Building initramfs images; sourced by lab and guest.

# A file that depends on what the arguments are and hold: the name of what is built from them.
initramfs_key() {
	cat "$@" | sha256sum | cut -c 1-16
}

# Put busybox and the directories every init needs into the tree $1.
initramfs_base() {
	mkdir -p "$1"/{bin,dev,etc,lib/modules,mnt,proc,root,run,sys,tmp} &&
		cp /bin/busybox "$1/bin/busybox" && ln -s busybox "$1/bin/sh"
}

# Put modules $3... of the kernel in directory $2 into the tree $1, and the order to load them in
# /lib/modules/order. What the kernel has built in, or does not know, is left out. Compression,
# signatures and type information go: undoing, checking and reading them is emulated in the lab.
initramfs_modules() {
	local tree=$1 kernel=$2 version module verb file name

	shift 2
	version=$(cat "$kernel/version") || return
	for module; do
		modprobe -d "$kernel" -S "$version" --show-depends "$module" 2>/dev/null
	done | while read -r verb file _; do
		[ "$verb" = insmod ] || continue
		name=${file##*/}
		name=${name%%.ko*}.ko
		[ ! -e "$tree/lib/modules/$name" ] || continue
		case $file in
		*.xz) xz -dc "$file" ;;
		*.zst) zstd -dcq "$file" ;;
		*.gz) gzip -dc "$file" ;;
		*) cat "$file" ;;
		esac >"$tree/lib/modules/$name" &&
			objcopy --strip-debug -R .BTF "$tree/lib/modules/$name" || return
		echo "$name" >>"$tree/lib/modules/order"
	done
}

# Pack the tree $1 into the image $2, uncompressed: decompressing is emulated in the lab. Images in
# the cache that nobody has built for a month go.
initramfs_pack() {
	local tmp

	find "$RWY_CACHE" -maxdepth 1 -name '*.cpio' -mtime +30 -delete
	tmp=$(mktemp "$2.XXXXXX") || return
	if (cd "$1" && find . | LC_ALL=C sort | cpio -o -H newc -R 0:0 --quiet) >"$tmp"; then
		chmod 644 "$tmp" && mv "$tmp" "$2"
	else
		rm -f "$tmp"
		return 1
	fi
}
