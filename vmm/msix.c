/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/msix.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* Where the local APICs listen (Intel SDM volume 3, 11.11.1). */
#define MESSAGE_BASE 0xfee00000
#define MESSAGE_MASK 0xfff00000

#define ENTRY_CTRL 3 /* dword of a table entry; 0 and 1 are the address, 2 the data */

struct vector {
	uint32_t entry[4];
	int gsi; /* -1: not needed so far */
};

struct source {
	int fd; /* -1: free; the device's */
	unsigned vector;
	bool wired; /* KVM has it */
};

struct rwy_msix {
	struct rwy_irq *irq;
	struct rwy_pci_dev *dev;
	unsigned cap;
	unsigned nr;
	uint32_t pba_off;
	bool enabled;
	bool masked;	/* all of them, by the function's own bit */
	bool following; /* the owner is being asked, and need not be told */
	void (*changed)(void *ctx);
	void *ctx;
	struct vector *vectors;
	struct source *sources; /* as many as vectors */
};

/* Elsewhere it would be a write to memory, which is nobody's to make. */
static bool is_message(const struct vector *v)
{
	return (v->entry[0] & MESSAGE_MASK) == MESSAGE_BASE && v->entry[1] == 0;
}

static bool can_fire(const struct rwy_msix *msix, const struct vector *v)
{
	return msix->enabled && !msix->masked &&
	       !(v->entry[ENTRY_CTRL] & PCI_MSIX_ENTRY_CTRL_MASKBIT) && is_message(v);
}

/* A vector that can fire gets a GSI and the route the table says. */
static void route(struct rwy_msix *msix, struct vector *v)
{
	const struct rwy_irq_msi msi = {
		.addr = v->entry[0] | (uint64_t)v->entry[1] << 32,
		.data = v->entry[2],
	};

	if (v->gsi < 0)
		v->gsi = rwy_irq_gsi_alloc(msix->irq);
	if (v->gsi >= 0)
		rwy_irq_route_msi(msix->irq, v->gsi, &msi);
}

static void unwire(struct rwy_msix *msix, struct source *s)
{
	if (s->wired)
		rwy_irq_fd_del(msix->irq, msix->vectors[s->vector].gsi, s->fd);
	s->wired = false;
}

static void wire(struct rwy_msix *msix, struct source *s)
{
	int gsi = msix->vectors[s->vector].gsi;

	if (!s->wired && gsi >= 0)
		s->wired = rwy_irq_fd_add(msix->irq, gsi, s->fd) == 0;
}

/* Makes KVM's view that of the table: one commit for all routes, then the eventfds. What irq.c
 * could not do it has logged; the vector then stays quiet. */
static void follow(struct rwy_msix *msix)
{
	if (msix->changed) {
		msix->following = true;
		msix->changed(msix->ctx);
		msix->following = false;
	}
	for (unsigned i = 0; i < msix->nr; i++) {
		struct source *s = &msix->sources[i];

		if (s->fd >= 0 && can_fire(msix, &msix->vectors[s->vector]))
			route(msix, &msix->vectors[s->vector]);
	}
	if (rwy_irq_commit(msix->irq) < 0)
		return;
	for (unsigned i = 0; i < msix->nr; i++) {
		struct source *s = &msix->sources[i];

		if (s->fd < 0)
			continue;
		if (can_fire(msix, &msix->vectors[s->vector]))
			wire(msix, s);
		else
			unwire(msix, s);
	}
}

/* A source that nobody empties keeps what came in while the vector could not fire. */
static bool pending(const struct rwy_msix *msix, unsigned vector)
{
	for (unsigned i = 0; i < msix->nr; i++) {
		const struct source *s = &msix->sources[i];
		struct pollfd p = {.fd = s->fd, .events = POLLIN};

		if (s->fd >= 0 && s->vector == vector && !s->wired && poll(&p, 1, 0) == 1)
			return true;
	}
	return false;
}

static void reset_vectors(struct rwy_msix *msix)
{
	for (unsigned i = 0; i < msix->nr; i++) {
		msix->vectors[i] = (struct vector){.gsi = -1};
		msix->vectors[i].entry[ENTRY_CTRL] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
		msix->sources[i] = (struct source){.fd = -1};
	}
	msix->enabled = false;
	msix->masked = false;
}

static uint32_t bar_size(uint32_t used)
{
	uint32_t size = 4096;

	while (size < used)
		size *= 2;
	return size;
}

int rwy_msix_open_bare(struct rwy_msix **out, struct rwy_irq *irq, unsigned nr_vectors,
		       void (*changed)(void *ctx), void *ctx)
{
	struct rwy_msix *msix = calloc(1, sizeof(*msix));

	if (!msix)
		return -ENOMEM;
	msix->irq = irq;
	msix->changed = changed;
	msix->ctx = ctx;
	msix->nr = nr_vectors;
	msix->pba_off = nr_vectors * PCI_MSIX_ENTRY_SIZE;
	msix->vectors = calloc(nr_vectors, sizeof(*msix->vectors));
	msix->sources = calloc(nr_vectors, sizeof(*msix->sources));
	if (!msix->vectors || !msix->sources) {
		rwy_msix_close(msix);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < nr_vectors; i++)
		msix->vectors[i].gsi = msix->sources[i].fd = -1;
	reset_vectors(msix);
	*out = msix;
	return 0;
}

