/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/vdev_vu.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/vq.h"
#include "lib/vu_front.h"
#include "vmm/net_ctrl.h"
#include "vmm/vdev_vu_rows.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define RWY_STEM "vdev_vu"

#define CONFIG_MAX  RWY_VDEV_VU_CONFIG_MAX
#define BASE_PACKED 0x80008000u /* both wrap counters begin as 1 (2.8.1) */

/* Virtio 1.2 section 6: what the rings themselves can do, for any type of device. */
#define RING_FEATURES                                                                  \
	(RWY_BIT64(VIRTIO_RING_F_INDIRECT_DESC) | RWY_BIT64(VIRTIO_RING_F_EVENT_IDX) | \
	 RWY_BIT64(VIRTIO_F_VERSION_1) | RWY_BIT64(VIRTIO_F_RING_PACKED) |             \
	 RWY_BIT64(VIRTIO_F_IN_ORDER))

enum wish { REST, RUN, STOP };

struct device {
	struct rwy_vdev vdev;
	const struct rwy_vdev_vu_row *row;
	char *name;
	char *backend;	 /* NULL: not known */
	unsigned queues; /* of the user's counting; at first wanted, then there */
	uint8_t mac[6];
	bool mac_given;
	struct rwy_poll *poll;
	const struct rwy_mem *mem;
	struct rwy_vu_front *front;
	struct rwy_net_ctrl *ctrl; /* NULL: none */
	struct rwy_watch wake;	   /* an eventfd: a vCPU left a wish */
	struct rwy_watch err;	   /* an eventfd that rings write when they break */
	void (*ready)(void *ctx);
	void *ctx;
	bool is_ready;
	bool driven;		    /* the front-end was started and has not stopped */
	struct rwy_log_limit limit; /* on what a guest can make us say */

	pthread_mutex_t *lock; /* the bus lock, over the rest */
	enum wish wish;
	uint64_t acked;
	uint64_t features; /* shown to the guest */
	uint8_t config[CONFIG_MAX];
	uint8_t written[CONFIG_MAX]; /* by the guest, for the back-end: [from, to) */
	unsigned written_from, written_to;
};

/* ---- what the transport calls: on vCPUs, under the lock ---- */

static struct device *of(const struct rwy_vdev *vdev)
{
	return RWY_CONTAINER_OF(vdev, struct device, vdev);
}

static uint64_t vdev_features(struct rwy_vdev *vdev)
{
	return of(vdev)->features;
}

static void vdev_config_read(struct rwy_vdev *vdev, uint32_t off, void *buf, uint32_t len)
{
	memcpy(buf, of(vdev)->config + off, len);
}

static void vdev_config_write(struct rwy_vdev *vdev, uint32_t off, const void *buf, uint32_t len)
{
	struct device *dev = of(vdev);

	if (!dev->row->config_writable)
		return;
	if (dev->written_from == dev->written_to) {
		dev->written_from = off;
		dev->written_to = off;
		memcpy(dev->written, dev->config, sizeof(dev->written));
	}
	memcpy(dev->config + off, buf, len);
	memcpy(dev->written + off, buf, len);
	dev->written_from = RWY_MIN(dev->written_from, off);
	dev->written_to = RWY_MAX(dev->written_to, off + len);
	(void)rwy_fd_signal(dev->wake.fd);
}

static void vdev_start(struct rwy_vdev *vdev, uint64_t features)
{
	struct device *dev = of(vdev);

	dev->acked = features;
	dev->wish = RUN;
	(void)rwy_fd_signal(dev->wake.fd);
}

static void vdev_stop(struct rwy_vdev *vdev)
{
	struct device *dev = of(vdev);

	dev->wish = STOP;
	(void)rwy_fd_signal(dev->wake.fd);
}

/* ---- the main thread: the driver's wishes ---- */

static void tell_stopped(struct device *dev)
{
	pthread_mutex_lock(dev->lock);
	if (dev->wish == STOP) {
		dev->wish = REST;
		dev->vdev.transport->stopped(&dev->vdev);
	}
	pthread_mutex_unlock(dev->lock);
}

/* Rings that the back-end serves; without its consent to several queues a driver has one. */
static unsigned nr_rings(const struct device *dev, bool mq)
{
	return (mq ? dev->queues : 1) * dev->row->queue_rings;
}

static bool areas_in_memory(const struct device *dev, const struct rwy_vdev_queue *queue,
			    bool packed)
{
	uint64_t len[3];

	rwy_vq_layout(queue->size, packed, len);
	return rwy_mem_at(dev->mem, queue->desc, len[0]) &&
	       rwy_mem_at(dev->mem, queue->driver, len[1]) &&
	       rwy_mem_at(dev->mem, queue->device, len[2]);
}

