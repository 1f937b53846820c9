/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/fake_irq.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int rwy_irq_open(struct rwy_irq **irq, int vm_fd)
{
	*irq = calloc(1, sizeof(**irq));
	return *irq ? 0 : -ENOMEM;
}

void rwy_irq_close(struct rwy_irq *irq)
{
	assert_int_equal(irq->gsis, 0);
	assert_int_equal(irq->wired, 0);
	assert_int_equal(irq->bells_used, 0);
	free(irq);
}

int rwy_irq_gsi_alloc(struct rwy_irq *irq)
{
	for (int i = 0; i < FAKE_IRQ_GSIS; i++) {
		if (irq->used[i])
			continue;
		if (irq->gsi_limit && irq->gsis >= irq->gsi_limit)
			return -ENOSPC;
		irq->used[i] = true;
		irq->gsis++;
		return RWY_IRQ_PINS + i;
	}
	return -ENOSPC;
}

static int index_of(const struct rwy_irq *irq, int gsi)
{
	int i = gsi - RWY_IRQ_PINS;

	assert_in_range(i, 0, FAKE_IRQ_GSIS - 1);
	assert_true(irq->used[i]);
	return i;
}

void rwy_irq_gsi_free(struct rwy_irq *irq, int gsi)
{
	int i = index_of(irq, gsi);

	for (unsigned n = 0; n < FAKE_IRQ_FDS; n++)
		assert_true(irq->fds[n].fd == 0 || irq->fds[n].gsi != gsi);
	irq->used[i] = false;
	irq->routes[i] = (struct rwy_irq_msi){0};
	irq->gsis--;
}

void rwy_irq_route_msi(struct rwy_irq *irq, int gsi, const struct rwy_irq_msi *msi)
{
	irq->routes[index_of(irq, gsi)] = *msi;
}

int rwy_irq_commit(struct rwy_irq *irq)
{
	unsigned i = 0;

	/* Field by field: what is between them may be anything. */
	while (i < FAKE_IRQ_GSIS && irq->committed[i].addr == irq->routes[i].addr &&
	       irq->committed[i].data == irq->routes[i].data)
		i++;
	if (i < FAKE_IRQ_GSIS)
		irq->commits++;
	memcpy(irq->committed, irq->routes, sizeof(irq->routes));
	return 0;
}

int rwy_irq_fd_add(struct rwy_irq *irq, int gsi, int event_fd)
{
	(void)index_of(irq, gsi);
	for (unsigned n = 0; n < FAKE_IRQ_FDS; n++)
		assert_int_not_equal(irq->fds[n].fd, event_fd);
	for (unsigned n = 0; n < FAKE_IRQ_FDS; n++) {
		if (irq->fds[n].fd)
			continue;
		irq->fds[n].fd = event_fd;
		irq->fds[n].gsi = gsi;
		irq->wired++;
		return 0;
	}
	return -ENOSPC;
}

void rwy_irq_fd_del(struct rwy_irq *irq, int gsi, int event_fd)
{
	for (unsigned n = 0; n < FAKE_IRQ_FDS; n++) {
		if (irq->fds[n].fd != event_fd || irq->fds[n].gsi != gsi)
			continue;
		irq->fds[n].fd = 0;
		irq->wired--;
		return;
	}
	fail_msg("eventfd %d is not wired to %d", event_fd, gsi);
}

int rwy_irq_level_add(struct rwy_irq *irq, unsigned pin, int event_fd, int resample_fd)
{
	assert_in_range(pin, 0, RWY_IRQ_PINS - 1);
	assert_int_equal(irq->pins[pin].fd, 0);
	irq->pins[pin].fd = event_fd;
	irq->pins[pin].resample_fd = resample_fd;
	irq->wired++;
	return 0;
}

void rwy_irq_level_del(struct rwy_irq *irq, unsigned pin, int event_fd)
{
	assert_int_equal(irq->pins[pin].fd, event_fd);
	irq->pins[pin].fd = 0;
	irq->wired--;
}

void rwy_irq_line(struct rwy_irq *irq, unsigned pin, bool level)
{
}

int rwy_irq_doorbell_add(struct rwy_irq *irq, uint64_t gpa, unsigned len, int event_fd)
{
	assert_int_equal(fake_irq_bell(irq, gpa), -1);
	for (unsigned n = 0; n < FAKE_IRQ_BELLS; n++) {
		if (irq->bells[n].gpa)
			continue;
		irq->bells[n].gpa = gpa;
		irq->bells[n].fd = event_fd;
		irq->bells_used++;
		return 0;
	}
	return -ENOSPC;
}

void rwy_irq_doorbell_del(struct rwy_irq *irq, uint64_t gpa, unsigned len, int event_fd)
{
	for (unsigned n = 0; n < FAKE_IRQ_BELLS; n++) {
		if (irq->bells[n].gpa != gpa || irq->bells[n].fd != event_fd)
			continue;
		irq->bells[n].gpa = 0;
		irq->bells_used--;
		return;
	}
	fail_msg("no doorbell at 0x%llx", (unsigned long long)gpa);
}

const struct rwy_irq_msi *fake_irq_message(const struct rwy_irq *irq, int fd)
{
	for (unsigned n = 0; n < FAKE_IRQ_FDS; n++) {
		if (irq->fds[n].fd == fd)
			return &irq->committed[irq->fds[n].gsi - RWY_IRQ_PINS];
	}
	return NULL;
}

int fake_irq_bell(const struct rwy_irq *irq, uint64_t gpa)
{
	for (unsigned n = 0; n < FAKE_IRQ_BELLS; n++) {
		if (irq->bells[n].gpa == gpa)
			return irq->bells[n].fd;
	}
	return -1;
}
