/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/vfio_pci.h"

#include "lib/fd.h"
#include "vmm/vfio_pci_priv.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define RWY_STEM "vfio_pci"

static struct rwy_vfio_pci *of_pci(struct rwy_pci_dev *dev)
{
	return RWY_CONTAINER_OF(dev, struct rwy_vfio_pci, pci);
}

/* ---- the function as the root sees it ---- */

static void bar_read(struct rwy_pci_dev *dev, unsigned bar, uint64_t off, void *buf, unsigned len)
{
	rwy_vfio_bar_read(of_pci(dev), bar, off, buf, len);
}

static void bar_write(struct rwy_pci_dev *dev, unsigned bar, uint64_t off, const void *buf,
		      unsigned len)
{
	rwy_vfio_bar_write(of_pci(dev), bar, off, buf, len);
}

static void bar_mapped(struct rwy_pci_dev *dev, unsigned bar, bool mapped)
{
	rwy_vfio_bar_mapped(of_pci(dev), bar, mapped);
}

static void config_read(struct rwy_pci_dev *dev, unsigned off, unsigned len)
{
	rwy_vfio_config_read(of_pci(dev), off, len);
}

/* Nobody may reach registers that do not answer: that is a fault in KVM. */
static void config_written(struct rwy_pci_dev *dev, unsigned off, unsigned len)
{
	struct rwy_vfio_pci *t = of_pci(dev);
	unsigned power = t->pm + PCI_PM_CTRL;
	bool about_power = t->pm && off <= power && power < off + len;
	bool asleep = about_power && dev->config[power] & PCI_PM_CTRL_STATE_MASK;

	if (asleep) {
		t->asleep = true;
		rwy_vfio_bar_follow(t);
	}
	rwy_vfio_vectors_follow(t, off, len);
	rwy_vfio_config_written(t, off, len);
	if (about_power && !asleep) {
		t->asleep = false;
		rwy_vfio_bar_follow(t);
	}
}

/* Awake, silent, deaf, and only then like new. */
static void reset_hardware(struct rwy_vfio_pci *t)
{
	const uint16_t d0 = 0, command = 0;
	char why[RWY_HOT_RESET_WHY];
	int err;

	if (t->pm)
		(void)rwy_vfio_write(&t->vfio, RWY_VFIO_CONFIG, t->pm + PCI_PM_CTRL, &d0,
				     sizeof(d0));
	(void)rwy_vfio_write(&t->vfio, RWY_VFIO_CONFIG, PCI_COMMAND, &command, sizeof(command));
	err = rwy_space_reset(t->config.space, &t->vfio, why);
	/* The last one of a slot that becomes quiet resets the others with itself. */
	if (err == -EBUSY)
		rwy_debug("%s: not reset now: %s", t->vfio.name, why);
	else if (err && rwy_log_allow(&t->limit, 1))
		rwy_warn("%s: cannot be reset, the guest finds it as it was left: %s", t->vfio.name,
			 why);
}

/* The root has put configuration space back, so no BAR is decoded any more. */
static bool pci_reset(struct rwy_pci_dev *dev)
{
	struct rwy_vfio_pci *t = of_pci(dev);

	if (t->gone)
		return true;
	t->asleep = false;
	rwy_vfio_vectors_quiet(t);
	reset_hardware(t);
	rwy_vfio_vectors_power_on(t);
	return true;
}

/* ---- the end ---- */

static void unwatch(struct rwy_vfio_pci *t, struct rwy_watch *watch, int *fd)
{
	if (watch->fd >= 0)
		rwy_poll_unwatch(t->config.poll, watch);
	watch->fd = -1;
	rwy_fd_close(fd);
}

/* Nothing of the function is the guest's any more, and nothing of it ours. */
static void let_go(struct rwy_vfio_pci *t)
{
	if (t->gone)
		return;
	t->gone = true;
	t->pci.config_len = 0;
	rwy_vfio_vectors_fini(t);
	rwy_vfio_bar_fini(t);
	(void)rwy_vfio_irq_single(&t->vfio, RWY_VFIO_ERR, -1);
	(void)rwy_vfio_irq_single(&t->vfio, RWY_VFIO_REQ, -1);
	unwatch(t, &t->err_watch, &t->err_fd);
	unwatch(t, &t->req_watch, &t->req_fd);
	rwy_space_detach(t->config.space, &t->vfio);
}

