/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A 16550A at COM1, as the 8250 driver of any guest knows it (National Semiconductor PC16550D data
 * sheet): FIFOs, all four interrupt causes, modem lines that say "connected".
 *
 * Transmitted bytes wait in a ring until the host side (console.c) takes them. When the host does
 * not take them the ring fills and the transmitter stays busy: the guest waits or gives up, the
 * machine does not. Every call is made with the bus lock held or before vCPUs run.
 */
#ifndef RWY_VMM_UART_H
#define RWY_VMM_UART_H

#include "lib/base.h"

#define RWY_UART_PORTS	 8
#define RWY_UART_FIFO	 16
#define RWY_UART_TX_RING 16384 /* a power of two */

struct rwy_uart_ops {
	/* The interrupt line. */
	void (*line)(void *ctx, bool level);
	/* The ring has bytes after being empty, or the receiver has room after being full. From a
	 * vCPU thread: must not block. */
	void (*attention)(void *ctx);
	void *ctx;
};

struct rwy_uart {
	struct rwy_uart_ops ops;
	uint8_t ier, lcr, mcr, fcr, scr, lsr_errors;
	uint8_t dll, dlm;
	uint8_t msr_delta;
	bool thr_pending; /* the transmitter ran empty and nobody read that in IIR */
	bool thr_waiting; /* the ring is full: the guest is told when it is not */
	bool rx_full;	  /* the host was turned away */
	bool level;
	uint8_t rx[RWY_UART_FIFO];
	unsigned rx_len;
	uint8_t tx[RWY_UART_TX_RING];
	uint32_t tx_head, tx_tail; /* free running; head - tail bytes wait */
};

void rwy_uart_init(struct rwy_uart *uart, const struct rwy_uart_ops *ops);
/* As after power-on. Bytes that wait for the host stay. */
void rwy_uart_reset(struct rwy_uart *uart);

/* Register access, 1 byte wide; wider ones read as all ones and are dropped as writes. */
void rwy_uart_read(void *uart, uint64_t off, void *buf, unsigned len);
void rwy_uart_write(void *uart, uint64_t off, const void *buf, unsigned len);

/* Host side: bytes for the guest; as many as the receiver has room for. */
unsigned rwy_uart_feed(struct rwy_uart *uart, const uint8_t *bytes, unsigned len);
/* Host side: up to len transmitted bytes. */
unsigned rwy_uart_drain(struct rwy_uart *uart, uint8_t *bytes, unsigned len);

#endif
