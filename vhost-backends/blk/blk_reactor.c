/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost-backends/blk/blk_reactor.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "lib/numa.h"
#include "vhost-backends/be_fault.h"
#include "vhost-backends/be_main.h"
#include "vhost-backends/blk/blk.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RWY_STEM "blk_reactor"

/* What a disk may need to end the work of one of us that was killed. */
#define LOCK_WAIT_MS 5000

struct rwy_blk_served {
	struct rwy_blk_served *next;
	struct rwy_blk *blk;
	struct rwy_be_socket *sock;
};

int rwy_blk_reactor_open(struct rwy_blk_reactor *reactor, enum rwy_poll_mode mode, unsigned number,
			 int cpu, struct rwy_stats *stats)
{
	char name[32];
	int err;

	*reactor = (struct rwy_blk_reactor){.cpu = cpu, .stats = stats};
	snprintf(name, sizeof(name), "reactor%u", number);
	err = rwy_poll_open(&reactor->poll, mode);
	if (err < 0)
		goto failed;
	err = rwy_poll_publish(reactor->poll, stats, name);
	if (err == 0)
		return 0;
	rwy_poll_close(reactor->poll);
failed:
	rwy_error("cannot start a reactor: %s", strerror(-err));
	return err;
}

static int open_store(struct rwy_blk_reactor *reactor, const struct rwy_blk_disk *disk,
		      struct rwy_store **store)
{
	int err = 0;

	if (!disk->file)
		return rwy_store_mem_open(store, disk->name, disk->mem, disk->read_only);
	if (!reactor->uring)
		err = rwy_uring_open(&reactor->uring, reactor->poll);
	return err ? err
		   : rwy_store_file_open(store, reactor->uring, disk->file, disk->read_only,
					 disk->shared ? -1 : LOCK_WAIT_MS);
}

static int open_blk(struct rwy_blk_reactor *reactor, const struct rwy_blk_disk *disk,
		    struct rwy_blk **blk)
{
	struct rwy_store *store;
	int err = open_store(reactor, disk, &store);
	const struct rwy_blk_config config = {.name = disk->name,
					      .store = &store,
					      .nr_queues = (unsigned)disk->nr_queues,
					      .stats = reactor->stats};

	return err ? err : rwy_blk_open(blk, reactor->poll, &config);
}

int rwy_blk_reactor_add(struct rwy_blk_reactor *reactor, struct rwy_blk_disk *disk)
{
	struct rwy_blk_served *served = calloc(1, sizeof(*served));
	struct rwy_be_socket_config config = {.path = disk->socket, .fd = &disk->fd};
	int err;

	if (!served)
		return -ENOMEM;
	err = open_blk(reactor, disk, &served->blk);
	if (err < 0)
		goto free_served;
	rwy_blk_describe(served->blk, &config.be);
	config.opened = rwy_blk_opened;
	config.ctx = served->blk;
	err = rwy_be_socket_open(&served->sock, reactor->poll, &config);
	if (err < 0)
		goto close_blk;
	served->next = reactor->served;
	reactor->served = served;
	rwy_info("%s: %llu sectors of %s at %s%s", disk->name,
		 (unsigned long long)served->blk->sectors, disk->file ? disk->file : "memory",
		 disk->socket ? disk->socket : "an inherited socket",
		 disk->read_only ? ", read-only" : "");
	return 0;

close_blk:
	rwy_blk_close(served->blk);
free_served:
	free(served);
	return err;
}

int rwy_blk_reactor_pin(const struct rwy_blk_reactor *reactor)
{
	int err = reactor->cpu < 0 ? 0 : rwy_numa_pin((unsigned)reactor->cpu);

	if (err < 0)
		rwy_error("cannot run on CPU %d (%s): taskset -p $$ shows what there is",
			  reactor->cpu, strerror(-err));
	return err;
}

/* On the thread that served: the kernel gives up what is under way for a thread that ends. */
static void close_sockets(struct rwy_blk_reactor *reactor)
{
	for (struct rwy_blk_served *served = reactor->served; served; served = served->next) {
		rwy_be_socket_close(served->sock);
		served->sock = NULL;
	}
}

static void *thread_main(void *arg)
{
	struct rwy_blk_reactor *reactor = arg;

	struct rwy_be_fault fault;

	reactor->err = rwy_blk_reactor_pin(reactor);
	if (!reactor->err)
		reactor->err = rwy_be_fault_open(&fault, reactor->poll);
	if (!reactor->err) {
		reactor->err = rwy_poll_run(reactor->poll);
		rwy_be_fault_close(&fault);
	}
	close_sockets(reactor);
	rwy_poll_stop(reactor->first);
	return NULL;
}

int rwy_blk_reactor_start(struct rwy_blk_reactor *reactor, struct rwy_poll *first)
{
	sigset_t ours, before;
	int err;

	reactor->first = first;
	/* the main thread's; faults stay with who makes them */
	sigfillset(&ours);
	sigdelset(&ours, SIGBUS);
	sigdelset(&ours, SIGSEGV);
	pthread_sigmask(SIG_SETMASK, &ours, &before);
	err = -pthread_create(&reactor->thread, NULL, thread_main, reactor);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err < 0)
		rwy_error("cannot start a thread: %s", strerror(-err));
	reactor->threaded = !err;
	return err;
}

int rwy_blk_reactor_stop(struct rwy_blk_reactor *reactor)
{
	if (!reactor->threaded)
		return 0;
	rwy_poll_stop(reactor->poll);
	pthread_join(reactor->thread, NULL);
	reactor->threaded = false;
	return reactor->err;
}

void rwy_blk_reactor_close(struct rwy_blk_reactor *reactor)
{
	close_sockets(reactor);
	while (reactor->served) {
		struct rwy_blk_served *served = reactor->served;

		reactor->served = served->next;
		rwy_blk_close(served->blk);
		free(served);
	}
	rwy_uring_close(reactor->uring);
	rwy_poll_close(reactor->poll);
}
