/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The MAC table of a switch: which port an address was last seen at.
 *
 * Fixed memory. A port can fill no more than RWY_FDB_PER_PORT places, so a guest that makes up
 * addresses cannot push everybody else's out; the hash is seeded, so it cannot aim at one bucket.
 * One thread.
 */
#ifndef RWY_VHOST_BACKENDS_NET_FDB_H
#define RWY_VHOST_BACKENDS_NET_FDB_H

#include "lib/base.h"

#define RWY_FDB_WAYS	 4
#define RWY_FDB_BUCKETS	 1024
#define RWY_FDB_PER_PORT 1024
#define RWY_FDB_PORTS	 64
#define RWY_FDB_AGE_S	 300
#define RWY_FDB_NONE	 (-1)

/* An address as the first six bytes of a frame read as a little-endian number. Never 0. */
#define RWY_FDB_MAC_MASK UINT64_C(0xffffffffffff)

struct rwy_fdb_entry {
	uint64_t mac; /* 0: free */
	uint32_t seen_s;
	uint8_t port;
	bool fixed; /* never moves, never ages */
};

struct rwy_fdb {
	uint64_t seed; /* odd */
	uint32_t now_s;
	uint32_t gen; /* changes whenever a lookup may answer differently */
	uint16_t nr_of_port[RWY_FDB_PORTS];
	struct rwy_fdb_entry buckets[RWY_FDB_BUCKETS][RWY_FDB_WAYS] RWY_CACHE_ALIGNED;
};

void rwy_fdb_init(struct rwy_fdb *fdb, uint64_t seed);
/* The port, or RWY_FDB_NONE when the address is unknown or was not seen for RWY_FDB_AGE_S. */
int rwy_fdb_lookup(const struct rwy_fdb *fdb, uint64_t mac);
/* The address was seen at port now. Group addresses, 0 and fixed addresses are not learnt. */
void rwy_fdb_learn(struct rwy_fdb *fdb, uint64_t mac, unsigned port);
/* The address belongs to port whatever is seen. -EEXIST: it is another port's already. -ENOSPC: its
 * bucket is full of such. */
RWY_MUST_CHECK int rwy_fdb_fix(struct rwy_fdb *fdb, uint64_t mac, unsigned port);
/* Forgets what was learnt at port. */
void rwy_fdb_flush(struct rwy_fdb *fdb, unsigned port);
/* A second or more passed. */
void rwy_fdb_tick(struct rwy_fdb *fdb, uint32_t now_s);
uint64_t rwy_fdb_mac(const uint8_t mac[6]);

#endif
