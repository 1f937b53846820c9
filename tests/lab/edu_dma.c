/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * edu_dma DEVICE ADDRESS: what becomes of data that QEMU's edu card (docs/specs/edu in QEMU) is
 * told to write to a physical address and to read back. Runs in a guest of vfio_dma.
 *
 * A test of the card itself, with a page of ours at both ends, comes before and after.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE	    4096
#define BAR_LEN	    0x100000
#define DMA_FROM    0x80
#define DMA_TO	    0x88
#define DMA_COUNT   0x90
#define DMA_COMMAND 0x98
#define DMA_START   1
#define DMA_TO_RAM  2
#define BUFFER	    0x40000 /* the card's own memory, as its DMA engine calls it */

static int failed(const char *what)
{
	printf("edu: %s: %s\n", what, strerror(errno));
	return 1;
}

static void *map_registers(const char *device)
{
	char path[256];
	int fd;

	/* Memory decoding and bus mastering: no driver has done it. */
	snprintf(path, sizeof(path), "%s/config", device);
	fd = open(path, O_RDWR);
	if (fd < 0 || pwrite(fd, "\x06", 1, 4) != 1)
		return MAP_FAILED;
	close(fd);
	snprintf(path, sizeof(path), "%s/resource0", device);
	fd = open(path, O_RDWR);
	return fd < 0 ? MAP_FAILED : mmap(NULL, BAR_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

/* Where a page of ours is; 0: not to be had. */
static uint64_t physical(void *page)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);
	off_t at = (off_t)((uintptr_t)page / PAGE * sizeof(entry));

	if (fd < 0 || pread(fd, &entry, sizeof(entry), at) != sizeof(entry))
		entry = 0;
	close(fd);
	return (entry & ((UINT64_C(1) << 55) - 1)) * PAGE;
}

static void copy(volatile uint8_t *card, uint64_t from, uint64_t to, uint64_t command)
{
	*(volatile uint64_t *)(card + DMA_FROM) = from;
	*(volatile uint64_t *)(card + DMA_TO) = to;
	*(volatile uint64_t *)(card + DMA_COUNT) = PAGE;
	*(volatile uint64_t *)(card + DMA_COMMAND) = command | DMA_START;
	while (*(volatile uint64_t *)(card + DMA_COMMAND) & DMA_START)
		usleep(10000);
}

/* Data of this number from our page by way of the address; in between the card's memory is made to
 * forget it. */
static void probe(volatile uint8_t *card, uint8_t *page, uint64_t at, uint64_t address,
		  uint8_t number, const char *where)
{
	memset(page, number, PAGE);
	copy(card, at, BUFFER, 0);
	copy(card, BUFFER, address, DMA_TO_RAM);
	memset(page, 0, PAGE);
	copy(card, at, BUFFER, 0);
	copy(card, address, BUFFER, 0);
	copy(card, BUFFER, at, DMA_TO_RAM);
	printf("edu: %s: %s (0x%02x came back for 0x%02x)\n", where,
	       page[0] == number && memcmp(page, page + 1, PAGE - 1) == 0 ? "moved" : "lost",
	       page[0], number);
}

int main(int argc, char **argv)
{
	uint8_t *pages = aligned_alloc(PAGE, 2 * PAGE);
	uint64_t at, other;
	void *card;
	char where[64];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 3 || !pages)
		return failed("usage: edu_dma DEVICE ADDRESS");
	card = map_registers(argv[1]);
	if (card == MAP_FAILED)
		return failed(argv[1]);
	memset(pages, 0, 2 * PAGE);
	if (mlock(pages, 2 * PAGE) < 0)
		return failed("mlock");
	at = physical(pages);
	other = physical(pages + PAGE);
	if (!at || !other)
		return failed("pagemap");
	snprintf(where, sizeof(where), "at %s", argv[2]);
	probe(card, pages, at, other, 0x5a, "within memory");
	probe(card, pages, at, strtoull(argv[2], NULL, 0), 0xa5, where);
	probe(card, pages, at, other, 0x3c, "within memory");
	return 0;
}
