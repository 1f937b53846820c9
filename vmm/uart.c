/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/uart.h"

#include <string.h>

enum { RBR_THR = 0, IER = 1, IIR_FCR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };

#define IER_RX	   0x01
#define IER_THR	   0x02
#define IER_LINE   0x04
#define IER_MODEM  0x08
#define IIR_NONE   0x01
#define IIR_MODEM  0x00
#define IIR_THR	   0x02
#define IIR_RX	   0x04
#define IIR_LINE   0x06
#define IIR_FIFOS  0xc0
#define FCR_ENABLE 0x01
#define FCR_CLR_RX 0x02
#define FCR_CLR_TX 0x04
#define LCR_DLAB   0x80
#define MCR_DTR	   0x01
#define MCR_RTS	   0x02
#define MCR_OUT1   0x04
#define MCR_OUT2   0x08
#define MCR_LOOP   0x10
#define LSR_DR	   0x01
#define LSR_OE	   0x02
#define LSR_THRE   0x20
#define LSR_TEMT   0x40
#define MSR_CTS	   0x10
#define MSR_DSR	   0x20
#define MSR_RI	   0x40
#define MSR_DCD	   0x80

static unsigned tx_room(const struct rwy_uart *uart)
{
	return RWY_UART_TX_RING - (uart->tx_head - uart->tx_tail);
}

static uint8_t cause(const struct rwy_uart *uart)
{
	if ((uart->ier & IER_LINE) && uart->lsr_errors)
		return IIR_LINE;
	if ((uart->ier & IER_RX) && uart->rx_len > 0)
		return IIR_RX;
	if ((uart->ier & IER_THR) && uart->thr_pending)
		return IIR_THR;
	if ((uart->ier & IER_MODEM) && uart->msr_delta)
		return IIR_MODEM;
	return IIR_NONE;
}

static void update_line(struct rwy_uart *uart)
{
	bool level = cause(uart) != IIR_NONE;

	if (level == uart->level)
		return;
	uart->level = level;
	uart->ops.line(uart->ops.ctx, level);
}

void rwy_uart_init(struct rwy_uart *uart, const struct rwy_uart_ops *ops)
{
	memset(uart, 0, sizeof(*uart));
	uart->ops = *ops;
	rwy_uart_reset(uart);
}

void rwy_uart_reset(struct rwy_uart *uart)
{
	uart->ier = 0;
	uart->lcr = 0x03;
	uart->mcr = MCR_OUT2;
	uart->fcr = 0;
	uart->scr = 0;
	uart->lsr_errors = 0;
	uart->dll = 1;
	uart->dlm = 0;
	uart->msr_delta = 0;
	uart->thr_pending = false;
	uart->rx_len = 0;
	update_line(uart);
}

static void receive(struct rwy_uart *uart, uint8_t byte)
{
	unsigned most = uart->fcr & FCR_ENABLE ? RWY_UART_FIFO : 1;

	if (uart->rx_len < most)
		uart->rx[uart->rx_len++] = byte;
	else
		uart->lsr_errors |= LSR_OE;
}

static void transmit(struct rwy_uart *uart, uint8_t byte)
{
	uart->thr_pending = false;
	if (uart->mcr & MCR_LOOP) {
		receive(uart, byte);
		uart->thr_pending = true;
		return;
	}
	if (tx_room(uart) == 0)
		return; /* the guest wrote without looking at THRE */
	bool was_empty = uart->tx_head == uart->tx_tail;
	uart->tx[uart->tx_head++ % RWY_UART_TX_RING] = byte;
	/* A FIFO's worth of room is what THRE promises the driver. */
	if (tx_room(uart) >= RWY_UART_FIFO)
		uart->thr_pending = true;
	else
		uart->thr_waiting = true;
	if (was_empty)
		uart->ops.attention(uart->ops.ctx);
}

static uint8_t take_received(struct rwy_uart *uart)
{
	uint8_t byte = uart->rx[0];

	if (uart->rx_len == 0)
		return 0;
	memmove(uart->rx, uart->rx + 1, --uart->rx_len);
	if (uart->rx_len == 0 && uart->rx_full) {
		uart->rx_full = false;
		uart->ops.attention(uart->ops.ctx);
	}
	return byte;
}

