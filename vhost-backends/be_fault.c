/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost-backends/be_fault.h"

#include "lib/fd.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define RWY_STEM "be_fault"

static void told(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGRTMIN);
}

/* To this very thread: it is its devices that the page may be of. */
static int tell(void *at)
{
	siginfo_t info = {.si_code = SI_QUEUE};

	info.si_value.sival_ptr = at;
	return (int)syscall(SYS_rt_tgsigqueueinfo, getpid(), (pid_t)syscall(SYS_gettid), SIGRTMIN,
			    &info);
}

/*
 * A page of a file that has become shorter. Which kind of pages the mapping has is not known here;
 * the kernel refuses to treat a part of a huge page by itself (EINVAL), so the smallest that it
 * does treat is the one. The rest is told by a signal again: nothing but that may be done in here.
 */
static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	static const size_t pages[] = {4096, 2u << 20, 1u << 30};
	int saved = errno;
	unsigned i;
	void *at;

	for (i = 0; i < RWY_ARRAY_SIZE(pages); i++) {
		at = (void *)RWY_ALIGN_DOWN((uintptr_t)info->si_addr, pages[i]);
		if (madvise(at, pages[i], MADV_DONTFORK) == 0 || errno != EINVAL)
			break;
	}
	if (info->si_code == BUS_ADRERR && i < RWY_ARRAY_SIZE(pages) &&
	    mmap(at, pages[i], PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) != MAP_FAILED)
		(void)tell(info->si_addr);
	else
		signal(SIGBUS, SIG_DFL); /* happens again when we return, and is the end */
	errno = saved;
}

unsigned rwy_be_fault_settle(struct rwy_poll *poll)
{
	static const struct timespec now;
	siginfo_t info;
	sigset_t set;
	unsigned n = 0;

	told(&set);
	for (; sigtimedwait(&set, &info, &now) == SIGRTMIN; n++)
		rwy_poll_lost(poll, info.si_value.sival_ptr);
	return n;
}

static void on_told(void *ctx, uint32_t events)
{
	struct rwy_be_fault *fault = ctx;

	if (rwy_be_fault_settle(fault->poll) && rwy_log_allow(&fault->log_limit, 1))
		rwy_error("a front-end took memory away that it had shared: zeros are there now");
}

int rwy_be_fault_open(struct rwy_be_fault *fault, struct rwy_poll *poll)
{
	struct sigaction sigbus = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO};
	sigset_t set;
	int err;

	told(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	*fault = (struct rwy_be_fault){
		.poll = poll,
		.watch = {.events = EPOLLIN, .ready = on_told, .ctx = fault},
	};
	fault->watch.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	err = fault->watch.fd < 0 ? -errno : rwy_poll_watch(poll, &fault->watch);
	if (err) {
		rwy_error("signalfd: %s", strerror(-err));
		rwy_fd_close(&fault->watch.fd);
		return err;
	}
	sigaction(SIGBUS, &sigbus, NULL);
	return 0;
}

void rwy_be_fault_close(struct rwy_be_fault *fault)
{
	rwy_poll_unwatch(fault->poll, &fault->watch);
	rwy_fd_close(&fault->watch.fd);
}
