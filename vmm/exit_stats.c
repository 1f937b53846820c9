/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/exit_stats.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/poll.h"
#include "vmm/vdev_vu.h"

#include <errno.h>
#include <jansson.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RWY_STEM "exit_stats"

/* More than any kernel has; what a broken one says beyond that is not believed. */
#define KVM_STATS_MAX 1024
#define NAME_MAX_LEN  256

static const char *const user_reasons[RWY_VCPU_REASONS] = {
	[KVM_EXIT_IO] = "io",
	[KVM_EXIT_MMIO] = "mmio",
	[KVM_EXIT_INTR] = "signal",
	[KVM_EXIT_SHUTDOWN] = "shutdown",
	[KVM_EXIT_FAIL_ENTRY] = "fail_entry",
	[KVM_EXIT_INTERNAL_ERROR] = "internal_error",
	[KVM_EXIT_HLT] = "halt",
};

/* Our names for the reasons that KVM tells apart. They do not overlap. */
static const struct {
	const char *name;
	const char *kvm;
} reasons[] = {
	{"io", "io_exits"},
	{"mmio", "mmio_exits"},
	{"halt", "halt_exits"},
	{"interrupt", "irq_exits"},
	{"interrupt_window", "irq_window_exits"},
	{"nmi_window", "nmi_window_exits"},
	{"hypercall", "hypercalls"},
};

static void put(json_t *object, const char *name, uint64_t value)
{
	json_object_set_new(object, name, json_integer((json_int_t)value));
}

static void add(json_t *object, const char *name, uint64_t value)
{
	put(object, name, (uint64_t)json_integer_value(json_object_get(object, name)) + value);
}

static int64_t get(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

/* One counter; histograms (several items) are left out. */
static int read_one(int fd, const struct kvm_stats_header *head, unsigned i, json_t *into)
{
	union {
		struct kvm_stats_desc desc; /* and its name behind it */
		char bytes[sizeof(struct kvm_stats_desc) + NAME_MAX_LEN];
	} d = {0};
	size_t len = sizeof(d.desc) + head->name_size;
	uint64_t value;

	if (rwy_fd_read_full(fd, &d, len, (off_t)(head->desc_offset + i * len)))
		return -EIO;
	d.bytes[sizeof(d.bytes) - 1] = '\0';
	if (d.desc.size != 1)
		return 0;
	if (rwy_fd_read_full(fd, &value, sizeof(value), (off_t)head->data_offset + d.desc.offset))
		return -EIO;
	put(into, d.bytes + sizeof(d.desc), value);
	return 0;
}

/* KVM's counters of a VM or a vCPU, by their statistics descriptor; an empty object where the
 * kernel has none. */
static json_t *read_kvm(int fd)
{
	json_t *all = json_object();
	struct kvm_stats_header head;

	if (fd < 0)
		return all;
	if (rwy_fd_read_full(fd, &head, sizeof(head), 0) == 0 && head.name_size < NAME_MAX_LEN &&
	    head.num_desc <= KVM_STATS_MAX)
		for (unsigned i = 0; i < head.num_desc; i++)
			if (read_one(fd, &head, i, all))
				break;
	return all;
}

static json_t *user_exits(const struct rwy_vcpu *vcpu, json_t *sum)
{
	json_t *object = json_object();
	char number[16];

	for (unsigned i = 0; i < RWY_VCPU_REASONS; i++) {
		uint64_t n = RWY_READ_ONCE(&vcpu->exits[i]);

		if (n == 0)
			continue;
		snprintf(number, sizeof(number), "kvm_exit_%u", i);
		const char *name = user_reasons[i] ? user_reasons[i] : number;
		put(object, name, n);
		add(sum, name, n);
	}
	return object;
}

static uint64_t sum_of(const json_t *object)
{
	const char *name;
	json_t *value;
	uint64_t sum = 0;

	json_object_foreach((json_t *)object, name, value) sum +=
		(uint64_t)json_integer_value(value);
	return sum;
}

/* The vCPUs' own parts, and over all of them `exits`, `interrupts` and `user`. */
static void put_vcpus(json_t *root, const struct rwy_vm *vm)
{
	json_t *vcpus = json_array(), *user = json_object(), *exits = json_object();
	uint64_t total = 0, named = 0, injected = 0;

	for (unsigned r = 0; r < RWY_ARRAY_SIZE(reasons); r++)
		put(exits, reasons[r].name, 0);
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		json_t *one = read_kvm(vm->vcpus[i].stats_fd);

		total += (uint64_t)get(one, "exits");
		injected += (uint64_t)get(one, "irq_injections");
		for (unsigned r = 0; r < RWY_ARRAY_SIZE(reasons); r++) {
			uint64_t n = (uint64_t)get(one, reasons[r].kvm);

			add(exits, reasons[r].name, n);
			named += n;
		}
		json_object_set_new(one, "user", user_exits(&vm->vcpus[i], user));
		json_array_append_new(vcpus, one);
	}
	put(exits, "other", total > named ? total - named : 0);
	put(exits, "total", total);
	put(exits, "user", sum_of(user));
	json_object_set_new(root, "exits", exits);
	put(root, "interrupts", injected);
	json_object_set_new(root, "user", user);
	json_object_set_new(root, "vcpus", vcpus);
}

