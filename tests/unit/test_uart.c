/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"
#include "vmm/uart.h"

#include <string.h>

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR, FCR = 2 };

#define THRE 0x20
#define DR   0x01

struct fixture {
	struct rwy_uart uart;
	bool level;
	unsigned edges;
	unsigned attentions;
};

static void on_line(void *ctx, bool level)
{
	struct fixture *f = ctx;

	assert_int_not_equal(f->level, level);
	f->level = level;
	f->edges += level;
}

static void on_attention(void *ctx)
{
	((struct fixture *)ctx)->attentions++;
}

static int setup(void **state)
{
	static struct fixture f;
	const struct rwy_uart_ops ops = {on_line, on_attention, &f};

	memset(&f, 0, sizeof(f));
	rwy_uart_init(&f.uart, &ops);
	*state = &f;
	return 0;
}

static uint8_t in(struct fixture *f, unsigned reg)
{
	uint8_t v;

	rwy_uart_read(&f->uart, reg, &v, 1);
	return v;
}

static void out(struct fixture *f, unsigned reg, uint8_t v)
{
	rwy_uart_write(&f->uart, reg, &v, 1);
}

static void transmits(void **state)
{
	struct fixture *f = *state;
	uint8_t got[8];

	assert_true(in(f, LSR) & THRE);
	out(f, DATA, 'a');
	out(f, DATA, 'b');
	assert_int_equal(f->attentions, 1); /* once for both */
	assert_int_equal(rwy_uart_drain(&f->uart, got, sizeof(got)), 2);
	assert_memory_equal(got, "ab", 2);
	assert_int_equal(f->edges, 0); /* nobody asked for interrupts */
	out(f, DATA, 'c');
	assert_int_equal(f->attentions, 2);
}

/* What the 8250 driver does to see whether transmitter interrupts work. */
static void transmitter_interrupts(void **state)
{
	struct fixture *f = *state;

	out(f, IER, 0x02);
	assert_true(f->level);
	assert_int_equal(in(f, IIR), 0x02);
	assert_false(f->level); /* reading it settles it */
	assert_int_equal(in(f, IIR), 0x01);
	out(f, IER, 0);
	out(f, IER, 0x02);
	assert_true(f->level);
	out(f, DATA, 'x');
	assert_true(f->level); /* empty again at once */
	assert_int_equal(in(f, IIR), 0x02);
	out(f, IER, 0);
	assert_false(f->level);
}

static void a_full_ring_is_a_busy_transmitter(void **state)
{
	struct fixture *f = *state;
	uint8_t sink[32];
	unsigned sent = 0;

	out(f, FCR, 1);
	out(f, IER, 0x02);
	while (in(f, LSR) & THRE) {
		for (unsigned i = 0; i < RWY_UART_FIFO; i++)
			out(f, DATA, (uint8_t)sent++);
	}
	assert_int_equal(sent, RWY_UART_TX_RING);
	assert_int_equal(in(f, IIR), 0xc1);
	assert_false(f->level);
	out(f, DATA, 0); /* dropped */
	assert_int_equal(rwy_uart_drain(&f->uart, sink, sizeof(sink)), sizeof(sink));
	assert_true(f->level); /* room: the guest hears of it */
	assert_int_equal(in(f, IIR), 0xc2);
	unsigned left = sent - sizeof(sink);
	for (unsigned i = 0; i < left; i++) {
		assert_int_equal(rwy_uart_drain(&f->uart, sink, 1), 1);
		assert_int_equal(sink[0], (uint8_t)(i + 32));
	}
	assert_int_equal(rwy_uart_drain(&f->uart, sink, 1), 0);
}

static void receives(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[20];

	memset(bytes, 'r', sizeof(bytes));
	out(f, FCR, 1);
	out(f, IER, 0x01);
	assert_int_equal(rwy_uart_feed(&f->uart, bytes, sizeof(bytes)), RWY_UART_FIFO);
	assert_true(f->level);
	assert_int_equal(in(f, IIR), 0xc4);
	for (unsigned i = 0; i < RWY_UART_FIFO; i++) {
		assert_int_equal(f->attentions, 0);
		assert_true(in(f, LSR) & DR);
		assert_int_equal(in(f, DATA), 'r');
	}
	assert_int_equal(f->attentions, 1); /* the host may go on */
	assert_false(f->level);
	assert_false(in(f, LSR) & DR);
	assert_int_equal(in(f, DATA), 0);
}

static void one_byte_without_fifo(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(rwy_uart_feed(&f->uart, (const uint8_t *)"xy", 2), 1);
	assert_int_equal(in(f, DATA), 'x');
	assert_int_equal(f->attentions, 1);
}

static void clearing_the_fifo_lets_the_host_go_on(void **state)
{
	struct fixture *f = *state;
	uint8_t bytes[16] = {0};

	out(f, FCR, 1);
	assert_int_equal(rwy_uart_feed(&f->uart, bytes, 16), 16);
	out(f, FCR, 3);
	assert_int_equal(f->attentions, 1);
	assert_false(in(f, LSR) & DR);
}

/* The driver's probe: loop-back turns modem control into modem status. */
static void loop_back(void **state)
{
	struct fixture *f = *state;

	out(f, MCR, 0x1a);
	assert_int_equal(in(f, MSR) & 0xf0, 0x90);
	out(f, DATA, 'l');
	assert_int_equal(f->attentions, 0);
	assert_int_equal(in(f, DATA), 'l');
	out(f, DATA, '1');
	out(f, DATA, '2'); /* no FIFO: overrun */
	assert_true(in(f, LSR) & 0x02);
	assert_false(in(f, LSR) & 0x02);
	/* The host's bytes wait outside. */
	out(f, FCR, 3);
	assert_int_equal(rwy_uart_feed(&f->uart, (const uint8_t *)"x", 1), 0);
	out(f, MCR, 0x0b);
	assert_int_equal(in(f, MSR) & 0xf0, 0xb0);
}

static void registers(void **state)
{
	struct fixture *f = *state;
	uint32_t wide = 0;

	out(f, SCR, 0xa5);
	assert_int_equal(in(f, SCR), 0xa5);
	out(f, LCR, 0x80);
	out(f, DATA, 0x12);
	out(f, IER, 0x34);
	assert_int_equal(in(f, DATA), 0x12);
	assert_int_equal(in(f, IER), 0x34);
	out(f, LCR, 0x03);
	out(f, IER, 0xff);
	assert_int_equal(in(f, IER), 0x0f);
	assert_true(f->level);
	rwy_uart_read(&f->uart, 0, &wide, 4);
	assert_int_equal(wide, 0xffffffff);
	rwy_uart_reset(&f->uart);
	assert_false(f->level);
	assert_int_equal(in(f, IER), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(transmits, setup),
		cmocka_unit_test_setup(transmitter_interrupts, setup),
		cmocka_unit_test_setup(a_full_ring_is_a_busy_transmitter, setup),
		cmocka_unit_test_setup(receives, setup),
		cmocka_unit_test_setup(one_byte_without_fifo, setup),
		cmocka_unit_test_setup(clearing_the_fifo_lets_the_host_go_on, setup),
		cmocka_unit_test_setup(loop_back, setup),
		cmocka_unit_test_setup(registers, setup),
	};

	return UNIT_RUN(tests);
}
