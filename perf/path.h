/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ways to attach a device to a guest, one row each: a VMM, and what is behind the device. And
 * one of them while it is up: back-end, far end and guest.
 *
 * One path is up at a time, so that none takes CPU or cache from another, and every measurement
 * begins with a fresh guest.
 */
#ifndef RWY_PERF_PATH_H
#define RWY_PERF_PATH_H

#include "lib/bdf.h"
#include "perf/cost.h"
#include "perf/far.h"
#include "perf/guest.h"

#define RWY_PATH_FUNCTIONS 8

/* A function of the host that may be handed to a guest. */
struct rwy_path_function {
	char bdf[RWY_BDF_LEN];
	enum rwy_result_kind kind;
	const char *far;      /* the host's interface that it can reach; NULL: none was named */
	char pf[RWY_BDF_LEN]; /* whose VF it is, or "": it is a whole one */
};

/* What all paths are made from. The strings are the caller's. */
struct rwy_path_env {
	struct rwy_run *run;
	const char *dir;     /* for sockets */
	const char *scratch; /* for disks in files */
	const char *kernel;
	const char *initrd;
	const char *no_dpdk; /* why guests have none; NULL: they have */
	const char *append;
	unsigned memory_mib;
	int memory_node; /* -1: any */
	unsigned disk_mib;
	unsigned nr_vcpus;
	unsigned vcpus[RWY_GUEST_VCPUS]; /* the CPU of each */
	unsigned nr_queues;		 /* of a virtio device, each way */
	unsigned cpu_back;
	unsigned cpu_far;
	unsigned nr_functions;
	struct rwy_path_function functions[RWY_PATH_FUNCTIONS];
};

/* As the back-end counts. Packets or requests: out of the guest, or writes; to it, or reads. */
struct rwy_path_counts {
	bool has_ops;
	uint64_t out;
	uint64_t in;
	bool has_kicks;
	uint64_t kicks;
	bool has_busy;
	uint64_t busy_cycles; /* of its reactors, while they had work */
};

/* What both sides have counted so far. */
struct rwy_path_totals {
	double guest_out;
	double guest_in;
	struct rwy_path_counts back;
};

struct rwy_path_up;
struct rwy_path;

struct rwy_path_ops {
	const char *backend; /* as a result calls it */
	/* The same, where it takes more than a word; NULL: backend. */
	void (*describe)(const struct rwy_path *path, const struct rwy_path_env *env, char *text,
			 size_t text_len);
	const char *program; /* NULL: there is no process beside the VMM */
	/* Why these cannot be told of it; NULL: they can. */
	const char *no_cycles;
	const char *no_kicks;
	/* False: it cannot be had here, and why. */
	bool (*available)(const struct rwy_path *path, const struct rwy_path_env *env, char *why,
			  size_t why_len);
	/*
	 * Starts what is behind the device, and says in up->config what the VMM is to attach. On
	 * failure up->step says what was tried; rwy_path_stop ends what was started.
	 */
	int (*start)(struct rwy_path_up *up);
	/* NULL: nobody counts. */
	int (*count)(struct rwy_path_up *up, struct rwy_path_counts *counts);
	/* May be NULL. */
	void (*stop)(struct rwy_path_up *up);
};

struct rwy_path {
	const char *key;  /* for --paths */
	const char *name; /* for people */
	enum rwy_result_kind kind;
	const struct rwy_guest_vmm *vmm;
	const struct rwy_path_ops *ops;
	const char *poll;  /* of our back-ends: always, never */
	const char *store; /* of a disk: file, mem */
	bool packed;
	bool vf; /* of a function: a virtual one */
};

extern const struct rwy_path rwy_paths[];
extern const unsigned rwy_nr_paths;

extern const struct rwy_path_ops rwy_path_net_ringway;
extern const struct rwy_path_ops rwy_path_net_dpdk;
extern const struct rwy_path_ops rwy_path_net_ovs;
extern const struct rwy_path_ops rwy_path_net_tap;
extern const struct rwy_path_ops rwy_path_net_vhost;
extern const struct rwy_path_ops rwy_path_blk_ringway;
extern const struct rwy_path_ops rwy_path_blk_qsd;
extern const struct rwy_path_ops rwy_path_blk_qemu;
extern const struct rwy_path_ops rwy_path_net_vfio;
extern const struct rwy_path_ops rwy_path_blk_vfio;

