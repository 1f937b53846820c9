/* SPDX-License-Identifier: BSD-3-Clause */
#include "vhost-backends/blk/blk_req.h"

#include "lib/iov.h"
#include "vhost-backends/be_inflight.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HDR_LEN sizeof(struct virtio_blk_outhdr)

static const struct iovec *in_iov(const struct rwy_blk_req *req)
{
	return req->chain.iov + req->chain.nr_out;
}

static uint64_t bytes_in_ranges(const struct rwy_blk_req *req)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < req->nr_ranges; i++)
		sum += (uint64_t)le32toh(req->ranges[i].num_sectors) * RWY_STORE_SECTOR;
	return sum;
}

static void count(struct rwy_blk_req *req, int err)
{
	struct rwy_blk_counts *counts = req->queue->blk->counts;
	struct rwy_stats_vq *vq = req->queue->blk->be->vqs[req->queue->idx].stats;

	if (err) {
		rwy_stats_add(&vq->errors, 1);
		rwy_stats_add(err == -EOPNOTSUPP		? &counts->unsupported
			      : err == -EINVAL || err == -EROFS ? &counts->refused
			      : req->type == VIRTIO_BLK_T_IN	? &counts->read_errors
			      : req->type == VIRTIO_BLK_T_OUT	? &counts->write_errors
								: &counts->other_errors,
			      1);
		return;
	}
	switch (req->type) {
	case VIRTIO_BLK_T_IN:
		rwy_stats_add(&counts->reads, 1);
		rwy_stats_add(&counts->read_bytes, req->io.len);
		rwy_stats_add(&vq->bytes, req->io.len);
		break;
	case VIRTIO_BLK_T_OUT:
		rwy_stats_add(&counts->writes, 1);
		rwy_stats_add(&counts->written_bytes, req->io.len);
		rwy_stats_add(&vq->bytes, req->io.len);
		break;
	case VIRTIO_BLK_T_FLUSH:
		rwy_stats_add(&counts->flushes, 1);
		break;
	case VIRTIO_BLK_T_DISCARD:
		rwy_stats_add(&counts->discards, 1);
		rwy_stats_add(&counts->discarded_bytes, bytes_in_ranges(req));
		break;
	case VIRTIO_BLK_T_WRITE_ZEROES:
		rwy_stats_add(&counts->zeroes, 1);
		rwy_stats_add(&counts->zeroed_bytes, bytes_in_ranges(req));
		break;
	default:
		rwy_stats_add(&counts->ids, 1);
	}
}

/*
 * The status goes to the last byte the driver gave. `written` counts what was written without a gap
 * from the start, so a failed read claims nothing although its status is there (2.7.8.2: the device
 * may write more than it says).
 */
static void finish(struct rwy_blk_req *req, int err, uint32_t data)
{
	struct rwy_blk_queue *queue = req->queue;
	struct rwy_chain *chain = &req->chain;
	const uint8_t status = !err		    ? VIRTIO_BLK_S_OK
			       : err == -EOPNOTSUPP ? VIRTIO_BLK_S_UNSUPP
						    : VIRTIO_BLK_S_IOERR;

	rwy_iov_write(in_iov(req), chain->nr_in, chain->in_len - 1, &status, 1);
	chain->written = data == chain->in_len - 1 ? chain->in_len : data;
	chain->beyond = chain->written < chain->in_len;
	count(req, err);
	if (req->start_ns)
		rwy_stats_hist_add(queue->blk->latency, rwy_poll_now_ns() - req->start_ns);
	rwy_be_inflight_push(queue->blk->be, queue->idx, chain, 1);
	queue->dirty = true;
	if (chain->iov != req->iov)
		free(chain->iov);
	free(req->ranges);
	req->ranges = NULL;
	req->busy = false;
	queue->nr_busy--;
}

/* The next range of a discard or write-zeroes; 0 when there is none left. */
static int start_range(struct rwy_blk_req *req)
{
	int err = 0;

	while (!err && req->range < req->nr_ranges) {
		const struct virtio_blk_discard_write_zeroes *range = &req->ranges[req->range++];

		req->io.off = le64toh(range->sector) * RWY_STORE_SECTOR;
		req->io.len = (uint64_t)le32toh(range->num_sectors) * RWY_STORE_SECTOR;
		req->io.unmap = le32toh(range->flags) & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
		if (req->io.len > 0)
			err = rwy_store_start(req->queue->blk->store, &req->io);
	}
	return err;
}

/* From the store, later than start. */
static void io_done(struct rwy_store_req *io, int err)
{
	struct rwy_blk_req *req = RWY_CONTAINER_OF(io, struct rwy_blk_req, io);
	struct rwy_blk_queue *queue = req->queue;

	if (!err)
		err = start_range(req);
	if (err == -EINPROGRESS)
		return;
	finish(req, err, !err && req->type == VIRTIO_BLK_T_IN ? (uint32_t)io->len : 0);
	if (queue->stopping && queue->nr_busy == 0)
		rwy_blk_queue_drained(queue);
}

static int start_move(struct rwy_blk_req *req, uint64_t sector)
{
	struct rwy_blk *blk = req->queue->blk;
	struct rwy_store_req *io = &req->io;
	bool read = req->type == VIRTIO_BLK_T_IN;

	if (!read && blk->store->read_only)
		return -EROFS;
	io->len = read ? req->chain.in_len - 1 : req->chain.out_len - HDR_LEN;
	if (io->len % RWY_STORE_SECTOR ||
	    !rwy_base_inside(sector, io->len / RWY_STORE_SECTOR, blk->sectors))
		return -EINVAL;
	io->op = read ? RWY_STORE_READ : RWY_STORE_WRITE;
	io->off = sector * RWY_STORE_SECTOR;
	io->iov = read ? in_iov(req) : req->chain.iov;
	io->nr_iov = read ? req->chain.nr_in : req->chain.nr_out;
	io->iov_off = read ? 0 : HDR_LEN;
	return io->len > 0 ? rwy_store_start(blk->store, io) : 0;
}

