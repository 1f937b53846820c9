/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A file or block device through io_uring, by way of the page cache. A write survives a crash of
 * this process at once, a power failure only after a flush, or when it was asked to be durable.
 */
#include "vhost-backends/blk/store.h"

#include "lib/fd.h"
#include "lib/iov.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define RWY_STEM "store_file"

/* One operation of the kernel moves at most this much: it takes no more either (MAX_RW_COUNT). */
#define MOVE_MAX (UINT64_C(1) << 30)
/* Zeroes are written this much at a time where the file system knows no better. */
#define ZEROES_LEN   (64u << 10)
#define ZEROES_TIMES 16
/* QEMU's image locks are byte ranges here; one lock over all of them keeps it and us apart. */
#define LOCK_START    100
#define LOCK_LEN      200
#define LOCK_RETRY_MS 5

/* What a request is doing. The last one only where it is to be durable. */
enum phase { MOVE, ALLOCATE, WRITE_ZEROES, SYNC };

struct store_file {
	struct rwy_store base;
	struct rwy_uring *uring;
	int fd;
	bool no_punch; /* fallocate was found not to know these two */
	bool no_zero_range;
	uint8_t *zeroes;
};

static struct store_file *file_of(struct rwy_store *store)
{
	return RWY_CONTAINER_OF(store, struct store_file, base);
}

static struct rwy_store_req *req_of(struct rwy_uring_op *op)
{
	return RWY_CONTAINER_OF(op, struct rwy_store_req, uring);
}

static bool punches(const struct rwy_store_req *req)
{
	return req->op == RWY_STORE_DISCARD || req->unmap;
}

static unsigned prep_move(struct rwy_store_req *req, int fd, struct io_uring_sqe *sqe,
			  struct iovec *iov)
{
	uint64_t off = req->off + req->moved;
	uint64_t len = RWY_MIN(req->len - req->moved, MOVE_MAX);
	int n = rwy_iov_slice(req->iov, req->nr_iov, req->iov_off + req->moved, len, iov,
			      RWY_URING_IOV_MAX);

	if (n == 1) {
		if (req->op == RWY_STORE_READ)
			io_uring_prep_read(sqe, fd, iov->iov_base, (unsigned)len, off);
		else
			io_uring_prep_write(sqe, fd, iov->iov_base, (unsigned)len, off);
		return 0;
	}
	/* n < 0 cannot be, as a chain has no more pieces; the kernel would refuse it */
	if (req->op == RWY_STORE_READ)
		io_uring_prep_readv(sqe, fd, iov, (unsigned)n, off);
	else
		io_uring_prep_writev(sqe, fd, iov, (unsigned)n, off);
	return n < 0 ? 0 : (unsigned)n;
}

static unsigned prep_zeroes(struct rwy_store_req *req, struct store_file *file,
			    struct io_uring_sqe *sqe, struct iovec *iov)
{
	uint64_t left = req->len - req->moved;
	unsigned n = 0;

	while (left > 0 && n < ZEROES_TIMES) {
		iov[n].iov_base = file->zeroes;
		iov[n].iov_len = RWY_MIN(left, ZEROES_LEN);
		left -= iov[n].iov_len;
		n++;
	}
	io_uring_prep_writev(sqe, file->fd, iov, n, req->off + req->moved);
	return n;
}

static unsigned prep(struct rwy_uring_op *op, struct io_uring_sqe *sqe, struct iovec *iov)
{
	struct rwy_store_req *req = req_of(op);
	struct store_file *file = file_of(req->store);

	switch ((enum phase)req->phase) {
	case MOVE:
		return prep_move(req, file->fd, sqe, iov);
	case ALLOCATE:
		io_uring_prep_fallocate(sqe, file->fd,
					FALLOC_FL_KEEP_SIZE | (punches(req) ? FALLOC_FL_PUNCH_HOLE
									    : FALLOC_FL_ZERO_RANGE),
					(off_t)req->off, (off_t)req->len);
		return 0;
	case WRITE_ZEROES:
		return prep_zeroes(req, file, sqe, iov);
	case SYNC:
		io_uring_prep_fsync(sqe, file->fd, IORING_FSYNC_DATASYNC);
		return 0;
	}
	return 0;
}

/* -EINPROGRESS when there is more to do, and it was started. */
static int go_on(struct store_file *file, struct rwy_store_req *req, enum phase phase)
{
	req->phase = phase;
	rwy_uring_start(file->uring, &req->uring);
	return -EINPROGRESS;
}

/* Zeroes where fallocate did not do: first keep the room, then write them. */
static int zero_otherwise(struct store_file *file, struct rwy_store_req *req)
{
	if (req->unmap && !file->no_zero_range) {
		req->unmap = false;
		return go_on(file, req, ALLOCATE);
	}
	if (!file->zeroes)
		file->zeroes = calloc(1, ZEROES_LEN);
	return file->zeroes ? go_on(file, req, WRITE_ZEROES) : -ENOMEM;
}

