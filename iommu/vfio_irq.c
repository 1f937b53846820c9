/* SPDX-License-Identifier: BSD-3-Clause */
#include "iommu/vfio_irq.h"

#include "lib/log.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#define RWY_STEM "vfio_irq"

/* nr fds from vector `first` on; flags without the kind of data. */
static int set(const struct rwy_vfio *vfio, unsigned index, unsigned flags, unsigned first,
	       unsigned nr, const int *fds)
{
	size_t size = sizeof(struct vfio_irq_set) + (fds ? nr * sizeof(*fds) : 0);
	struct vfio_irq_set *arg = calloc(1, size);
	int rc;

	if (!arg)
		return -ENOMEM;
	arg->argsz = (uint32_t)size;
	arg->flags = flags | (fds ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE);
	arg->index = index;
	arg->start = first;
	arg->count = nr;
	if (fds)
		memcpy(arg->data, fds, nr * sizeof(*fds));
	rc = vfio->sys->ioctl(vfio->sys->ctx, vfio->fd, VFIO_DEVICE_SET_IRQS, arg);
	free(arg);
	return rc;
}

int rwy_vfio_irq_init(struct rwy_vfio_irq *irq, const struct rwy_vfio *vfio, unsigned index)
{
	*irq = (struct rwy_vfio_irq){.vfio = vfio, .index = index, .nr = vfio->irqs[index].nr};
	irq->fds = calloc(RWY_MAX(irq->nr, 1u), sizeof(*irq->fds));
	irq->news = calloc(RWY_MAX(irq->nr, 1u), sizeof(*irq->news));
	if (!irq->fds || !irq->news) {
		rwy_vfio_irq_fini(irq);
		return -ENOMEM;
	}
	for (unsigned v = 0; v < irq->nr; v++)
		irq->fds[v] = -1;
	return 0;
}

void rwy_vfio_irq_fini(struct rwy_vfio_irq *irq)
{
	free(irq->fds);
	free(irq->news);
	irq->fds = NULL;
	irq->news = NULL;
	irq->nr = 0;
}

void rwy_vfio_irq_use(struct rwy_vfio_irq *irq, unsigned v, int fd)
{
	if (irq->fds[v] == fd)
		return;
	irq->fds[v] = fd;
	irq->news[v] = true;
}

/* From nothing: all vectors in one call. Positive: so many are left. */
static int start(struct rwy_vfio_irq *irq, unsigned nr)
{
	int rc = set(irq->vfio, irq->index, VFIO_IRQ_SET_ACTION_TRIGGER, 0, nr, irq->fds);

	if (rc)
		return rc;
	irq->live = nr;
	memset(irq->news, 0, irq->nr * sizeof(*irq->news));
	return 0;
}

static int restart(struct rwy_vfio_irq *irq, unsigned needed)
{
	unsigned wanted = needed;
	int rc;

	if (irq->vfio->irqs[irq->index].fixed)
		while (wanted < irq->nr && !RWY_IS_POW2(wanted))
			wanted++;
	if (irq->live)
		(void)set(irq->vfio, irq->index, VFIO_IRQ_SET_ACTION_TRIGGER, 0, 0, NULL);
	irq->live = 0;
	rc = start(irq, wanted);
	if (rc && wanted > needed)
		rc = start(irq, needed);
	return rc > 0 ? -ENOSPC : rc;
}

/* Runs of vectors that are new, one call each. */
static int add(struct rwy_vfio_irq *irq, unsigned end)
{
	unsigned v = 0;

	while (v < end) {
		unsigned first = v;
		int rc;

		if (!irq->news[v]) {
			v++;
			continue;
		}
		while (v < end && irq->news[v])
			irq->news[v++] = false;
		rc = set(irq->vfio, irq->index, VFIO_IRQ_SET_ACTION_TRIGGER, first, v - first,
			 irq->fds + first);
		if (rc)
			return rc > 0 ? -ENOSPC : rc;
	}
	irq->live = RWY_MAX(irq->live, end);
	return 0;
}

int rwy_vfio_irq_update(struct rwy_vfio_irq *irq, unsigned least)
{
	unsigned needed = RWY_MAX(least, irq->live);
	int err;

	for (unsigned v = 0; v < irq->nr; v++)
		if (irq->fds[v] >= 0)
			needed = RWY_MAX(needed, v + 1);
	if (needed == 0)
		return 0;
	if (irq->live == 0 || (needed > irq->live && irq->vfio->irqs[irq->index].fixed))
		err = restart(irq, needed);
	else
		err = add(irq, needed);
	if (err)
		rwy_error("%s: the host does not give %u interrupt vectors: %s", irq->vfio->name,
			  needed, strerror(-err));
	return err;
}

void rwy_vfio_irq_stop(struct rwy_vfio_irq *irq)
{
	if (irq->live)
		(void)set(irq->vfio, irq->index, VFIO_IRQ_SET_ACTION_TRIGGER, 0, 0, NULL);
	irq->live = 0;
	for (unsigned v = 0; v < irq->nr; v++) {
		irq->fds[v] = -1;
		irq->news[v] = false;
	}
}

int rwy_vfio_irq_single(const struct rwy_vfio *vfio, unsigned index, int fd)
{
	if (vfio->irqs[index].nr == 0)
		return -EOPNOTSUPP;
	if (fd < 0)
		return set(vfio, index, VFIO_IRQ_SET_ACTION_TRIGGER, 0, 0, NULL);
	return set(vfio, index, VFIO_IRQ_SET_ACTION_TRIGGER, 0, 1, &fd);
}

int rwy_vfio_irq_resample(const struct rwy_vfio *vfio, int resample_fd)
{
	return set(vfio, RWY_VFIO_INTX, VFIO_IRQ_SET_ACTION_UNMASK, 0, 1, &resample_fd);
}

void rwy_vfio_irq_mask(const struct rwy_vfio *vfio, bool mask)
{
	(void)set(vfio, RWY_VFIO_INTX, mask ? VFIO_IRQ_SET_ACTION_MASK : VFIO_IRQ_SET_ACTION_UNMASK,
		  0, 1, NULL);
}