/* A device may have several ranges, on both buses. */
static void put_bus(json_t *devices, const struct rwy_bus *bus)
{
	for (unsigned i = 0; i < bus->nr; i++) {
		const struct rwy_bus_range *r = &bus->ranges[i];
		json_t *device = json_object_get(devices, r->name);

		if (!device) {
			device = json_object();
			json_object_set_new(devices, r->name, device);
		}
		add(device, "reads", r->reads);
		add(device, "writes", r->writes);
	}
}

static void put_devices(json_t *root, struct rwy_vm *vm)
{
	json_t *devices = json_object();

	pthread_mutex_lock(&vm->lock);
	put_bus(devices, &vm->pio);
	put_bus(devices, &vm->mmio);
	uint64_t missed = vm->pio.missed + vm->mmio.missed;
	pthread_mutex_unlock(&vm->lock);
	json_object_set_new(root, "devices", devices);
	put(root, "unanswered", missed);
}

static void put_backends(json_t *root, const struct rwy_exit_stats *stats)
{
	json_t *backends = json_object();

	for (unsigned i = 0; i < stats->nr_vdevs; i++)
		json_object_set_new(backends, stats->vdevs[i]->name,
				    json_pack("{sI}", "reconnects",
					      (json_int_t)rwy_vdev_vu_reconnects(stats->vdevs[i])));
	json_object_set_new(root, "backends", backends);
}

static int save(const json_t *root, const char *path)
{
	char *text = json_dumps(root, JSON_INDENT(1));
	char *aside = NULL;
	FILE *file = NULL;
	int err = -ENOMEM;

	if (!text || asprintf(&aside, "%s.new", path) < 0) {
		aside = NULL;
		goto free_text;
	}
	file = fopen(aside, "we");
	if (!file) {
		err = -errno;
		goto free_text;
	}
	err = fprintf(file, "%s\n", text) < 0 ? -errno : 0;
	if (fclose(file) && !err)
		err = -errno;
	if (!err && rename(aside, path) < 0)
		err = -errno;
	if (err)
		unlink(aside);

free_text:
	free(aside);
	free(text);
	return err;
}

int rwy_exit_stats_write(const struct rwy_exit_stats *stats, struct rwy_vm *vm)
{
	json_t *root = json_object();
	int err;

	json_object_set_new(root, "seconds",
			    json_real((double)(rwy_poll_now_ns() - stats->since_ns) / 1e9));
	put(root, "resets", stats->resets);
	put_vcpus(root, vm);
	put_devices(root, vm);
	put_backends(root, stats);
	int fd = ioctl(vm->fd, KVM_GET_STATS_FD, NULL);
	json_object_set_new(root, "vm", read_kvm(fd));
	rwy_fd_close(&fd);
	err = save(root, stats->path);
	json_decref(root);
	if (err)
		rwy_error("--exit-stats: %s: %s", stats->path, strerror(-err));
	return err;
}