/*
 * The rings as the driver set them up. False: one of them is not in memory. Where there is a
 * control queue the driver begins with one pair, and asks for more there (5.1.6.5.5).
 */
static bool collect_rings(struct device *dev, uint64_t acked, struct rwy_vu_ring *rings,
			  unsigned nr)
{
	bool packed = acked & RWY_BIT64(VIRTIO_F_RING_PACKED);

	for (unsigned i = 0; i < nr; i++) {
		const struct rwy_vdev_queue *queue = &dev->vdev.queues[i];

		rings[i] = (struct rwy_vu_ring){.kick_fd = -1, .call_fd = -1, .err_fd = -1};
		if (!queue->enabled)
			continue;
		if (!areas_in_memory(dev, queue, packed)) {
			if (rwy_log_allow(&dev->limit, 4))
				rwy_warn("%s: queue %u is not in memory", dev->name, i);
			return false;
		}
		rings[i] = (struct rwy_vu_ring){
			.size = queue->size,
			.enabled = !dev->ctrl || i < dev->row->queue_rings,
			.desc = queue->desc,
			.driver = queue->driver,
			.device = queue->device,
			.base = packed ? BASE_PACKED : 0,
			.kick_fd = queue->kick_fd,
			.call_fd = queue->call_fd,
			.err_fd = dev->err.fd,
		};
	}
	return true;
}

static int start_ctrl(struct device *dev, uint64_t acked, const struct rwy_vdev_queue *queue)
{
	if (!dev->ctrl || !queue->enabled)
		return 0;
	return rwy_net_ctrl_start(dev->ctrl, queue, acked, dev->err.fd);
}

static int start_all(struct device *dev)
{
	struct rwy_vu_ring rings[RWY_VDEV_QUEUES];
	struct rwy_vdev_queue behind; /* the data rings: the control queue if there is one */
	uint64_t acked, own;
	unsigned nr;
	bool good;
	int rc;

	pthread_mutex_lock(dev->lock);
	acked = dev->acked;
	nr = nr_rings(dev, acked & dev->row->mq_feature);
	good = collect_rings(dev, acked, rings, nr);
	behind = dev->vdev.queues[nr];
	pthread_mutex_unlock(dev->lock);
	rc = good ? start_ctrl(dev, acked, &behind) : -EFAULT;
	if (rc < 0)
		return rc;
	/* What only the VMM serves is not the back-end's business. */
	own = dev->row->own_features & ~rwy_vu_front_features(dev->front);
	rc = rwy_vu_front_start(dev->front, acked & ~own, rings, nr);
	if (rc < 0 && dev->ctrl)
		rwy_net_ctrl_stop(dev->ctrl);
	return rc;
}

static void begin(struct device *dev)
{
	int rc = start_all(dev);

	dev->driven = rc == 0;
	if (rc == 0)
		return;
	if (rwy_log_allow(&dev->limit, 4))
		rwy_warn("%s: the driver's queues cannot run: %s", dev->name, strerror(-rc));
	pthread_mutex_lock(dev->lock);
	if (dev->wish == RUN)
		dev->wish = REST;
	dev->vdev.transport->needs_reset(&dev->vdev);
	pthread_mutex_unlock(dev->lock);
}

static void write_config(struct device *dev)
{
	uint8_t written[CONFIG_MAX];
	unsigned from, to;

	pthread_mutex_lock(dev->lock);
	from = dev->written_from;
	to = dev->written_to;
	memcpy(written, dev->written, sizeof(written));
	dev->written_from = dev->written_to = 0;
	pthread_mutex_unlock(dev->lock);
	if (from < to && rwy_vu_front_set_config(dev->front, from, written + from, to - from) < 0 &&
	    rwy_log_allow(&dev->limit, 4))
		rwy_warn("%s: the back-end did not take a change of configuration", dev->name);
}

static void wake_ready(void *ctx, uint32_t events)
{
	struct device *dev = ctx;
	enum wish wish;

	(void)rwy_fd_drain(dev->wake.fd);
	write_config(dev);
	pthread_mutex_lock(dev->lock);
	wish = dev->wish;
	pthread_mutex_unlock(dev->lock);
	if (wish == RUN && !dev->driven) {
		begin(dev);
	} else if (wish == STOP && dev->driven) {
		if (dev->ctrl)
			rwy_net_ctrl_stop(dev->ctrl);
		rwy_vu_front_stop(dev->front);
	} else if (wish == STOP) {
		tell_stopped(dev);
	}
}

static void err_ready(void *ctx, uint32_t events)
{
	struct device *dev = ctx;

	(void)rwy_fd_drain(dev->err.fd);
	if (rwy_log_allow(&dev->limit, 4))
		rwy_warn("%s: a queue is broken, the driver must reset the device", dev->name);
	pthread_mutex_lock(dev->lock);
	dev->vdev.transport->needs_reset(&dev->vdev);
	pthread_mutex_unlock(dev->lock);
}

