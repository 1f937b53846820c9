#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Install what building, testing and the lab need; only what is missing.
#
# Run it, or source it and call setup_need. Debian 12 takes QEMU and the lab's kernel from its
# backports suite, which is added next to the source that is already configured. Kernels are not
# installed: they are unpacked below $RWY_CACHE/kernel, where tests/lab/ finds them.

RWY_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/ringway

setup_packages_build="meson ninja-build gcc clang pkg-config libc6-dev linux-libc-dev libdpdk-dev
	libnuma-dev liburing-dev libjansson-dev libcmocka-dev acpica-tools libibverbs-dev
	librdmacm-dev libmnl-dev libseccomp-dev libcap-ng-dev systemtap-sdt-dev"
setup_packages_test="dpdk-dev clang-format libclang-rt-dev shellcheck jq fio iperf3 iproute2
	iputils-ping procps gnuplot-nox chromium"
setup_packages_lab="busybox-static cpio kmod xz-utils zstd lz4 binutils e2fsprogs ethtool
	iproute2 iputils-ping fio iperf3 util-linux strace"
setup_packages_kernel="linux-source-6.12 flex bison bc libelf-dev gcc make"
setup_packages_qemu="qemu-system-x86 qemu-utils"
setup_qemu_least=8.0

setup_start=$SECONDS
setup_updated=

setup_say() {
	printf 'setup: [%4d s] %s\n' $((SECONDS - setup_start)) "$*"
}

setup_die() {
	printf 'setup: %s\n' "$*" >&2
	return 1
}

# apt-get with these arguments, silent unless it fails.
setup_apt() {
	DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
		-o DPkg::Lock::Timeout=600 -o APT::Sandbox::User=root -o Dpkg::Use-Pty=0 \
		-o Dpkg::Options::=--force-confold "$@" </dev/null >"$RWY_CACHE/apt.log" 2>&1 || {
		tail -n 20 "$RWY_CACHE/apt.log" >&2
		return 1
	}
}

setup_as_root() {
	[ "$(id -u)" -eq 0 ] || setup_die "must be root to install: $*"
}

setup_codename() {
	sed -n 's/^VERSION_CODENAME=//p' /etc/os-release
}

# The suite QEMU and the lab's kernel come from; empty where the release itself is new enough.
setup_newer_suite() {
	[ "$(setup_codename)" != bookworm ] || echo bookworm-backports
}

# The packages among the arguments that are not installed.
setup_missing() {
	dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
		awk -v want="$*" '
			$2 == "installed" { have[$1] = 1 }
			END {
				n = split(want, name)
				for (i = 1; i <= n; i++)
					if (!(name[i] in have))
						print name[i]
			}'
}

# Read the package lists, once a run unless a suite was added.
setup_update() {
	[ -z "$setup_updated" ] || return 0
	setup_say "reading package lists"
	setup_apt update || setup_say "some package lists could not be read, going on"
	setup_updated=y
}

