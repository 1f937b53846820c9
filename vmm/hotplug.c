/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/hotplug.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "vmm/root_port.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define RWY_STEM "hotplug"

#define MAKE_NS UINT64_C(10000000000) /* for a device to become ready */
#define ASK_NS	UINT64_C(60000000000) /* for a guest to answer */

enum state {
	FREE,
	OPENING, /* not ready yet */
	PLUGGED,
	ASKED,	 /* the guest shall let go */
	LEAVING, /* it has; the device is to become quiet */
};

struct port {
	struct rwy_hotplug *hotplug;
	struct rwy_root_port *root_port; /* the PCI root's */
	char name[8];
	enum state state;
	struct rwy_hotplug_dev dev;
	struct rwy_timer timer; /* while opening, and while asked */
	char why[96];		/* it is to be given up when the timer fires */
	/* Under the bus lock, from any thread */
	struct rwy_pci_dev *pci; /* the device, once plugged in and until closed */
	bool released, kept, left;
};

struct rwy_hotplug {
	struct rwy_hotplug_config config;
	struct rwy_watch news; /* its eventfd is owned */
	unsigned nr_ports;
	struct port ports[RWY_HOTPLUG_PORTS];
};

/* ---- news, from any thread and with the lock held ---- */

static void on_released(void *ctx)
{
	struct port *port = ctx;

	port->released = true;
	(void)rwy_fd_signal(port->hotplug->news.fd);
}

static void on_kept(void *ctx)
{
	struct port *port = ctx;

	port->kept = true;
	(void)rwy_fd_signal(port->hotplug->news.fd);
}

static void on_left(void *ctx)
{
	struct port *port = ctx;

	port->left = true;
	(void)rwy_fd_signal(port->hotplug->news.fd);
}

/* ---- the main thread ---- */

static void free_port(struct port *port)
{
	rwy_poll_timer_cancel(port->hotplug->config.poll, &port->timer);
	port->state = FREE;
	port->pci = NULL;
	port->released = port->kept = port->left = false;
	port->why[0] = '\0';
	port->dev = (struct rwy_hotplug_dev){.hotplug = port->hotplug};
}

/* Lock held. */
static void take_away(struct port *port)
{
	port->state = LEAVING;
	port->released = false;
	rwy_root_port_forget(port->root_port);
	rwy_pci_unplug(port->pci, on_left, port);
	rwy_root_port_departed(port->root_port);
}

static void finish(struct port *port)
{
	const struct rwy_hotplug_config *config = &port->hotplug->config;
	char id[RWY_HOTPLUG_ID];

	memcpy(id, port->dev.id, sizeof(id));
	port->pci->ops->close(port->pci);
	free_port(port);
	rwy_info("%s: removed from %s", id, port->name);
	config->deleted(config->ctx, id);
}

static void stays(struct port *port, const char *why)
{
	const struct rwy_hotplug_config *config = &port->hotplug->config;

	port->state = PLUGGED;
	rwy_poll_timer_cancel(config->poll, &port->timer);
	rwy_warn("%s: stays where it is: %s", port->dev.id, why);
	config->kept(config->ctx, port->dev.id);
}

static void look_at(struct port *port)
{
	pthread_mutex_t *lock = port->hotplug->config.lock;
	bool kept, left;

	pthread_mutex_lock(lock);
	if (port->released && port->state == ASKED)
		take_away(port);
	kept = port->kept;
	port->kept = false;
	left = port->left;
	pthread_mutex_unlock(lock);
	if (left)
		finish(port);
	else if (kept && port->state == ASKED)
		stays(port, "the guest does not let go");
}

static void on_news(void *ctx, uint32_t events)
{
	struct rwy_hotplug *hotplug = ctx;

	(void)rwy_fd_drain(hotplug->news.fd);
	for (unsigned i = 0; i < hotplug->nr_ports; i++)
		look_at(&hotplug->ports[i]);
}

static void give_up(struct port *port)
{
	const struct rwy_hotplug_config *config = &port->hotplug->config;
	char id[RWY_HOTPLUG_ID], why[sizeof(port->why)] = "its back-end does not answer";

	memcpy(id, port->dev.id, sizeof(id));
	if (port->why[0])
		memcpy(why, port->why, sizeof(why));
	port->dev.row->close(&port->dev);
	free_port(port);
	config->added(config->ctx, id, why);
}