static int check_range(const struct rwy_blk_req *req,
		       const struct virtio_blk_discard_write_zeroes *range)
{
	bool zero = req->type == VIRTIO_BLK_T_WRITE_ZEROES;
	uint32_t sectors = le32toh(range->num_sectors);

	/* 5.2.6.2: unmap with discard, or a flag nobody knows, is unsupported */
	if (le32toh(range->flags) & ~(zero ? VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP : 0u))
		return -EOPNOTSUPP;
	if (sectors > (zero ? RWY_BLK_ZERO_SECTORS_MAX : RWY_BLK_DISCARD_SECTORS_MAX) ||
	    !rwy_base_inside(le64toh(range->sector), sectors, req->queue->blk->sectors))
		return -EINVAL;
	return 0;
}

/* All ranges are checked, on our copy, before the first one changes anything. */
static int start_ranges(struct rwy_blk_req *req, unsigned feature, enum rwy_store_op op)
{
	size_t len = req->chain.out_len - HDR_LEN;
	size_t nr = len / sizeof(*req->ranges);
	int err = 0;

	if (!rwy_be_has(req->queue->blk->be, feature))
		return -EOPNOTSUPP;
	if (req->queue->blk->store->read_only)
		return -EROFS;
	if (nr == 0 || nr > RWY_BLK_RANGES_MAX || len % sizeof(*req->ranges))
		return -EINVAL;
	req->ranges = malloc(len);
	if (!req->ranges)
		return -ENOMEM;
	rwy_iov_read(req->chain.iov, req->chain.nr_out, HDR_LEN, req->ranges, len);
	for (size_t i = 0; !err && i < nr; i++)
		err = check_range(req, &req->ranges[i]);
	if (err)
		return err;
	req->nr_ranges = (uint8_t)nr;
	req->io.op = op;
	req->io.nr_iov = 0;
	return start_range(req);
}

static int answer_id(struct rwy_blk_req *req, uint32_t *data)
{
	char id[VIRTIO_BLK_ID_BYTES] = {0};
	size_t len = strlen(req->queue->blk->store->id);

	memcpy(id, req->queue->blk->store->id, RWY_MIN(len, sizeof(id)));
	len = RWY_MIN(sizeof(id), req->chain.in_len - 1);
	*data = (uint32_t)rwy_iov_write(in_iov(req), req->chain.nr_in, 0, id, len);
	return 0;
}

/* 0 or why it failed, both at once; or -EINPROGRESS. data: bytes the driver can read. */
static int start(struct rwy_blk_req *req, uint32_t *data)
{
	struct rwy_blk *blk = req->queue->blk;
	struct virtio_blk_outhdr hdr;
	int err;

	req->type = UINT32_MAX;
	if (rwy_iov_read(req->chain.iov, req->chain.nr_out, 0, &hdr, HDR_LEN) < HDR_LEN)
		return -EINVAL;
	req->type = le32toh(hdr.type);
	req->nr_ranges = req->range = 0;
	req->io.durable = !blk->write_back;
	req->io.done = io_done;
	switch (req->type) {
	case VIRTIO_BLK_T_IN:
		err = start_move(req, le64toh(hdr.sector));
		*data = err ? 0 : (uint32_t)req->io.len;
		return err;
	case VIRTIO_BLK_T_OUT:
		return start_move(req, le64toh(hdr.sector));
	case VIRTIO_BLK_T_FLUSH:
		req->io.op = RWY_STORE_FLUSH;
		req->io.nr_iov = 0;
		return rwy_store_start(blk->store, &req->io);
	case VIRTIO_BLK_T_GET_ID:
		return answer_id(req, data);
	case VIRTIO_BLK_T_DISCARD:
		return start_ranges(req, VIRTIO_BLK_F_DISCARD, RWY_STORE_DISCARD);
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return start_ranges(req, VIRTIO_BLK_F_WRITE_ZEROES, RWY_STORE_ZERO);
	default:
		return -EOPNOTSUPP;
	}
}

/* The burst's iov is gone with the burst; a request keeps its pieces until it is pushed. */
static bool keep_iov(struct rwy_blk_req *req, const struct rwy_chain *chain)
{
	size_t nr = (size_t)chain->nr_out + chain->nr_in;

	req->chain = *chain;
	req->chain.iov = nr <= RWY_BLK_REQ_IOV ? req->iov : malloc(nr * sizeof(*req->iov));
	if (!req->chain.iov)
		return false;
	memcpy(req->chain.iov, chain->iov, nr * sizeof(*req->iov));
	return true;
}

void rwy_blk_req_begin(struct rwy_blk_queue *queue, const struct rwy_chain *chain, uint64_t now_ns)
{
	struct rwy_vq *vq = &queue->blk->be->vqs[queue->idx];
	struct rwy_blk_req *req = &queue->reqs[chain->id];
	uint32_t data = 0;
	int err;

	if (RWY_UNLIKELY(req->busy)) {
		rwy_vq_break(vq, RWY_VQ_DUPLICATE);
		return;
	}
	if (RWY_UNLIKELY(chain->in_len == 0 || !keep_iov(req, chain))) {
		rwy_vq_break(vq, RWY_VQ_DEVICE);
		return;
	}
	req->queue = queue;
	req->start_ns = now_ns;
	req->busy = true;
	queue->nr_busy++;
	err = start(req, &data);
	if (err != -EINPROGRESS)
		finish(req, err, data);
}