static void pci_close(struct rwy_pci_dev *dev)
{
	struct rwy_vfio_pci *t = of_pci(dev);
	pthread_mutex_t *lock = t->config.lock;

	pthread_mutex_lock(lock);
	let_go(t);
	free(t);
	pthread_mutex_unlock(lock);
}

static const struct rwy_pci_dev_ops pci_ops = {
	.bar_read = bar_read,
	.bar_write = bar_write,
	.bar_mapped = bar_mapped,
	.config_read = config_read,
	.config_written = config_written,
	.reset = pci_reset,
	.close = pci_close,
};

/* ---- what the host has to say ---- */

/* The guest goes on: its driver finds all ones, as after pulling a card. */
static void on_error(void *ctx, uint32_t events)
{
	struct rwy_vfio_pci *t = ctx;

	pthread_mutex_lock(t->config.lock);
	rwy_error("%s: the hardware reports a fatal error (see dmesg): stopped, and taken from the "
		  "guest as %s",
		  t->vfio.name, t->name);
	let_go(t);
	pthread_mutex_unlock(t->config.lock);
}

static void on_request(void *ctx, uint32_t events)
{
	struct rwy_vfio_pci *t = ctx;

	(void)rwy_fd_drain(t->req_fd);
	if (!t->asked && t->config.wanted_back && t->config.wanted_back(t->config.ctx, t->name)) {
		t->asked = true;
		rwy_info("%s: the host asks for it back: the guest shall let go of %s",
			 t->vfio.name, t->name);
		return;
	}
	pthread_mutex_lock(t->config.lock);
	rwy_warn("%s: the host asks for it back: taken from the guest as %s", t->vfio.name,
		 t->name);
	let_go(t);
	pthread_mutex_unlock(t->config.lock);
}

/* Older kernels do not tell; then we do not hear. */
static int watch(struct rwy_vfio_pci *t, unsigned index, int *fd, struct rwy_watch *watch,
		 void (*ready)(void *ctx, uint32_t events))
{
	int err;

	if (t->vfio.irqs[index].nr == 0)
		return 0;
	*fd = rwy_fd_event();
	if (*fd < 0)
		return *fd;
	*watch = (struct rwy_watch){*fd, EPOLLIN, ready, t};
	err = rwy_poll_watch(t->config.poll, watch);
	if (err) {
		watch->fd = -1;
		return err;
	}
	return rwy_vfio_irq_single(&t->vfio, index, *fd);
}

/* ---- the beginning ---- */

static int describe(struct rwy_vfio_pci *t)
{
	int err = rwy_vfio_config_init(t, &pci_ops);

	if (!err)
		err = rwy_vfio_bar_init(t);
	if (err)
		return err;
	err = rwy_vfio_vectors_init(t);
	if (!err)
		err = watch(t, RWY_VFIO_ERR, &t->err_fd, &t->err_watch, on_error);
	if (!err)
		err = watch(t, RWY_VFIO_REQ, &t->req_fd, &t->req_watch, on_request);
	if (err)
		rwy_error("%s: its interrupts cannot be set up: %s", t->vfio.name, strerror(-err));
	return err;
}

int rwy_vfio_pci_open(const struct rwy_vfio_pci_config *config, struct rwy_space_device *device)
{
	struct rwy_vfio_pci *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	t->config = *config;
	snprintf(t->name, sizeof(t->name), "%s", config->name);
	t->config.name = t->name;
	t->intx_fd = t->resample_fd = t->err_fd = t->req_fd = -1;
	t->err_watch.fd = t->req_watch.fd = -1;
	err = rwy_space_attach(config->space, device, &t->vfio);
	if (err) {
		free(t);
		return err;
	}
	/* Whoever had it before left it in some state. */
	reset_hardware(t);
	err = describe(t);
	if (err)
		goto let_go;
	t->pci.bridge = config->bridge;
	err = rwy_pci_plug(config->pci, &t->pci);
	if (err) {
		rwy_error("%s: its BARs, or one device more, do not fit on the PCI bus: %s",
			  t->vfio.name, strerror(-err));
		goto let_go;
	}
	rwy_vfio_vectors_power_on(t);
	return (int)t->pci.slot;

let_go:
	let_go(t);
	free(t);
	return err;
}