/* One path, while it is up; large. */
struct rwy_path_up {
	const struct rwy_path *path;
	const struct rwy_path_env *env;
	const char *step;		 /* what is being done */
	const struct rwy_run_proc *says; /* whose output tells of it */
	char why[256];			 /* it failed, in the words of the guest, or ours; or "" */
	struct rwy_guest_config config;
	struct rwy_guest guest;
	struct rwy_run_proc back;
	struct rwy_run_proc aide; /* what the back-end cannot do without */
	char before[2048];	  /* commands that came before the back-end's, a line each */
	struct rwy_args args;	  /* of it */
	struct rwy_far far;
	bool dpdk;		      /* the guest's network card is DPDK's, not its kernel's */
	char guest_mac[18];	      /* and has that address */
	struct rwy_path_totals begin; /* of a disk: firmware has read it before the guest */
	struct rwy_irq_probe irqs;    /* closed, with a reason, where it cannot be had */
	unsigned pages;		      /* huge pages reserved for it */
	double setup_s;		      /* from its first command until the guest could work */
	char socket[128];
	char metrics[128];
	char file[256]; /* of its disk */
};

/* NULL: no path is called so. */
const struct rwy_path *rwy_path_find(const char *key);
/* Whether everything that it needs is here, and which reason there is if not. */
bool rwy_path_available(const struct rwy_path *path, const struct rwy_path_env *env, char *why,
			size_t why_len);
/*
 * Until the guest can work. On failure up->step, up->says and up->why tell of it. In any case it is
 * to be stopped.
 */
RWY_MUST_CHECK int rwy_path_start(struct rwy_path_up *up, const struct rwy_path *path,
				  const struct rwy_path_env *env);
void rwy_path_stop(struct rwy_path_up *up);
/* What is to be looked at while it works. */
void rwy_path_scope(const struct rwy_path_up *up, struct rwy_cost_scope *scope);
/* Of the VMM and the back-end, in bytes. */
RWY_MUST_CHECK int rwy_path_memory(const struct rwy_path_up *up, double *bytes);
/* Counts are absent where nobody counts. */
RWY_MUST_CHECK int rwy_path_count(struct rwy_path_up *up, struct rwy_path_counts *counts);
/* Has its guest do a command; what came of it is asked for later. As rwy_guest_do. */
RWY_MUST_CHECK int rwy_path_do(struct rwy_path_up *up, const char *command, unsigned timeout_ms);
/* up->why is then what the guest says of a failure. As rwy_guest_answer. */
RWY_MUST_CHECK int rwy_path_answer(struct rwy_path_up *up, struct rwy_answer *answer);
/* Both. */
RWY_MUST_CHECK int rwy_path_ask(struct rwy_path_up *up, const char *command, unsigned timeout_ms,
				struct rwy_answer *answer);
/* Leaves the guest's network card to DPDK, or to its kernel. As rwy_guest_answer. */
RWY_MUST_CHECK int rwy_path_use(struct rwy_path_up *up, bool dpdk);
/*
 * Compares the guest's own count of all it has done with that of the other side. -EPROTO: they
 * differ, see up->why; others as rwy_guest_ask.
 */
RWY_MUST_CHECK int rwy_path_check(struct rwy_path_up *up);
/* The commands that it took, one a line. */
void rwy_path_commands(const struct rwy_path_up *up, char *text, size_t text_len);

/* For the rows. Formats the reason and returns false. */
bool rwy_path_refuse(char *why, size_t why_len, const char *fmt, ...) RWY_PRINTF(3, 4);
/* Counts of entry `name` of the metrics of a back-end of ours, with its queues' kicks and its
 * reactors' time. */
RWY_MUST_CHECK int rwy_path_read_metrics(const struct rwy_path_up *up, const char *name,
					 const char *out, const char *in,
					 struct rwy_path_counts *counts);
/* Packets of the far end's interface, where they are those of the back-end. */
RWY_MUST_CHECK int rwy_path_count_far(struct rwy_path_up *up, struct rwy_path_counts *counts);
/* Runs up->args as the back-end until it listens on up->socket. */
RWY_MUST_CHECK int rwy_path_start_back(struct rwy_path_up *up);

#endif
