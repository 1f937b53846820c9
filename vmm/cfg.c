/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/cfg.h"

#include "lib/opt.h"
#include "lib/sysfs.h"
#include "vmm/hotplug.h"
#include "vmm/layout.h"
#include "vmm/vcpu.h"
#include "vmm/vdev.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <net/if.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/un.h>
#include <unistd.h>

#define MEMORY_MIN     (UINT64_C(16) << 20)
#define MEMORY_DEFAULT (UINT64_C(512) << 20)
/* From 4 GiB up to AMD's hole, and what lies below the one at 4 GiB. */
#define MEMORY_MAX (RWY_LAYOUT_HT - RWY_LAYOUT_RAM_HIGH + RWY_LAYOUT_HOLE)

/* A queue of a network device is a pair, and there is the control queue. */
#define QUEUES_MAX 64

static int set_kernel(void *ctx, char *value, struct rwy_opt_why *why)
{
	((struct rwy_cfg *)ctx)->kernel = value;
	return 0;
}

static int set_initrd(void *ctx, char *value, struct rwy_opt_why *why)
{
	((struct rwy_cfg *)ctx)->initrd = value;
	return 0;
}

static int set_cmdline(void *ctx, char *value, struct rwy_opt_why *why)
{
	((struct rwy_cfg *)ctx)->cmdline = value;
	return 0;
}

static int set_cpus(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct rwy_cfg *cfg = ctx;
	const char *pin = NULL;
	const struct rwy_opt_key keys[] = {{"pin", RWY_OPT_REST, {.str = &pin}, 0, 0}};
	uint64_t n = 0;
	int err = rwy_opt_uint(rwy_opt_word(&value), 1, RWY_VCPU_MAX, &n, why);

	if (!err)
		err = rwy_opt_list(value, keys, RWY_ARRAY_SIZE(keys), why);
	if (err)
		return err;
	cfg->nr_cpus = (unsigned)n;
	if (!pin)
		return 0;
	err = rwy_numa_parse_cpus(pin, cfg->pins, RWY_ARRAY_SIZE(cfg->pins));
	if (err < 1)
		return rwy_opt_fail(why, "pin: '%s' is no list of CPUs like 0,2-5", pin);
	cfg->nr_pins = (unsigned)err;
	for (unsigned i = 0; i < cfg->nr_pins; i++)
		if (rwy_numa_node_of_cpu(cfg->pins[i]) < 0)
			return rwy_opt_fail(why, "pin: there is no CPU %u here", cfg->pins[i]);
	return 0;
}

static int parse_pages(const char *text, uint64_t *page_size, struct rwy_opt_why *why)
{
	if (!text || strcmp(text, "off") == 0)
		*page_size = 4096;
	else if (strcmp(text, "2M") == 0)
		*page_size = UINT64_C(2) << 20;
	else if (strcmp(text, "1G") == 0)
		*page_size = UINT64_C(1) << 30;
	else
		return rwy_opt_fail(why, "hugepages: '%s' is none of 2M, 1G, off", text);
	return 0;
}

static int set_memory(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct rwy_cfg *cfg = ctx;
	const char *pages = NULL;
	uint64_t node = UINT64_MAX;
	const struct rwy_opt_key keys[] = {
		{"hugepages", RWY_OPT_STR, {.str = &pages}, 0, 0},
		{"node", RWY_OPT_UINT, {.num = &node}, 0, INT_MAX},
	};
	struct sysinfo host;
	int err = rwy_opt_size(rwy_opt_word(&value), MEMORY_MIN, MEMORY_MAX, &cfg->memory, why);

	if (!err)
		err = rwy_opt_list(value, keys, RWY_ARRAY_SIZE(keys), why);
	if (!err)
		err = parse_pages(pages, &cfg->page_size, why);
	if (err)
		return err;
	if (cfg->memory % cfg->page_size)
		return rwy_opt_fail(why, "%llu bytes are no whole number of pages of %llu",
				    (unsigned long long)cfg->memory,
				    (unsigned long long)cfg->page_size);
	if (sysinfo(&host) == 0 && cfg->memory > (uint64_t)host.totalram * host.mem_unit)
		return rwy_opt_fail(why, "%llu MiB are more than the %llu MiB of this machine",
				    (unsigned long long)(cfg->memory >> 20),
				    (unsigned long long)((uint64_t)host.totalram * host.mem_unit >>
							 20));
	if (node == UINT64_MAX)
		return 0;
	if (!rwy_numa_node_exists((unsigned)node))
		return rwy_opt_fail(why, "node: there is no NUMA node %llu here",
				    (unsigned long long)node);
	cfg->node = (int)node;
	return 0;
}

