/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/fake_sriov_kernel.h"

#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sys/mman.h>

#define DEVICES "/sys/bus/pci/devices/"
#define NAME	160

/* The wire of the kernel to a userland that runs in the same process. */
static struct fake_sriov_kernel *of(const struct rwy_sriov_sys *sys)
{
	return sys->ctx;
}

int fake_sriov_kernel_begin(struct fake_sriov_kernel *kernel)
{
	unsigned n = ++kernel->nr_changes;

	if (n == kernel->die_at && !kernel->die_after)
		_exit(FAKE_SRIOV_DIED);
	if (n == kernel->fail_at)
		return -kernel->fail_err;
	return n != kernel->forget_at;
}

void fake_sriov_kernel_end(struct fake_sriov_kernel *kernel)
{
	if (kernel->nr_changes == kernel->die_at)
		_exit(FAKE_SRIOV_DIED);
}

/* ---- sysfs ---- */

static void put(struct fake_sriov_kernel *kernel, const char *bdf, const char *file,
		const char *text)
{
	char name[NAME];

	snprintf(name, sizeof(name), DEVICES "%s/%s", bdf, file);
	fake_root_write(kernel->sys.root, name, text);
}

static void get(struct fake_sriov_kernel *kernel, const char *bdf, const char *file,
		char text[RWY_ATTR_TEXT])
{
	char path[FAKE_ROOT_PATH];
	FILE *stream;

	snprintf(path, sizeof(path), "%s" DEVICES "%s/%s", kernel->sys.root, bdf, file);
	stream = fopen(path, "r");
	assert_non_null(stream);
	assert_non_null(fgets(text, RWY_ATTR_TEXT, stream));
	fclose(stream);
	text[strcspn(text, "\n")] = '\0';
}