static bool set_pairs(void *ctx, unsigned pairs)
{
	struct device *dev = ctx;

	if (pairs < 1 || pairs > dev->queues)
		return false;
	for (unsigned i = 0; i < nr_rings(dev, true); i++) {
		bool on = i < pairs * dev->row->queue_rings;

		if (rwy_vu_front_rings(dev->front)[i].enabled != on &&
		    rwy_vu_front_enable(dev->front, i, on) < 0)
			return false; /* MQ was not negotiated */
	}
	return true;
}

/* ---- the main thread: the back-end's news ---- */

/* Shows the guest what is true now, and tells it if that is something new. */
static void refresh(struct device *dev)
{
	const struct rwy_vdev_vu_row *row = dev->row;
	const uint8_t *told = rwy_vu_front_config_space(dev->front);
	struct rwy_vdev_vu_facts facts = {
		.queues = dev->queues,
		.features = rwy_vu_front_features(dev->front),
		.has_config = told != NULL,
		.connected = rwy_vu_front_connected(dev->front),
	};
	uint64_t features = dev->queues > 1 ? facts.features : facts.features & ~row->mq_feature;
	uint8_t config[CONFIG_MAX] = {0};
	bool changed;

	memcpy(facts.mac, dev->mac, sizeof(facts.mac));
	facts.mac_given = dev->mac_given;
	if (told)
		memcpy(config, told, row->config_len);
	if (row->shown_config)
		row->shown_config(&facts, config);
	if (row->shown_features)
		features = row->shown_features(&facts, features);
	pthread_mutex_lock(dev->lock);
	changed = memcmp(dev->config, config, sizeof(config)) != 0;
	memcpy(dev->config, config, sizeof(config));
	dev->features = features;
	if (changed && dev->vdev.transport)
		dev->vdev.transport->config_changed(&dev->vdev);
	pthread_mutex_unlock(dev->lock);
}

/* How many queues there are is known now, and stays. */
static void settle(struct device *dev)
{
	unsigned there = rwy_vu_front_nr_queues(dev->front) / dev->row->queue_rings;

	if (there < dev->queues)
		rwy_warn("%s: %u queues wanted, the back-end has %u", dev->name, dev->queues,
			 there);
	dev->queues = RWY_MIN(dev->queues, there);
	dev->vdev.nr_queues = nr_rings(dev, true);
	if (dev->queues > 1)
		dev->vdev.nr_queues += dev->row->own_rings;
	for (unsigned i = 0; i < dev->vdev.nr_queues; i++)
		dev->vdev.queues[i].size_max = dev->row->queue_size;
}

static int open_ctrl(struct device *dev)
{
	const struct rwy_net_ctrl_config config = {
		.name = dev->name,
		.poll = dev->poll,
		.mem = dev->mem,
		.set_pairs = set_pairs,
		.ctx = dev,
	};

	if (dev->queues == 1 || dev->row->own_rings == 0)
		return 0;
	return rwy_net_ctrl_open(&dev->ctrl, &config);
}

static void front_ready(void *ctx)
{
	struct device *dev = ctx;
	int rc;

	if (dev->is_ready) {
		refresh(dev);
		return;
	}
	settle(dev);
	rc = open_ctrl(dev);
	if (rc < 0) {
		rwy_error("%s: no control queue: %s", dev->name, strerror(-rc));
		dev->queues = 1;
		settle(dev);
	}
	refresh(dev);
	dev->is_ready = true;
	if (dev->ready)
		dev->ready(dev->ctx);
}

static void front_started(void *ctx)
{
}

static void front_lost(void *ctx, const char *why)
{
	refresh(ctx);
}

static void front_stopped(void *ctx)
{
	struct device *dev = ctx;

	dev->driven = false;
	tell_stopped(dev);
}

static void front_config(void *ctx)
{
	refresh(ctx);
}

static const struct rwy_vu_front_ops front_ops = {
	.on_ready = front_ready,
	.on_started = front_started,
	.on_lost = front_lost,
	.on_stopped = front_stopped,
	.on_config = front_config,
};

/* ---- life ---- */

static void vdev_close(struct rwy_vdev *vdev)
{
	struct device *dev = of(vdev);

	rwy_vu_front_close(dev->front);
	rwy_net_ctrl_close(dev->ctrl);
	if (dev->wake.fd >= 0)
		rwy_poll_unwatch(dev->poll, &dev->wake);
	if (dev->err.fd >= 0)
		rwy_poll_unwatch(dev->poll, &dev->err);
	rwy_fd_close(&dev->wake.fd);
	rwy_fd_close(&dev->err.fd);
	free(dev->name);
	free(dev->backend);
	free(dev);
}