int rwy_msix_open(struct rwy_msix **out, struct rwy_irq *irq, struct rwy_pci_dev *dev, unsigned bar,
		  unsigned nr_vectors)
{
	struct rwy_msix *msix;
	struct {
		uint16_t flags;
		uint32_t table;
		uint32_t pba;
	} __attribute__((packed)) body;
	int err = rwy_msix_open_bare(&msix, irq, nr_vectors, NULL, NULL);

	if (err)
		return err;
	msix->dev = dev;
	body.flags = (uint16_t)(nr_vectors - 1);
	body.table = bar;
	body.pba = msix->pba_off | bar;
	msix->cap = rwy_pci_dev_add_cap(dev, PCI_CAP_ID_MSIX, &body, sizeof(body));
	dev->writable[msix->cap + PCI_MSIX_FLAGS + 1] =
		(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL) >> 8;
	rwy_pci_dev_add_bar(dev, bar, bar_size(msix->pba_off + (nr_vectors + 63) / 64 * 8));
	*out = msix;
	return 0;
}

void rwy_msix_reset(struct rwy_msix *msix)
{
	for (unsigned i = 0; i < msix->nr; i++)
		unwire(msix, &msix->sources[i]);
	for (unsigned i = 0; i < msix->nr; i++) {
		if (msix->vectors[i].gsi >= 0)
			rwy_irq_gsi_free(msix->irq, msix->vectors[i].gsi);
	}
	reset_vectors(msix);
}

void rwy_msix_close(struct rwy_msix *msix)
{
	if (!msix)
		return;
	if (msix->vectors && msix->sources)
		rwy_msix_reset(msix);
	free(msix->vectors);
	free(msix->sources);
	free(msix);
}

void rwy_msix_bar_read(struct rwy_msix *msix, uint64_t off, void *buf, unsigned len)
{
	uint8_t *bytes = buf;

	for (unsigned i = 0; i < len; i++, off++) {
		if (off < msix->pba_off) {
			const struct vector *v = &msix->vectors[off / PCI_MSIX_ENTRY_SIZE];

			bytes[i] = ((const uint8_t *)v->entry)[off % PCI_MSIX_ENTRY_SIZE];
			continue;
		}
		uint64_t first = (off - msix->pba_off) * 8;

		bytes[i] = 0;
		for (unsigned bit = 0; bit < 8 && first + bit < msix->nr; bit++)
			bytes[i] |= (uint8_t)(pending(msix, (unsigned)first + bit) << bit);
	}
}

/* Dwords or pairs of them, aligned: a driver has no right to anything else (6.8.2). */
void rwy_msix_bar_write(struct rwy_msix *msix, uint64_t off, const void *buf, unsigned len)
{
	if (len % 4 || off % 4 || !rwy_base_inside(off, len, msix->pba_off))
		return;
	for (unsigned i = 0; i < len / 4; i++, off += 4) {
		struct vector *v = &msix->vectors[off / PCI_MSIX_ENTRY_SIZE];
		unsigned dword = off % PCI_MSIX_ENTRY_SIZE / 4;
		uint32_t value;

		memcpy(&value, (const uint8_t *)buf + 4 * i, sizeof(value));
		if (dword == ENTRY_CTRL)
			value &= PCI_MSIX_ENTRY_CTRL_MASKBIT;
		v->entry[dword] = value;
	}
	follow(msix);
}

void rwy_msix_config_written(struct rwy_msix *msix, unsigned off, unsigned len)
{
	unsigned at = msix->cap + PCI_MSIX_FLAGS + 1;
	unsigned flags = msix->dev->config[at] << 8;

	if (at < off || at >= off + len)
		return;
	rwy_msix_enable(msix, flags & PCI_MSIX_FLAGS_ENABLE, flags & PCI_MSIX_FLAGS_MASKALL);
}

void rwy_msix_enable(struct rwy_msix *msix, bool enabled, bool masked)
{
	msix->enabled = enabled;
	msix->masked = masked;
	follow(msix);
}

bool rwy_msix_can_fire(const struct rwy_msix *msix, unsigned vector)
{
	return can_fire(msix, &msix->vectors[vector]);
}

unsigned rwy_msix_nr(const struct rwy_msix *msix)
{
	return msix->nr;
}

int rwy_msix_join(struct rwy_msix *msix, unsigned vector, int event_fd)
{
	if (vector >= msix->nr)
		return -EINVAL;
	for (unsigned i = 0; i < msix->nr; i++) {
		if (msix->sources[i].fd >= 0)
			continue;
		msix->sources[i] = (struct source){.fd = event_fd, .vector = vector};
		if (!msix->following)
			follow(msix);
		return 0;
	}
	return -ENOSPC;
}

void rwy_msix_part(struct rwy_msix *msix, unsigned vector, int event_fd)
{
	for (unsigned i = 0; i < msix->nr; i++) {
		struct source *s = &msix->sources[i];

		if (s->fd != event_fd || s->vector != vector)
			continue;
		unwire(msix, s);
		s->fd = -1;
		return;
	}
}