static void on_timer(void *ctx)
{
	struct port *port = ctx;

	if (port->state == OPENING) {
		give_up(port);
	} else if (port->state == ASKED) {
		pthread_mutex_lock(port->hotplug->config.lock);
		rwy_root_port_forget(port->root_port);
		pthread_mutex_unlock(port->hotplug->config.lock);
		stays(port, "the guest does not answer");
	}
}

/* ---- adding ---- */

void *rwy_hotplug_ctx(const struct rwy_hotplug *hotplug)
{
	return hotplug->config.ctx;
}

static int plug(struct port *port)
{
	struct rwy_pci_dev *bridge = rwy_root_port_pci(port->root_port);
	int rc;

	pthread_mutex_lock(port->hotplug->config.lock);
	rc = port->dev.row->plug(&port->dev, bridge);
	if (rc >= 0) {
		port->pci = bridge->child;
		port->state = PLUGGED;
		rwy_root_port_arrived(port->root_port);
	}
	pthread_mutex_unlock(port->hotplug->config.lock);
	return rc;
}

void rwy_hotplug_ready(struct rwy_hotplug_dev *dev)
{
	struct port *port = RWY_CONTAINER_OF(dev, struct port, dev);
	const struct rwy_hotplug_config *config = &port->hotplug->config;
	int rc;

	if (port->state != OPENING)
		return;
	rc = plug(port);
	rwy_poll_timer_cancel(config->poll, &port->timer);
	if (rc < 0) {
		/* Not closed in here, where its front-end has called. */
		snprintf(port->why, sizeof(port->why), "it cannot be plugged in: %s",
			 strerror(-rc));
		rwy_poll_timer_set(config->poll, &port->timer, 0);
		return;
	}
	rwy_info("%s: added at %s", dev->id, port->name);
	config->added(config->ctx, dev->id, NULL);
}

static struct port *find_id(struct rwy_hotplug *hotplug, const char *id)
{
	for (unsigned i = 0; i < hotplug->nr_ports; i++)
		if (hotplug->ports[i].state != FREE && strcmp(hotplug->ports[i].dev.id, id) == 0)
			return &hotplug->ports[i];
	return NULL;
}

static struct port *find_port(struct rwy_hotplug *hotplug, const char *bus)
{
	for (unsigned i = 0; i < hotplug->nr_ports; i++) {
		struct port *port = &hotplug->ports[i];

		if (bus ? strcmp(port->name, bus) == 0 : port->state == FREE)
			return port;
	}
	return NULL;
}

/* As QEMU: a letter, then letters, digits and -._ */
static bool is_id(const char *id)
{
	size_t len = strlen(id);

	if (!isalpha((unsigned char)id[0]) || len >= RWY_HOTPLUG_ID)
		return false;
	for (size_t i = 1; i < len; i++)
		if (!isalnum((unsigned char)id[i]) && !strchr("-._", id[i]))
			return false;
	return true;
}

static int check(struct rwy_hotplug *hotplug, const char *driver, const char *id, const char *bus,
		 struct rwy_opt_why *why)
{
	const struct port *port = find_port(hotplug, bus);

	if (!rwy_hotplug_rows_find(driver))
		return rwy_opt_fail(why, "'%.64s' is not a device that can be added", driver);
	if (!is_id(id))
		return rwy_opt_fail(why,
				    "Parameter 'id' expects an identifier: a letter, then "
				    "letters, digits and -._, at most %u together",
				    RWY_HOTPLUG_ID - 1);
	if (find_id(hotplug, id))
		return rwy_opt_fail(why, "Duplicate device ID '%s'", id);
	if (bus && !port)
		return rwy_opt_fail(why, "Bus '%.64s' not found", bus);
	if (!port)
		return rwy_opt_fail(why, "All %u root ports are taken", hotplug->nr_ports);
	if (port->state != FREE)
		return rwy_opt_fail(why, "Bus '%s' is taken by '%s'", port->name, port->dev.id);
	return 0;
}

int rwy_hotplug_add(struct rwy_hotplug *hotplug, const char *driver, const char *id,
		    const char *bus, const json_t *args, struct rwy_opt_why *why)
{
	struct port *port;
	int rc = check(hotplug, driver, id, bus, why);

	if (rc)
		return rc;
	port = find_port(hotplug, bus);
	port->dev.row = rwy_hotplug_rows_find(driver);
	strcpy(port->dev.id, id);
	port->state = OPENING;
	rwy_poll_timer_set(hotplug->config.poll, &port->timer, MAKE_NS);
	rc = port->dev.row->open(&port->dev, args, why);
	if (rc < 0)
		free_port(port);
	return rc;
}