static const struct rwy_vdev_ops vdev_ops = {
	.features = vdev_features,
	.config_read = vdev_config_read,
	.config_write = vdev_config_write,
	.start = vdev_start,
	.stop = vdev_stop,
	.close = vdev_close,
};

/* The same at every start of the same machine, different from that of its neighbours. */
static void derive_mac(uint8_t mac[6], const char *name, const char *socket_path)
{
	const char *parts[] = {name, "@", socket_path ? socket_path : ""};
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(parts); i++) {
		for (const char *c = parts[i]; *c; c++)
			hash = (hash ^ (uint8_t)*c) * 16777619u;
	}
	mac[0] = 'R'; /* happens to be a locally administered unicast prefix */
	mac[1] = 'W';
	mac[2] = 'Y';
	mac[3] = (uint8_t)(hash >> 16);
	mac[4] = (uint8_t)(hash >> 8);
	mac[5] = (uint8_t)hash;
}

static int watch_event(struct device *dev, struct rwy_watch *watch,
		       void (*ready)(void *ctx, uint32_t events))
{
	int fd = rwy_fd_event();
	int rc;

	if (fd < 0)
		return fd;
	*watch = (struct rwy_watch){.fd = fd, .events = EPOLLIN, .ready = ready, .ctx = dev};
	rc = rwy_poll_watch(dev->poll, watch);
	if (rc < 0)
		rwy_fd_close(&watch->fd);
	return rc;
}

static int open_front(struct device *dev, const struct rwy_vdev_vu_config *config)
{
	struct rwy_vu_front_config front = {
		.name = dev->name,
		.socket_path = config->socket_path,
		.fd = config->fd,
		.features = RING_FEATURES | dev->row->features,
		.nr_queues = nr_rings(dev, true),
		.queue_rings = dev->row->queue_rings,
		.config_len = dev->row->config_len,
		.need_config = dev->row->config_needed,
		.ops = &front_ops,
		.ctx = dev,
	};

	if (!config->packed)
		front.features &= ~RWY_BIT64(VIRTIO_F_RING_PACKED);
	if (config->no_mergeable)
		front.features &= ~RWY_BIT64(VIRTIO_NET_F_MRG_RXBUF);
	return rwy_vu_front_open(&dev->front, dev->poll, config->mem, &front);
}

static struct device *describe(const struct rwy_vdev_vu_row *row,
			       const struct rwy_vdev_vu_config *config)
{
	const char *backend = config->backend ? config->backend : config->socket_path;
	struct device *dev = calloc(1, sizeof(*dev));

	if (!dev)
		return NULL;
	dev->row = row;
	dev->queues = config->queues ? config->queues : 1;
	dev->poll = config->poll;
	dev->mem = config->mem;
	dev->lock = config->lock;
	dev->ready = config->ready;
	dev->ctx = config->ctx;
	dev->wake.fd = dev->err.fd = -1;
	dev->name = strdup(config->name);
	dev->backend = backend ? strdup(backend) : NULL;
	dev->vdev = (struct rwy_vdev){
		.bell = rwy_poll_bell(config->poll),
		.ops = &vdev_ops,
		.name = dev->name,
		.backend = dev->backend,
		.device_id = row->device_id,
		.pci_class = row->pci_class,
		.config_len = row->config_len,
	};
	dev->mac_given = config->mac;
	if (config->mac)
		memcpy(dev->mac, config->mac, sizeof(dev->mac));
	else
		derive_mac(dev->mac, config->name, config->socket_path);
	return dev;
}

int rwy_vdev_vu_open(struct rwy_vdev **vdev, const struct rwy_vdev_vu_config *config)
{
	const struct rwy_vdev_vu_row *row = rwy_vdev_vu_rows_find(config->type);
	struct device *dev;
	int rc;

	if (!row || config->queues > (RWY_VDEV_QUEUES - row->own_rings) / row->queue_rings) {
		rwy_error("%s: no %s device of %u queues", config->name, config->type,
			  config->queues);
		return -EINVAL;
	}
	dev = describe(row, config);
	if (!dev)
		return -ENOMEM;
	rc = dev->name ? watch_event(dev, &dev->wake, wake_ready) : -ENOMEM;
	if (rc == 0)
		rc = watch_event(dev, &dev->err, err_ready);
	if (rc == 0)
		rc = open_front(dev, config);
	if (rc < 0) {
		vdev_close(&dev->vdev);
		return rc;
	}
	*vdev = &dev->vdev;
	return 0;
}

bool rwy_vdev_vu_ready(const struct rwy_vdev *vdev)
{
	return of(vdev)->is_ready;
}

uint64_t rwy_vdev_vu_reconnects(const struct rwy_vdev *vdev)
{
	return rwy_vu_front_reconnects(of(vdev)->front);
}
