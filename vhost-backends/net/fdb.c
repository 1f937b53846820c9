/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost-backends/net/fdb.h"

#include <errno.h>
#include <string.h>

#define GROUP_BIT UINT64_C(1) /* first bit of the first byte on the wire */

void rwy_fdb_init(struct rwy_fdb *fdb, uint64_t seed)
{
	memset(fdb, 0, sizeof(*fdb));
	fdb->seed = seed | 1;
	fdb->gen = 1;
}

uint64_t rwy_fdb_mac(const uint8_t mac[6])
{
	uint64_t v = 0;

	for (int i = 5; i >= 0; i--)
		v = v << 8 | mac[i];
	return v;
}

/* Multiplicative hashing: the best mixed bits are the upper ones. */
static struct rwy_fdb_entry *bucket(const struct rwy_fdb *fdb, uint64_t mac)
{
	const struct rwy_fdb_entry *entries = fdb->buckets[mac * fdb->seed >> 54];

	_Static_assert(RWY_FDB_BUCKETS == 1 << (64 - 54), "the shift yields a bucket");
	return (struct rwy_fdb_entry *)entries;
}

static bool aged(const struct rwy_fdb *fdb, const struct rwy_fdb_entry *e)
{
	return !e->fixed && fdb->now_s - e->seen_s > RWY_FDB_AGE_S;
}

static struct rwy_fdb_entry *find(const struct rwy_fdb *fdb, uint64_t mac)
{
	struct rwy_fdb_entry *e = bucket(fdb, mac);

	/* 0 marks free places; as an address it is nobody's. */
	for (unsigned i = 0; mac && i < RWY_FDB_WAYS; i++) {
		if (e[i].mac == mac)
			return &e[i];
	}
	return NULL;
}

int rwy_fdb_lookup(const struct rwy_fdb *fdb, uint64_t mac)
{
	const struct rwy_fdb_entry *e = find(fdb, mac);

	return e && !aged(fdb, e) ? e->port : RWY_FDB_NONE;
}

static void clear(struct rwy_fdb *fdb, struct rwy_fdb_entry *e)
{
	if (e->mac && !e->fixed)
		fdb->nr_of_port[e->port]--;
	*e = (struct rwy_fdb_entry){0};
	fdb->gen++;
}

/* A free place, else the one not seen for longest; NULL when all are fixed. */
static struct rwy_fdb_entry *victim(const struct rwy_fdb *fdb, uint64_t mac)
{
	struct rwy_fdb_entry *e = bucket(fdb, mac), *oldest = NULL;

	for (unsigned i = 0; i < RWY_FDB_WAYS; i++) {
		if (!e[i].mac)
			return &e[i];
		if (!e[i].fixed &&
		    (!oldest || fdb->now_s - e[i].seen_s > fdb->now_s - oldest->seen_s))
			oldest = &e[i];
	}
	return oldest;
}

void rwy_fdb_learn(struct rwy_fdb *fdb, uint64_t mac, unsigned port)
{
	struct rwy_fdb_entry *e = find(fdb, mac);

	if (mac == 0 || mac & GROUP_BIT || (e && e->fixed))
		return;
	if (e && e->port == port && !aged(fdb, e)) {
		e->seen_s = fdb->now_s;
		return;
	}
	if (!e)
		e = victim(fdb, mac);
	if (!e)
		return;
	bool own = e->mac && e->port == port;

	if (!own && fdb->nr_of_port[port] >= RWY_FDB_PER_PORT)
		return;
	clear(fdb, e);
	*e = (struct rwy_fdb_entry){.mac = mac, .seen_s = fdb->now_s, .port = (uint8_t)port};
	fdb->nr_of_port[port]++;
}

int rwy_fdb_fix(struct rwy_fdb *fdb, uint64_t mac, unsigned port)
{
	struct rwy_fdb_entry *e = find(fdb, mac);

	if (e && e->fixed && e->port != port)
		return -EEXIST;
	if (!e)
		e = victim(fdb, mac);
	if (!e)
		return -ENOSPC;
	clear(fdb, e);
	*e = (struct rwy_fdb_entry){.mac = mac, .port = (uint8_t)port, .fixed = true};
	return 0;
}

void rwy_fdb_flush(struct rwy_fdb *fdb, unsigned port)
{
	for (unsigned b = 0; b < RWY_FDB_BUCKETS; b++) {
		for (unsigned i = 0; i < RWY_FDB_WAYS; i++) {
			struct rwy_fdb_entry *e = &fdb->buckets[b][i];

			if (e->mac && !e->fixed && e->port == port)
				clear(fdb, e);
		}
	}
}

/* The generation moves on too: notes made from a lookup must not outlive the entry's age. */
void rwy_fdb_tick(struct rwy_fdb *fdb, uint32_t now_s)
{
	if (now_s != fdb->now_s) {
		fdb->now_s = now_s;
		fdb->gen++;
	}
}