/* The back-end may come later, but what is there now must be a socket, in a directory. */
static int check_socket(const char *path, struct rwy_opt_why *why)
{
	struct stat st;
	char copy[sizeof(((struct sockaddr_un *)0)->sun_path)];

	if (strlen(path) >= sizeof(copy))
		return rwy_opt_fail(why,
				    "socket: the path is longer than the %zu bytes a socket's "
				    "may have",
				    sizeof(copy) - 1);
	if (stat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return rwy_opt_fail(why, "socket: %s is no socket", path);
		return 0;
	}
	if (errno != ENOENT)
		return rwy_opt_fail(why, "socket: %s: %s", path, strerror(errno));
	strcpy(copy, path);
	if (stat(dirname(copy), &st) < 0 || !S_ISDIR(st.st_mode))
		return rwy_opt_fail(why, "socket: %s: its directory does not exist", path);
	return 0;
}

static int add_device(struct rwy_cfg *cfg, const struct rwy_cfg_device *device,
		      const char *target_key, struct rwy_opt_why *why)
{
	if (!device->socket == !device->target)
		return rwy_opt_fail(why, "either socket=PATH or %s is needed", target_key);
	if (cfg->nr_devices == RWY_CFG_DEVICES)
		return rwy_opt_fail(why, "%u devices are the most", RWY_CFG_DEVICES);
	cfg->devices[cfg->nr_devices++] = *device;
	return device->socket ? check_socket(device->socket, why) : 0;
}

static int set_net(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct rwy_cfg_device device = {.kind = RWY_CFG_NET};
	const char *mac = NULL;
	uint64_t queues = 1;
	const struct rwy_opt_key keys[] = {
		{"socket", RWY_OPT_STR, {.str = &device.socket}, 0, 0},
		{"tap", RWY_OPT_STR, {.str = &device.target}, 0, 0},
		{"mac", RWY_OPT_STR, {.str = &mac}, 0, 0},
		{"queues", RWY_OPT_UINT, {.num = &queues}, 1, QUEUES_MAX},
		{"packed", RWY_OPT_FLAG, {.flag = &device.packed}, 0, 0},
	};
	int err = rwy_opt_list(value, keys, RWY_ARRAY_SIZE(keys), why);

	if (!err && mac)
		err = rwy_opt_mac(mac, device.mac, why);
	if (err)
		return err;
	device.has_mac = mac != NULL;
	device.queues = (unsigned)queues;
	if (device.target && if_nametoindex(device.target) == 0)
		return rwy_opt_fail(why, "tap: there is no interface %s: ip tuntap add %s mode tap",
				    device.target, device.target);
	return add_device(ctx, &device, "tap=INTERFACE", why);
}

static int set_disk(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct rwy_cfg_device device = {.kind = RWY_CFG_DISK};
	uint64_t queues = 1;
	const struct rwy_opt_key keys[] = {
		{"socket", RWY_OPT_STR, {.str = &device.socket}, 0, 0},
		{"file", RWY_OPT_STR, {.str = &device.target}, 0, 0},
		{"queues", RWY_OPT_UINT, {.num = &queues}, 1, QUEUES_MAX},
		{"packed", RWY_OPT_FLAG, {.flag = &device.packed}, 0, 0},
	};
	int err = rwy_opt_list(value, keys, RWY_ARRAY_SIZE(keys), why);

	if (err)
		return err;
	device.queues = (unsigned)queues;
	if (device.target && access(device.target, R_OK) < 0)
		return rwy_opt_fail(why, "file: %s: %s", device.target, strerror(errno));
	return add_device(ctx, &device, "file=FILE", why);
}

