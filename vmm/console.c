/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/console.h"

#include "lib/fd.h"
#include "lib/log.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define RWY_STEM "console"

/* Long enough to gather a line of output, short enough for fingers. */
#define FLUSH_NS 1000000u
/* What a pipe or terminal that polls as writable takes without blocking. */
#define CHUNK 512

/* At the end, for a reader that lags behind. */
#define LINGER_MS 1000

#define ESCAPE 0x01 /* Ctrl-A */

void rwy_console_attention(void *ctx)
{
	struct rwy_console *console = ctx;

	rwy_fd_signal(console->attention_fd);
}

static bool writable(const struct rwy_console *console, int timeout_ms)
{
	struct pollfd pfd = {.fd = console->config.out_fd, .events = POLLOUT};

	return console->output_is_file ||
	       (poll(&pfd, 1, timeout_ms) == 1 && (pfd.revents & (POLLOUT | POLLERR)));
}

static void drop_output(struct rwy_console *console, int err)
{
	rwy_warn("serial output is dropped from here on: %s", strerror(err));
	console->config.out_fd = -1;
}

/* True when something is left that the host does not take now. */
static bool write_out(struct rwy_console *console, int timeout_ms)
{
	uint8_t chunk[CHUNK];

	for (;;) {
		if (console->config.out_fd >= 0 && !writable(console, timeout_ms))
			return true;
		pthread_mutex_lock(console->config.lock);
		unsigned len = rwy_uart_drain(console->config.uart, chunk, sizeof(chunk));
		pthread_mutex_unlock(console->config.lock);
		if (len == 0)
			return false;
		for (unsigned at = 0; at < len && console->config.out_fd >= 0;) {
			ssize_t n = write(console->config.out_fd, chunk + at, len - at);

			if (n > 0)
				at += (unsigned)n;
			else if (n == 0 || (errno != EINTR && errno != EAGAIN))
				drop_output(console, n == 0 ? EIO : errno);
		}
	}
}

static void watch_output(struct rwy_console *console, bool on)
{
	if (on == console->watching_output || console->output_is_file)
		return;
	if (!on)
		rwy_poll_unwatch(console->config.poll, &console->output);
	else if (rwy_poll_watch(console->config.poll, &console->output))
		return;
	console->watching_output = on;
}

static void on_flush(void *ctx)
{
	struct rwy_console *console = ctx;

	watch_output(console, write_out(console, 0));
}

static void on_output(void *ctx, uint32_t events)
{
	on_flush(ctx);
}

/* Gives the UART what is held; true when all of it went. */
static bool feed(struct rwy_console *console)
{
	pthread_mutex_lock(console->config.lock);
	unsigned n = rwy_uart_feed(console->config.uart, console->held, console->held_len);
	pthread_mutex_unlock(console->config.lock);
	console->held_len -= n;
	memmove(console->held, console->held + n, console->held_len);
	return console->held_len == 0;
}

static void watch_input(struct rwy_console *console, bool on)
{
	if (on == console->watching_input)
		return;
	if (!on)
		rwy_poll_unwatch(console->config.poll, &console->input);
	else if (rwy_poll_watch(console->config.poll, &console->input))
		return; /* /dev/null, a file: nobody types there */
	console->watching_input = on;
}

/* Removes escape sequences from what was typed. True: the user wants to leave. */
static bool unescape(struct rwy_console *console, const uint8_t *typed, unsigned len)
{
	for (unsigned i = 0; i < len; i++) {
		if (console->tty_fd >= 0 && !console->escaped && typed[i] == ESCAPE) {
			console->escaped = true;
			continue;
		}
		if (console->escaped && typed[i] == 'x')
			return true;
		console->escaped = false;
		console->held[console->held_len++] = typed[i];
	}
	return false;
}

static void on_input(void *ctx, uint32_t events)
{
	struct rwy_console *console = ctx;
	uint8_t typed[sizeof(console->held)];
	ssize_t n = read(console->config.in_fd, typed, sizeof(typed) - console->held_len);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		watch_input(console, false);
		console->config.in_fd = -1;
		return;
	}
	if (unescape(console, typed, (unsigned)n)) {
		console->config.quit(console->config.ctx);
		return;
	}
	if (!feed(console))
		watch_input(console, false);
}

static void on_attention(void *ctx, uint32_t events)
{
	struct rwy_console *console = ctx;

	rwy_fd_drain(console->attention_fd);
	if (!console->flush.armed && !console->watching_output)
		rwy_poll_timer_set(console->config.poll, &console->flush, FLUSH_NS);
	if (console->config.in_fd >= 0 && feed(console))
		watch_input(console, true);
}

static void set_raw(struct rwy_console *console)
{
	int tty = console->config.in_fd;
	struct termios raw;

	/* A background job that changes its terminal is stopped. */
	if (tty < 0 || tcgetpgrp(tty) != getpgrp() || tcgetattr(tty, &console->saved) < 0)
		return;
	raw = console->saved;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST; /* our own log lines share the terminal */
	if (tcsetattr(tty, TCSANOW, &raw) == 0)
		console->tty_fd = tty;
}

int rwy_console_open(struct rwy_console *console, const struct rwy_console_config *config)
{
	struct rwy_poll *poll_on = config->poll;
	int err;

	memset(console, 0, sizeof(*console));
	console->config = *config;
	console->tty_fd = -1;
	console->attention_fd = rwy_fd_event();
	if (console->attention_fd < 0)
		return console->attention_fd;
	console->attention =
		(struct rwy_watch){console->attention_fd, EPOLLIN, on_attention, console};
	console->input = (struct rwy_watch){config->in_fd, EPOLLIN, on_input, console};
	console->output = (struct rwy_watch){config->out_fd, EPOLLOUT, on_output, console};
	console->flush = (struct rwy_timer){.fire = on_flush, .ctx = console};

	err = rwy_poll_watch(poll_on, &console->attention);
	if (err) {
		rwy_fd_close(&console->attention_fd);
		return err;
	}
	if (config->out_fd >= 0) {
		err = rwy_poll_watch(poll_on, &console->output);
		console->output_is_file = err == -EPERM;
		if (err == 0)
			rwy_poll_unwatch(poll_on, &console->output);
	}
	set_raw(console);
	if (config->in_fd >= 0)
		watch_input(console, true);
	return 0;
}

void rwy_console_close(struct rwy_console *console)
{
	if (console->attention_fd < 0)
		return;
	rwy_poll_timer_cancel(console->config.poll, &console->flush);
	write_out(console, LINGER_MS);
	watch_input(console, false);
	watch_output(console, false);
	rwy_poll_unwatch(console->config.poll, &console->attention);
	rwy_fd_close(&console->attention_fd);
	if (console->tty_fd >= 0)
		tcsetattr(console->tty_fd, TCSANOW, &console->saved);
}
