/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host's end of the serial line: the terminal (or whatever standard input and output are), a
 * file, or nothing. Lives on the main thread's reactor; takes the bus lock to reach the UART.
 *
 * A terminal is made raw while the machine runs, so that Ctrl-C belongs to the guest; Ctrl-A x asks
 * the machine to end and Ctrl-A Ctrl-A is one Ctrl-A. Output is never waited for: what the host
 * does not take stays in the UART's ring.
 */
#ifndef RWY_VMM_CONSOLE_H
#define RWY_VMM_CONSOLE_H

#include "lib/poll.h"
#include "vmm/uart.h"

#include <pthread.h>
#include <termios.h>

struct rwy_console_config {
	struct rwy_poll *poll;
	struct rwy_uart *uart;
	pthread_mutex_t *lock;	 /* the bus lock */
	int in_fd;		 /* -1: no input. Not owned */
	int out_fd;		 /* -1: output is dropped. Not owned */
	void (*quit)(void *ctx); /* Ctrl-A x; main thread */
	void *ctx;
};

struct rwy_console {
	struct rwy_console_config config;
	int attention_fd;
	struct rwy_watch attention, input, output;
	struct rwy_timer flush;
	bool watching_input, watching_output;
	bool output_is_file; /* epoll refuses it; a write cannot wait long either */
	bool escaped;
	int tty_fd; /* the terminal that was made raw, or -1 */
	struct termios saved;
	uint8_t held[64]; /* read from in_fd, not yet fed */
	unsigned held_len;
};

/* The UART's `attention` callback; ctx is the console. Any thread. */
void rwy_console_attention(void *console);

RWY_MUST_CHECK int rwy_console_open(struct rwy_console *console,
				    const struct rwy_console_config *config);
/* Writes what the guest sent last, gives the terminal back. */
void rwy_console_close(struct rwy_console *console);

#endif