static int set_vfio(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct rwy_cfg *cfg = ctx;
	struct rwy_cfg_vfio *vfio = &cfg->vfio[cfg->nr_vfio];
	uint64_t fd = INT_MAX, iommu_fd = INT_MAX;
	const char *token = "";
	bool port = false;
	uint8_t bytes[16];
	const struct rwy_opt_key keys[] = {
		{"port", RWY_OPT_FLAG, {.flag = &port}, 0, 0},
		{"fd", RWY_OPT_UINT, {.num = &fd}, 0, INT_MAX - 1},
		{"iommu-fd", RWY_OPT_UINT, {.num = &iommu_fd}, 0, INT_MAX - 1},
		{"token", RWY_OPT_STR, {.str = &token}, 0, 0},
	};
	const char *name = rwy_opt_word(&value);
	int err = rwy_opt_list(value, keys, RWY_ARRAY_SIZE(keys), why);

	if (err)
		return err;
	if (cfg->nr_vfio == RWY_CFG_DEVICES)
		return rwy_opt_fail(why, "%u functions are the most", RWY_CFG_DEVICES);
	if (rwy_bdf_parse(name, vfio->bdf))
		return rwy_opt_fail(why,
				    "'%s' is no PCI function like 0000:01:10.0, and no path "
				    "to one in /sys",
				    name);
	if (fd == INT_MAX && !rwy_sysfs_exists("", "/sys/bus/pci/devices/%s", vfio->bdf))
		return rwy_opt_fail(why, "there is no PCI function %s here: lspci -D lists them",
				    vfio->bdf);
	if (token[0] && rwy_token_parse(token, bytes))
		return rwy_opt_fail(why, "token: '%s' is no UUID", token);
	for (unsigned i = 0; i < cfg->nr_vfio; i++)
		if (strcmp(cfg->vfio[i].bdf, vfio->bdf) == 0)
			return rwy_opt_fail(why, "%s is given twice", vfio->bdf);
	vfio->fd = fd == INT_MAX ? -1 : (int)fd;
	vfio->iommu_fd = iommu_fd == INT_MAX ? -1 : (int)iommu_fd;
	snprintf(vfio->token, sizeof(vfio->token), "%s", token);
	vfio->port = port;
	cfg->nr_vfio++;
	return 0;
}

static int set_serial(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct rwy_cfg *cfg = ctx;

	if (strcmp(value, "stdio") == 0) {
		cfg->serial = RWY_CFG_SERIAL_STDIO;
	} else if (strcmp(value, "off") == 0) {
		cfg->serial = RWY_CFG_SERIAL_OFF;
	} else if (strncmp(value, "file=", 5) == 0 && value[5]) {
		cfg->serial = RWY_CFG_SERIAL_FILE;
		cfg->serial_path = value + 5;
	} else {
		return rwy_opt_fail(why, "'%s' is none of stdio, file=PATH, off", value);
	}
	return 0;
}

static int set_exit_stats(void *ctx, char *value, struct rwy_opt_why *why)
{
	((struct rwy_cfg *)ctx)->exit_stats = value;
	return 0;
}