/* The kernel answered res. 0 all done, -EINPROGRESS, or why it failed. */
static int advance(struct store_file *file, struct rwy_store_req *req, int res)
{
	if (res == -EINTR || res == -EAGAIN)
		return go_on(file, req, req->phase);
	switch ((enum phase)req->phase) {
	case MOVE:
	case WRITE_ZEROES:
		if (res <= 0)
			return res < 0 ? res : -EIO; /* the file became shorter */
		req->moved += (unsigned)res;
		if (req->moved < req->len)
			return go_on(file, req, req->phase);
		break;
	case ALLOCATE:
		if (res == -EOPNOTSUPP) {
			*(punches(req) ? &file->no_punch : &file->no_zero_range) = true;
			return req->op == RWY_STORE_DISCARD ? 0 : zero_otherwise(file, req);
		}
		if (res < 0)
			return res;
		break;
	case SYNC:
		return res;
	}
	return req->durable && req->op != RWY_STORE_READ ? go_on(file, req, SYNC) : 0;
}

static void kernel_done(struct rwy_uring_op *op, int res)
{
	struct rwy_store_req *req = req_of(op);
	int err = advance(file_of(req->store), req, res);

	if (err != -EINPROGRESS)
		req->done(req, err);
}

static int file_start(struct rwy_store *store, struct rwy_store_req *req)
{
	struct store_file *file = file_of(store);

	req->store = store;
	req->moved = 0;
	req->uring.prep = prep;
	req->uring.done = kernel_done;
	switch (req->op) {
	case RWY_STORE_READ:
	case RWY_STORE_WRITE:
		return go_on(file, req, MOVE);
	case RWY_STORE_FLUSH:
		return go_on(file, req, SYNC);
	case RWY_STORE_DISCARD:
		return file->no_punch ? 0 : go_on(file, req, ALLOCATE);
	case RWY_STORE_ZERO:
		if (req->unmap ? file->no_punch : file->no_zero_range)
			return zero_otherwise(file, req);
		return go_on(file, req, ALLOCATE);
	}
	return -EOPNOTSUPP;
}

static void file_close(struct rwy_store *store)
{
	struct store_file *file = file_of(store);

	rwy_fd_close(&file->fd);
	free(file->zeroes);
	free(file);
}

static const struct rwy_store_ops file_ops = {.start = file_start, .close = file_close};

/*
 * Two writers of one image destroy it; so does a writer beside a reader that caches. And when one
 * of us was killed, the kernel may still be doing what it had started: the lock is free only after
 * the last of that, so whoever starts again may not begin before.
 */
static int lock_image(int fd, bool read_only, int wait_ms)
{
	struct flock lock = {.l_type = read_only ? F_RDLCK : F_WRLCK,
			     .l_whence = SEEK_SET,
			     .l_start = LOCK_START,
			     .l_len = LOCK_LEN};

	for (int ms = 0; fcntl(fd, F_OFD_SETLK, &lock) < 0; ms += LOCK_RETRY_MS) {
		if (errno != EAGAIN && errno != EACCES)
			return 0; /* a file system without locks is the user's choice */
		if (ms >= wait_ms)
			return -EBUSY;
		usleep(LOCK_RETRY_MS * 1000);
	}
	return 0;
}

static int image_size(int fd, uint64_t *size)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISBLK(st.st_mode))
		return ioctl(fd, BLKGETSIZE64, size) < 0 ? -errno : 0;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*size = (uint64_t)st.st_size;
	return 0;
}

static const char *open_error(int err)
{
	switch (err) {
	case -EBUSY:
		return "in use by another process: stop it, or share the image (readonly, shared)";
	case -EINVAL:
		return "neither a regular file nor a block device";
	case -ENODATA:
		return "smaller than one sector: truncate -s SIZE makes an image";
	default:
		return strerror(-err);
	}
}

int rwy_store_file_open(struct rwy_store **store, struct rwy_uring *uring, const char *path,
			bool read_only, int wait_ms)
{
	struct store_file *file = calloc(1, sizeof(*file));
	const char *name = strrchr(path, '/');
	uint64_t size = 0;
	int err = 0;

	if (!file)
		return -ENOMEM;
	file->fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	if (file->fd < 0)
		err = -errno;
	if (!err)
		err = image_size(file->fd, &size);
	if (!err && size < RWY_STORE_SECTOR)
		err = -ENODATA;
	if (!err && wait_ms >= 0)
		err = lock_image(file->fd, read_only, wait_ms);
	if (!err)
		err = rwy_fd_set_nonblock(file->fd, false); /* was for fifos */
	if (err) {
		rwy_error("%s: %s", path, open_error(err));
		file_close(&file->base);
		return err;
	}
	if (size % RWY_STORE_SECTOR)
		rwy_warn("%s: the last %llu bytes are no whole sector and stay out of sight", path,
			 (unsigned long long)(size % RWY_STORE_SECTOR));
	file->uring = uring;
	file->base.ops = &file_ops;
	file->base.size = RWY_ALIGN_DOWN(size, RWY_STORE_SECTOR);
	file->base.read_only = read_only;
	snprintf(file->base.id, sizeof(file->base.id), "%s", name ? name + 1 : path);
	*store = &file->base;
	return 0;
}