static void remove_tree(struct fake_sriov_kernel *kernel, const char *name)
{
	char path[FAKE_ROOT_PATH];

	snprintf(path, sizeof(path), "%s%s", kernel->sys.root, name);
	nftw(path, fake_root_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static void fresh_link(struct fake_sriov_pf *pf, rwy_attr_values values)
{
	bool ixgbe = strcmp(pf->card->driver, "ixgbe") == 0;
	bool mlx5 = strcmp(pf->card->driver, "mlx5_core") == 0;

	memset(values, 0, sizeof(rwy_attr_values));
	strcpy(values[RWY_ATTR_MAC], "00:00:00:00:00:00");
	strcpy(values[RWY_ATTR_VLAN], "off");
	strcpy(values[RWY_ATTR_RATE], "0-0");
	strcpy(values[RWY_ATTR_SPOOFCHK], "on");
	strcpy(values[RWY_ATTR_TRUST], "off");
	strcpy(values[RWY_ATTR_RSS_QUERY], ixgbe ? "off" : RWY_ATTR_UNSUPPORTED);
	strcpy(values[RWY_ATTR_LINK_STATE], "auto");
	if (mlx5)
		rwy_attr_put_guid(values[RWY_ATTR_NODE_GUID], 0);
	if (mlx5)
		rwy_attr_put_guid(values[RWY_ATTR_PORT_GUID], 0);
}

void fake_sriov_kernel_set_vfs(struct fake_sriov_kernel *kernel, struct fake_sriov_pf *pf,
			       unsigned nr)
{
	char probe[RWY_ATTR_TEXT], name[NAME];

	for (unsigned i = 0; i < pf->nr_vfs; i++) {
		char bdf[RWY_BDF_LEN];

		fake_sriov_vf_bdf(pf->card, pf->bdf, i, bdf);
		snprintf(name, sizeof(name), DEVICES "%s", bdf);
		remove_tree(kernel, name);
		snprintf(name, sizeof(name), DEVICES "%s/virtfn%u", pf->bdf, i);
		remove_tree(kernel, name);
		snprintf(name, sizeof(name), "/sys/kernel/iommu_groups/%u",
			 fake_sriov_routing_id(bdf));
		remove_tree(kernel, name);
	}
	get(kernel, pf->bdf, "sriov_drivers_autoprobe", probe);
	pf->nr_vfs = nr;
	memset(pf->nvme, 0, sizeof(pf->nvme));
	for (unsigned i = 0; i < nr; i++) {
		fresh_link(pf, pf->vfs[i]);
		pf->nr_vectors[i] = pf->card->nr_vectors;
	}
	fake_sriov_devlink_renew(pf);
	fake_sriov_add_vfs(kernel->sys.root, pf->card, pf->bdf, nr, probe[0] == '1');
}

bool fake_sriov_kernel_resets(const struct fake_sriov_pf *pf)
{
	return strcmp(pf->card->driver, "igb") == 0 || strcmp(pf->card->driver, "ixgbe") == 0;
}

static void put_carrier(struct fake_sriov_kernel *kernel, const struct fake_sriov_pf *pf, bool on)
{
	char name[64];

	snprintf(name, sizeof(name), "net/%s%u/carrier", pf->card->netdev, pf->ifindex);
	put(kernel, pf->bdf, name, on ? "1\n" : "0\n");
}

static int write_numvfs(struct fake_sriov_kernel *kernel, struct fake_sriov_pf *pf, unsigned nr)
{
	char name[64], text[RWY_ATTR_TEXT];

	if (nr == pf->nr_vfs)
		return 0;
	if (nr > pf->total)
		return -ERANGE;
	if (nr && pf->nr_vfs)
		return -EBUSY;
	if (strcmp(pf->card->driver, "bnxt_en") == 0 && nr) {
		snprintf(name, sizeof(name), "net/%s%u/flags", pf->card->netdev, pf->ifindex);
		get(kernel, pf->bdf, name, text);
		if (!(strtoul(text, NULL, 16) & IFF_UP))
			return -EINVAL;
	}
	if (fake_sriov_kernel_resets(pf)) {
		put_carrier(kernel, pf, false);
		kernel->down = pf;
		kernel->nr_down = 3;
	}
	if (!nr || !kernel->late) {
		fake_sriov_kernel_set_vfs(kernel, pf, nr);
		return 0;
	}
	snprintf(text, sizeof(text), "%u\n", nr);
	put(kernel, pf->bdf, "sriov_numvfs", text);
	pf->nr_vfs = nr;
	kernel->pending = pf;
	kernel->nr_pending = nr;
	return 0;
}

/* The VF's PF, and its number. */
static struct fake_sriov_pf *find_vf(struct fake_sriov_kernel *kernel, const char *bdf,
				     unsigned *idx)
{
	for (unsigned i = 0; i < kernel->nr_pfs; i++) {
		struct fake_sriov_pf *pf = &kernel->pfs[i];

		for (*idx = 0; *idx < pf->nr_vfs; ++*idx) {
			char vf[RWY_BDF_LEN];

			fake_sriov_vf_bdf(pf->card, pf->bdf, *idx, vf);
			if (strcmp(vf, bdf) == 0)
				return pf;
		}
	}
	return NULL;
}

static const struct fake_sriov_card *card_of_vf(struct fake_sriov_kernel *kernel, const char *bdf)
{
	unsigned idx;
	const struct fake_sriov_pf *pf = find_vf(kernel, bdf, &idx);

	return pf ? pf->card : NULL;
}

static int write_reset(struct fake_sriov_kernel *kernel, struct fake_sriov_pf *pf, const char *bdf)
{
	unsigned idx;

	if (pf) {
		memcpy(pf->kept, pf->kept_next, sizeof(pf->kept));
		return 0;
	}
	pf = find_vf(kernel, bdf, &idx);
	if (!pf)
		return -ENOENT;
	pf->nvme[idx].stale = false;
	return 0;
}

static void driver_of(struct fake_sriov_kernel *kernel, const char *bdf, char driver[64])
{
	if (rwy_sysfs_read_link(kernel->sys.root, driver, 64, DEVICES "%s/driver", bdf))
		driver[0] = '\0';
}

bool fake_sriov_kernel_is_bound(struct fake_sriov_kernel *kernel, const struct fake_sriov_pf *pf)
{
	bool bound = false;

	for (unsigned i = 0; i < pf->nr_vfs; i++) {
		char bdf[RWY_BDF_LEN], driver[64];

		fake_sriov_vf_bdf(pf->card, pf->bdf, i, bdf);
		driver_of(kernel, bdf, driver);
		bound = bound || driver[0];
	}
	return bound;
}

static int write_bind(struct fake_sriov_kernel *kernel, const char *driver, const char *bdf)
{
	const struct fake_sriov_card *card = card_of_vf(kernel, bdf);
	char now[64], override[RWY_ATTR_TEXT];

	if (!card)
		return -ENODEV;
	driver_of(kernel, bdf, now);
	get(kernel, bdf, "driver_override", override);
	if (now[0])
		return -EBUSY;
	if (strcmp(driver, strcmp(override, "(null)") == 0 ? card->vf_driver : override) != 0)
		return -ENODEV;
	fake_sriov_bind(kernel->sys.root, bdf, driver);
	return 0;
}

static int write_unbind(struct fake_sriov_kernel *kernel, const char *driver, const char *bdf)
{
	char now[64];

	driver_of(kernel, bdf, now);
	if (strcmp(now, driver) != 0)
		return -ENODEV;
	fake_sriov_bind(kernel->sys.root, bdf, NULL);
	return 0;
}

/* Vectors are there before they are given. */
static int write_msix(struct fake_sriov_kernel *kernel, const char *bdf, unsigned nr)
{
	unsigned idx, sum = nr;
	struct fake_sriov_pf *pf = find_vf(kernel, bdf, &idx);
	char driver[64];

	if (!pf || pf->card->msix_total < 0)
		return -ENOENT;
	driver_of(kernel, bdf, driver);
	if (driver[0])
		return -EBUSY;
	for (unsigned i = 0; i < pf->nr_vfs; i++)
		sum += i == idx ? 0 : pf->nr_vectors[i];
	if (sum > (unsigned)pf->card->msix_total)
		return -ENOSPC;
	pf->nr_vectors[idx] = nr;
	fake_sriov_put_config(kernel->sys.root, bdf, nr);
	return 0;
}

static int write_device(struct fake_sriov_kernel *kernel, const char *bdf, const char *file,
			const char *text)
{
	const struct fake_sriov_card *card = card_of_vf(kernel, bdf);
	struct fake_sriov_pf *pf = NULL;

	for (unsigned i = 0; i < kernel->nr_pfs; i++)
		if (strcmp(kernel->pfs[i].bdf, bdf) == 0)
			pf = &kernel->pfs[i];
	if (pf && strcmp(file, "sriov_numvfs") == 0)
		return write_numvfs(kernel, pf, (unsigned)atoi(text));
	if (pf && strcmp(file, "sriov_drivers_autoprobe") == 0) {
		put(kernel, bdf, file, text);
		return 0;
	}
	if (strcmp(file, "reset") == 0)
		return write_reset(kernel, pf, bdf);
	if (card && strcmp(file, "driver_override") == 0) {
		put(kernel, bdf, file, strcmp(text, "\n") == 0 ? "(null)\n" : text);
		return 0;
	}
	if (strcmp(file, "sriov_vf_msix_count") == 0)
		return write_msix(kernel, bdf, (unsigned)atoi(text));
	return -ENOENT;
}

static int write_file(const struct rwy_sriov_sys *sys, const char *path, const char *text)
{
	struct fake_sriov_kernel *kernel = of(sys);
	char first[64], second[64];
	int rc = fake_sriov_kernel_begin(kernel);

	if (rc <= 0)
		return rc;
	if (sscanf(path, DEVICES "%63[^/]/%63s", first, second) == 2)
		rc = write_device(kernel, first, second, text);
	else if (sscanf(path, "/sys/bus/pci/drivers/%63[^/]/%63s", first, second) == 2)
		rc = strcmp(second, "bind") == 0 ? write_bind(kernel, first, text)
						 : write_unbind(kernel, first, text);
	else
		rc = -ENOENT;
	fake_sriov_kernel_end(kernel);
	return rc;
}

/* Writers may be threads; children are born while there is but one. */
static int fake_write(const struct rwy_sriov_sys *sys, const char *path, const char *text)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	int rc;

	pthread_mutex_lock(&lock);
	rc = write_file(sys, path, text);
	pthread_mutex_unlock(&lock);
	return rc;
}

static void fake_wait(const struct rwy_sriov_sys *sys, unsigned ms)
{
	struct fake_sriov_kernel *kernel = of(sys);

	if (kernel->down && !kernel->link_never && kernel->nr_down-- == 1) {
		put_carrier(kernel, kernel->down, true);
		kernel->down = NULL;
	}
	if (!kernel->pending || ++kernel->nr_waits < kernel->late)
		return;
	kernel->pending->nr_vfs = 0;
	fake_sriov_kernel_set_vfs(kernel, kernel->pending, kernel->nr_pending);
	kernel->pending = NULL;
}

/* ---- the kernel ---- */

struct fake_sriov_kernel *fake_sriov_kernel_open(void)
{
	struct fake_sriov_kernel *kernel = mmap(NULL, sizeof(*kernel), PROT_READ | PROT_WRITE,
						MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	void *root = NULL;

	assert_true(kernel != MAP_FAILED);
	assert_int_equal(fake_root_open(&root), 0);
	kernel->sys = (struct rwy_sriov_sys){.write = fake_write,
					     .send = fake_sriov_link_send,
					     .recv = fake_sriov_link_recv,
					     .nvme = fake_sriov_nvme,
					     .wait = fake_wait,
					     .root = root,
					     .netlink = {-1, -1},
					     .ctx = kernel};
	kernel->fail_err = EIO;
	fake_root_write(root, "/proc/uptime", "1 1\n");
	fake_root_write(root, "/sys/bus/pci/drivers/vfio-pci/bind", "");
	return kernel;
}

void fake_sriov_kernel_close(struct fake_sriov_kernel *kernel)
{
	void *root = (void *)kernel->sys.root;

	assert_int_equal(fake_root_close(&root), 0);
	munmap(kernel, sizeof(*kernel));
}

struct fake_sriov_pf *fake_sriov_kernel_add_pf(struct fake_sriov_kernel *kernel, const char *driver,
					       const char *bdf, unsigned total)
{
	struct fake_sriov_pf *pf = &kernel->pfs[kernel->nr_pfs++];

	pf->card = fake_sriov_card(driver);
	snprintf(pf->bdf, sizeof(pf->bdf), "%s", bdf);
	pf->ifindex = fake_sriov_routing_id(bdf);
	pf->total = total;
	fake_sriov_add_pf(kernel->sys.root, pf->card, bdf, total);
	if (strcmp(driver, "nvme") == 0) {
		const unsigned all[2] = {8, 4};
		char name[32];

		snprintf(name, sizeof(name), "nvme/nvme%u/cntlid", kernel->nr_pfs - 1);
		put(kernel, bdf, name, "1\n");
		memcpy(pf->flexible, all, sizeof(all));
		memcpy(pf->kept, all, sizeof(all));
		memcpy(pf->kept_next, all, sizeof(all));
	}
	return pf;
}