setup_install() {
	local missing

	missing=$(setup_missing "$@")
	[ -n "$missing" ] || return 0
	missing=${missing//$'\n'/ }
	setup_as_root "$missing" || return
	setup_update
	setup_say "installing $missing"
	# shellcheck disable=SC2086
	setup_apt install $missing || setup_die "could not install: $missing"
}

# The stanza or line that configures suite $1, rewritten for suite $2; its file's kind goes first.
setup_derive_source() {
	local file

	for file in /etc/apt/sources.list.d/*.sources; do
		[ ! -e "$file" ] || awk -v suite="$1" -v wanted="$2" '
			BEGIN { RS = ""; FS = "\n" }
			{
				text = ""; found = 0
				for (i = 1; i <= NF; i++) {
					if ($i ~ /^#/)
						continue
					if ($i ~ /^Suites:/) {
						found = index($i " ", " " suite " ") > 0
						$i = "Suites: " wanted
					}
					text = text $i "\n"
				}
				if (found && text ~ /(^|\n)Types:[^\n]*deb( |\n)/ &&
				    text !~ /\nEnabled: *no/) {
					printf "sources\n%s", text
					exit
				}
			}' "$file"
	done
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ ! -e "$file" ] || awk -v suite="$1" -v wanted="$2" '
			$1 == "deb" {
				for (i = 2; i <= NF; i++)
					if ($i == suite) {
						$i = wanted
						print "list\n" $0
						exit
					}
			}' "$file"
	done
}

# Make suite $1 available to apt.
setup_add_suite() {
	local codename source kind file

	if apt-get indextargets 'Created-By: Packages' | grep -qx "Release: $1"; then
		setup_update
		return
	fi
	setup_as_root "the suite $1" || return
	codename=$(setup_codename)
	source=$(setup_derive_source "$codename" "$1" | awk '
		/^(sources|list)$/ { if (seen++) exit }
		{ print }')
	[ -n "$source" ] || setup_die "no apt source for $codename is configured" || return
	kind=${source%%$'\n'*}
	file=/etc/apt/sources.list.d/ringway-$1.$kind
	setup_say "adding the suite $1 in $file"
	printf '%s\n' "${source#*$'\n'}" >"$file"
	setup_updated=
	setup_update
}

setup_qemu() {
	local have suite missing

	have=$(dpkg-query -W -f '${Version}' qemu-system-x86 2>/dev/null)
	# shellcheck disable=SC2086
	missing=$(setup_missing $setup_packages_qemu)
	if [ -z "$missing" ] && dpkg --compare-versions "${have#*:}" ge "$setup_qemu_least"; then
		return 0
	fi
	setup_as_root "$setup_packages_qemu" || return
	suite=$(setup_newer_suite)
	if [ -n "$suite" ]; then
		setup_add_suite "$suite" || return
	else
		setup_update
	fi
	setup_say "installing $setup_packages_qemu"
	# shellcheck disable=SC2086
	setup_apt ${suite:+-t "$suite"} install $setup_packages_qemu ||
		setup_die "could not install QEMU $setup_qemu_least or newer"
}

# Download and unpack kernel package $1 in the empty directory $2; $3 is a suite or empty.
setup_unpack_kernel() (
	version=${1#linux-image-}
	cd "$2" && setup_apt ${3:+-t "$3"} download "$1" && dpkg-deb -x ./*.deb root || exit
	[ -d root/lib ] || mv root/usr/lib root/lib || exit
	mv root/lib lib && depmod -b "$PWD" "$version" &&
		mv "root/boot/vmlinuz-$version" vmlinuz &&
		mv "root/boot/config-$version" config &&
		echo "$version" >version &&
		rm -r root ./*.deb && chmod 755 .
)

# Have the kernel that meta package $2 of suite $3 stands for behind $RWY_CACHE/kernel/$1.
setup_kernel() {
	local role=$1 meta=$2 suite=$3 package dir tmp

	[ ! -e "$RWY_CACHE/kernel/$role/version" ] || return 0
	if [ -n "$suite" ]; then
		setup_add_suite "$suite" || return
	else
		setup_update
	fi
	package=$(apt-cache ${suite:+-t "$suite"} show --no-all-versions "$meta" 2>/dev/null |
		sed -n 's/^Depends:.* \(linux-image-[0-9][^ ,]*\).*/\1/p')
	[ -n "$package" ] || setup_die "no kernel package behind $meta" || return
	dir=$RWY_CACHE/kernel/${package#linux-image-}
	if [ ! -e "$dir/version" ]; then
		setup_say "fetching and unpacking $package"
		mkdir -p "$RWY_CACHE/kernel" || return
		tmp=$(mktemp -d "$RWY_CACHE/kernel/.new.XXXXXX") || return
		if ! setup_unpack_kernel "$package" "$tmp" "$suite"; then
			rm -rf "$tmp"
			setup_die "could not fetch and unpack $package"
			return
		fi
		rm -rf "$dir" && mv -T "$tmp" "$dir" || return
	fi
	ln -sfn "${dir##*/}" "$RWY_CACHE/kernel/$role"
}

setup_lab() {
	setup_qemu &&
		setup_kernel lab linux-image-amd64 "$(setup_newer_suite)" &&
		setup_kernel guest linux-image-cloud-amd64 ""
}

# Make sure that the groups named by the arguments (build, test, lab, kernel) are there.
setup_need() {
	local group packages="" lab=

	for group; do
		case $group in
		build) packages+=" $setup_packages_build" ;;
		test) packages+=" $setup_packages_test" ;;
		lab) lab=y packages+=" $setup_packages_lab" ;;
		kernel) packages+=" $setup_packages_kernel" ;;
		*) setup_die "no such group: $group (build, test, lab, kernel)" || return 2 ;;
		esac
	done
	mkdir -p "$RWY_CACHE" || return
	(
		flock 9
		# shellcheck disable=SC2086
		setup_install $packages && { [ -z "$lab" ] || setup_lab; }
	) 9>"$RWY_CACHE/setup.lock"
}

setup_usage() {
	cat <<-END
	Usage: tests/setup.sh [build] [test] [lab] [kernel]

	Installs the missing Debian packages of the groups named (default: the first three); for
	the lab also QEMU $setup_qemu_least or newer and the kernels, unpacked below
	$RWY_CACHE/kernel. For kernel: what tests/lab/kernel-cdev needs.
	END
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
	if [ "$1" = --help ]; then
		setup_usage
		exit
	fi
	[ $# -gt 0 ] || set -- build test lab
	setup_need "$@" || exit
	setup_say "$* ready"
fi