static int set_qmp(void *ctx, char *value, struct rwy_opt_why *why)
{
	char copy[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct stat st;

	if (strlen(value) >= sizeof(copy))
		return rwy_opt_fail(why,
				    "the path is longer than the %zu bytes a socket's may have",
				    sizeof(copy) - 1);
	strcpy(copy, value);
	if (stat(dirname(copy), &st) < 0 || !S_ISDIR(st.st_mode))
		return rwy_opt_fail(why, "%s: its directory does not exist", value);
	((struct rwy_cfg *)ctx)->qmp = value;
	return 0;
}

static int set_root_ports(void *ctx, char *value, struct rwy_opt_why *why)
{
	struct rwy_cfg *cfg = ctx;
	uint64_t n = 0;
	int err = rwy_opt_uint(value, 0, RWY_HOTPLUG_PORTS, &n, why);

	cfg->root_ports = (unsigned)n;
	cfg->has_root_ports = true;
	return err;
}

static const struct rwy_opt opts[] = {
	{"kernel", "FILE",
	 "The kernel: a bzImage, as distributions install it, or an uncompressed ELF file with\n"
	 "a PVH entry.",
	 set_kernel},
	{"initrd", "FILE", "The initial RAM file system.", set_initrd},
	{"cmdline", "STR",
	 "The kernel command line, empty by default. For a console on the serial line it says\n"
	 "console=ttyS0.",
	 set_cmdline},
	{"cpus", "N[,pin=LIST]",
	 "vCPUs, 1 (the default) to 64. pin: each runs on one CPU of the host, vCPU 0 on the\n"
	 "first of LIST and so on, from its start again when there are more vCPUs. LIST is like\n"
	 "0,2-5 and ends the value.",
	 set_cpus},
	{"memory", "SIZE[,hugepages=2M|1G|off][,node=N]",
	 "Guest memory, 512M by default. hugepages: from the host's pool of that size, which\n"
	 "must have enough. off, the default: ordinary pages, which become huge where the host\n"
	 "has advise in /sys/kernel/mm/transparent_hugepage/shmem_enabled. node: strictly from\n"
	 "that NUMA node.",
	 set_memory},
	{"net", "socket=PATH|tap=INTERFACE[,mac=M][,queues=N][,packed]",
	 "A network device, served over vhost-user at the socket, or by a ringway-net that is\n"
	 "started for this interface. Again for more devices. mac: derived from the device's\n"
	 "name and socket if not given. queues: pairs. packed: offer the packed ring.",
	 set_net},
	{"disk", "socket=PATH|file=FILE[,queues=N][,packed]",
	 "A disk, served over vhost-user at the socket, or by a ringway-blk that is started for\n"
	 "this file. Again for more disks.",
	 set_disk},
	{"vfio", "BDF|PATH[,port][,fd=N][,iommu-fd=N][,token=UUID]",
	 "A PCI function of the host, bound to vfio-pci, given to the guest: by its name\n"
	 "(0000:01:10.0) or its path in /sys. Again for more. All guest memory is then pinned.\n"
	 "port: behind a root port, where the guest is asked to let go of it, by device_del or\n"
	 "when the host wants it back; it has no I/O ports there. They are vfio0, vfio1 and so "
	 "on.\n"
	 "fd, iommu-fd: open files of its group and a VFIO container, or of its own character\n"
	 "device and /dev/iommu, that are used instead of opening them. token: that of its PF,\n"
	 "where vfio-pci has that one, too; the PF's own user makes it up.",
	 set_vfio},
	{"serial", "stdio|file=PATH|off",
	 "Where the serial line ends; stdio by default. A terminal is made raw: Ctrl-A x ends\n"
	 "the machine, Ctrl-A Ctrl-A is one Ctrl-A.",
	 set_serial},
	{"qmp", "PATH",
	 "Make a control socket that speaks QMP, as QEMU's does, to one client at a time:\n"
	 "query-status, query-pci, query-block, query-cpus-fast and what else query-commands\n"
	 "names, stop, cont, system_powerdown, system_reset, quit; chardev-add and -remove,\n"
	 "netdev_add and _del, device_add and device_del. Devices come with "
	 "driver=vhost-user-blk-pci or\n"
	 "virtio-net-pci, id=NAME and socket=PATH of the back-end, or chardev=, netdev= as named\n"
	 "before; also bus=rpN, packed, queues (blk: num-queues), mac. driver=vfio-pci comes with\n"
	 "host=BDF.",
	 set_qmp},
	{"root-ports", "N",
	 "PCI Express slots for device_add and --vfio BDF,port, 0 to 16: rp1, rp2 and so on. If "
	 "not\n"
	 "given, those that --vfio takes, and 4 more where there is --qmp.",
	 set_root_ports},
	{"exit-stats", "FILE",
	 "When the machine ends, and at each SIGUSR1, write what its exits were to FILE: JSON\n"
	 "with exits by reason and by device, interrupts, and KVM's own statistics.",
	 set_exit_stats},
};

static const char summary[] =
	"Runs a virtual machine whose network and disks are served by other processes.\n"
	"\n"
	"It ends with status 0 when the guest powers off, and goes on when the guest reboots.\n"
	"SIGTERM and SIGINT press the power button; when the guest has not gone 30 seconds later,\n"
	"or at a second signal, the machine ends at once. Status 1: it could not run. Status 2: "
	"the\n"
	"command line names what does not exist or does not fit.\n"
	"\n"
	"`ringway-vmm doctor` says whether machines, passthrough and speed will work on this "
	"host.\n"
	"\n"
	"  ringway-vmm --kernel vmlinuz --initrd initrd.img --cmdline console=ttyS0 \\\n"
	"        --cpus 2 --memory 1G --net tap=tap0 --disk file=disk.img";

bool rwy_cfg_parse(struct rwy_cfg *cfg, int argc, char **argv, FILE *out, FILE *err, int *status)
{
	const struct rwy_opt_program program = {
		.name = "ringway-vmm",
		.usage = "--kernel FILE [option...]",
		.summary = summary,
		.opts = opts,
		.nr = RWY_ARRAY_SIZE(opts),
		.ctx = cfg,
	};

	memset(cfg, 0, sizeof(*cfg));
	cfg->nr_cpus = 1;
	cfg->memory = MEMORY_DEFAULT;
	cfg->page_size = 4096;
	cfg->node = -1;
	if (!rwy_opt_parse(&program, argc, argv, out, err, status))
		return false;
	if (!cfg->kernel) {
		*status = rwy_opt_refuse(&program, err, "--kernel is missing");
		return false;
	}
	return true;
}