static uint8_t modem_status(const struct rwy_uart *uart)
{
	if (!(uart->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD | uart->msr_delta;
	return (uint8_t)((uart->mcr & MCR_RTS ? MSR_CTS : 0) | (uart->mcr & MCR_DTR ? MSR_DSR : 0) |
			 (uart->mcr & MCR_OUT1 ? MSR_RI : 0) |
			 (uart->mcr & MCR_OUT2 ? MSR_DCD : 0) | uart->msr_delta);
}

static uint8_t read_iir(struct rwy_uart *uart)
{
	uint8_t iir = cause(uart);

	if (iir == IIR_THR)
		uart->thr_pending = false;
	return iir | (uart->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static uint8_t read_lsr(struct rwy_uart *uart)
{
	uint8_t lsr = uart->lsr_errors;

	if (uart->rx_len > 0)
		lsr |= LSR_DR;
	if (tx_room(uart) >= RWY_UART_FIFO)
		lsr |= LSR_THRE | LSR_TEMT;
	uart->lsr_errors = 0;
	return lsr;
}

static uint8_t read_register(struct rwy_uart *uart, unsigned reg)
{
	uint8_t v;

	switch (reg) {
	case RBR_THR:
		return uart->lcr & LCR_DLAB ? uart->dll : take_received(uart);
	case IER:
		return uart->lcr & LCR_DLAB ? uart->dlm : uart->ier;
	case IIR_FCR:
		return read_iir(uart);
	case LCR:
		return uart->lcr;
	case MCR:
		return uart->mcr;
	case LSR:
		return read_lsr(uart);
	case MSR:
		v = modem_status(uart);
		uart->msr_delta = 0;
		return v;
	default:
		return uart->scr;
	}
}

static void write_fcr(struct rwy_uart *uart, uint8_t v)
{
	/* Switching the FIFOs on or off empties them. */
	if ((v & FCR_CLR_RX) || ((v ^ uart->fcr) & FCR_ENABLE)) {
		uart->rx_len = 0;
		if (uart->rx_full) {
			uart->rx_full = false;
			uart->ops.attention(uart->ops.ctx);
		}
	}
	uart->fcr = v & (uint8_t) ~(FCR_CLR_RX | FCR_CLR_TX);
}

static void write_ier(struct rwy_uart *uart, uint8_t v)
{
	uint8_t on = v & (uint8_t)~uart->ier;

	uart->ier = v & 0x0f;
	/* An idle transmitter interrupts as soon as it is asked to. */
	if ((on & IER_THR) && tx_room(uart) >= RWY_UART_FIFO)
		uart->thr_pending = true;
}

static void write_register(struct rwy_uart *uart, unsigned reg, uint8_t v)
{
	switch (reg) {
	case RBR_THR:
		if (uart->lcr & LCR_DLAB)
			uart->dll = v;
		else
			transmit(uart, v);
		break;
	case IER:
		if (uart->lcr & LCR_DLAB)
			uart->dlm = v;
		else
			write_ier(uart, v);
		break;
	case IIR_FCR:
		write_fcr(uart, v);
		break;
	case LCR:
		uart->lcr = v;
		break;
	case MCR: {
		uint8_t before = modem_status(uart) & 0xf0;

		uart->mcr = v & 0x1f;
		uint8_t after = modem_status(uart) & 0xf0;
		/* The delta bits sit four below the lines; RI counts its falling edge only. */
		uint8_t delta = (uint8_t)(before ^ after);
		if (after & MSR_RI)
			delta &= (uint8_t)~MSR_RI;
		uart->msr_delta |= (uint8_t)(delta >> 4);
		break;
	}
	case SCR:
		uart->scr = v;
		break;
	default: /* LSR and MSR are read-only here */
		break;
	}
}

void rwy_uart_read(void *ctx, uint64_t off, void *buf, unsigned len)
{
	struct rwy_uart *uart = ctx;

	if (len != 1) {
		memset(buf, 0xff, len);
		return;
	}
	*(uint8_t *)buf = read_register(uart, (unsigned)off);
	update_line(uart);
}

void rwy_uart_write(void *ctx, uint64_t off, const void *buf, unsigned len)
{
	struct rwy_uart *uart = ctx;

	if (len != 1)
		return;
	write_register(uart, (unsigned)off, *(const uint8_t *)buf);
	update_line(uart);
}

unsigned rwy_uart_feed(struct rwy_uart *uart, const uint8_t *bytes, unsigned len)
{
	unsigned most = uart->fcr & FCR_ENABLE ? RWY_UART_FIFO : 1;
	unsigned n = 0;

	while (n < len && uart->rx_len < most && !(uart->mcr & MCR_LOOP))
		uart->rx[uart->rx_len++] = bytes[n++];
	uart->rx_full = n < len || uart->rx_len == most;
	update_line(uart);
	return n;
}

unsigned rwy_uart_drain(struct rwy_uart *uart, uint8_t *bytes, unsigned len)
{
	unsigned n = 0;

	while (n < len && uart->tx_tail != uart->tx_head)
		bytes[n++] = uart->tx[uart->tx_tail++ % RWY_UART_TX_RING];
	if (uart->thr_waiting && tx_room(uart) >= RWY_UART_FIFO) {
		uart->thr_waiting = false;
		uart->thr_pending = true;
		update_line(uart);
	}
	return n;
}