int rwy_hotplug_put(struct rwy_hotplug *hotplug, const char *driver, const char *id, void *device)
{
	struct rwy_opt_why why;
	struct port *port;
	int rc = check(hotplug, driver, id, NULL, &why);

	if (rc) {
		rwy_error("%s: %s", id, why.text);
		return rc;
	}
	port = find_port(hotplug, NULL);
	port->dev.row = rwy_hotplug_rows_find(driver);
	strcpy(port->dev.id, id);
	port->dev.device = device;
	rc = plug(port);
	if (rc < 0)
		free_port(port);
	else
		rwy_debug("%s: is at %s", id, port->name);
	return RWY_MIN(rc, 0);
}

/* ---- removing ---- */

int rwy_hotplug_del(struct rwy_hotplug *hotplug, const char *id)
{
	struct port *port = find_id(hotplug, id);

	if (!port || port->state == OPENING)
		return -ENODEV;
	if (port->state != PLUGGED)
		return -EBUSY;
	port->state = ASKED;
	rwy_poll_timer_set(hotplug->config.poll, &port->timer, ASK_NS);
	pthread_mutex_lock(hotplug->config.lock);
	port->released = port->kept = false;
	if (!rwy_root_port_ask(port->root_port))
		take_away(port);
	pthread_mutex_unlock(hotplug->config.lock);
	return 0;
}

void rwy_hotplug_reset(struct rwy_hotplug *hotplug)
{
	for (unsigned i = 0; hotplug && i < hotplug->nr_ports; i++)
		if (hotplug->ports[i].state == ASKED)
			take_away(&hotplug->ports[i]);
}

const char *rwy_hotplug_id_of(const struct rwy_hotplug *hotplug, const struct rwy_pci_dev *dev)
{
	for (unsigned i = 0; hotplug && i < hotplug->nr_ports; i++)
		if (hotplug->ports[i].pci == dev)
			return hotplug->ports[i].dev.id;
	return NULL;
}

/* ---- life ---- */

static int open_port(struct rwy_hotplug *hotplug)
{
	struct port *port = &hotplug->ports[hotplug->nr_ports];
	const struct rwy_root_port_config config = {
		.number = hotplug->nr_ports + 1,
		.released = on_released,
		.kept = on_kept,
		.ctx = port,
	};
	int rc;

	port->hotplug = hotplug;
	port->timer = (struct rwy_timer){.fire = on_timer, .ctx = port};
	port->dev.hotplug = hotplug;
	snprintf(port->name, sizeof(port->name), "rp%u", config.number);
	rc = rwy_root_port_open(&port->root_port, hotplug->config.pci, &config);
	if (rc == 0)
		hotplug->nr_ports++;
	return rc;
}

int rwy_hotplug_open(struct rwy_hotplug **out, const struct rwy_hotplug_config *config)
{
	struct rwy_hotplug *hotplug = calloc(1, sizeof(*hotplug));
	int rc = 0;

	if (!hotplug)
		return -ENOMEM;
	hotplug->config = *config;
	hotplug->news = (struct rwy_watch){rwy_fd_event(), EPOLLIN, on_news, hotplug};
	rc = hotplug->news.fd < 0 ? hotplug->news.fd : rwy_poll_watch(config->poll, &hotplug->news);
	while (rc == 0 && hotplug->nr_ports < RWY_MIN(config->nr_ports, RWY_HOTPLUG_PORTS))
		rc = open_port(hotplug);
	if (rc == -ENOSPC && config->fewer)
		rc = 0;
	if (rc < 0) {
		rwy_hotplug_close(hotplug);
		return rc;
	}
	*out = hotplug;
	return 0;
}

void rwy_hotplug_close(struct rwy_hotplug *hotplug)
{
	if (!hotplug)
		return;
	for (unsigned i = 0; i < hotplug->nr_ports; i++) {
		struct port *port = &hotplug->ports[i];

		if (port->state == OPENING)
			port->dev.row->close(&port->dev);
		else if (port->left)
			port->pci->ops->close(port->pci);
		free_port(port);
	}
	if (hotplug->news.fd >= 0)
		rwy_poll_unwatch(hotplug->config.poll, &hotplug->news);
	rwy_fd_close(&hotplug->news.fd);
	free(hotplug);
}
