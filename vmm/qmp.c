/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/qmp.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "vmm/qmp_frame.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define RWY_STEM "qmp"

#define OUT_HIGH 65536	/* so much not sent yet: no more commands are taken */
#define OUT_MAX	 524288 /* so much: the client is dropped */
#define IN_LEN	 4096

#define GENERIC	  "GenericError"
#define NOT_FOUND "CommandNotFound"

struct rwy_qmp {
	struct rwy_qmp_config config;
	struct sockaddr_un addr;
	struct rwy_watch listener; /* its fd is owned */
	bool bound;		   /* the socket's file is ours */
	struct rwy_watch client;   /* its fd is owned; -1: none */
	bool negotiated;
	bool busy;     /* a command has not been answered */
	bool orphaned; /* its client has gone */
	bool serving;  /* inside serve() */
	json_t *id;    /* of the command; NULL: it had none */
	struct rwy_qmp_frame frame;
	char in[IN_LEN]; /* read, not fed to the frame yet: [in_at, in_len) */
	unsigned in_at, in_len;
	char *out; /* OUT_MAX bytes */
	unsigned out_len;
};

/* ---- sending ---- */

static void listen_again(struct rwy_qmp *qmp)
{
	if (qmp->listener.fd >= 0 && rwy_poll_watch(qmp->config.poll, &qmp->listener) < 0)
		rwy_error("no more clients: they cannot be waited for");
}

static void drop_client(struct rwy_qmp *qmp)
{
	rwy_poll_unwatch(qmp->config.poll, &qmp->client);
	rwy_fd_close(&qmp->client.fd);
	qmp->negotiated = false;
	qmp->orphaned = qmp->busy;
	qmp->in_at = qmp->in_len = 0;
	qmp->out_len = 0;
	rwy_qmp_frame_reset(&qmp->frame);
	listen_again(qmp);
}

/* Reading stops while a command is under way, and while too much waits to be sent. */
static void update_watch(struct rwy_qmp *qmp)
{
	uint32_t events = qmp->busy || qmp->out_len >= OUT_HIGH ? 0 : EPOLLIN;

	if (qmp->out_len)
		events |= EPOLLOUT;
	if (qmp->client.fd >= 0 && events != qmp->client.events &&
	    rwy_poll_rewatch(qmp->config.poll, &qmp->client, events) < 0)
		drop_client(qmp);
}

/* False: the client is gone. */
static bool flush(struct rwy_qmp *qmp)
{
	while (qmp->out_len) {
		ssize_t n =
			send(qmp->client.fd, qmp->out, qmp->out_len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0) {
			drop_client(qmp);
			return false;
		}
		qmp->out_len -= (unsigned)n;
		memmove(qmp->out, qmp->out + n, qmp->out_len);
	}
	return true;
}

/* Takes the message. */
static void send_json(struct rwy_qmp *qmp, json_t *message)
{
	size_t room = OUT_MAX - qmp->out_len;
	size_t len = qmp->client.fd < 0
			     ? 0
			     : json_dumpb(message, qmp->out + qmp->out_len, room, JSON_COMPACT);

	json_decref(message);
	if (qmp->client.fd < 0)
		return;
	if (len == 0 || len + 2 > room) {
		rwy_warn("a client does not read what it is sent: dropped");
		drop_client(qmp);
		return;
	}
	qmp->out_len += (unsigned)len;
	memcpy(qmp->out + qmp->out_len, "\r\n", 2);
	qmp->out_len += 2;
	if (flush(qmp))
		update_watch(qmp);
}

static json_t *version(void)
{
	int major = 0, minor = 0, micro = 0;

	(void)sscanf(RWY_VERSION, "%d.%d.%d", &major, &minor, &micro);
	return json_pack("{s{sisisi}ss}", "qemu", "major", major, "minor", minor, "micro", micro,
			 "package", "ringway-vmm " RWY_VERSION);
}

static void greet(struct rwy_qmp *qmp)
{
	send_json(qmp, json_pack("{s{sos[]}}", "QMP", "version", version(), "capabilities"));
}

void rwy_qmp_event(struct rwy_qmp *qmp, const char *name, json_t *data)
{
	struct timeval now;
	json_t *event;

	if (!qmp || qmp->client.fd < 0 || !qmp->negotiated) {
		json_decref(data);
		return;
	}
	gettimeofday(&now, NULL);
	event = json_pack("{sss{sIsI}}", "event", name, "timestamp", "seconds",
			  (json_int_t)now.tv_sec, "microseconds", (json_int_t)now.tv_usec);
	if (data)
		json_object_set_new(event, "data", data);
	send_json(qmp, event);
}

/* ---- answers ---- */

static void serve(struct rwy_qmp *qmp);

static void answer(struct rwy_qmp *qmp, const char *key, json_t *value)
{
	json_t *message = json_object();

	json_object_set_new(message, key, value);
	if (qmp->id)
		json_object_set_new(message, "id", qmp->id);
	qmp->id = NULL;
	qmp->busy = false;
	if (qmp->orphaned)
		json_decref(message);
	else
		send_json(qmp, message);
	qmp->orphaned = false;
	if (!qmp->serving)
		serve(qmp);
}

void rwy_qmp_return(struct rwy_qmp *qmp, json_t *value)
{
	answer(qmp, "return", value ? value : json_object());
}

void rwy_qmp_fail(struct rwy_qmp *qmp, const char *error_class, const char *fmt, ...)
{
	char desc[512];
	va_list ap;
	size_t len;

	va_start(ap, fmt);
	len = (size_t)vsnprintf(desc, sizeof(desc), fmt, ap);
	va_end(ap);
	if (len >= sizeof(desc)) {
		len = sizeof(desc) - 1;
		/* The last character may be cut: without it. */
		while ((desc[len - 1] & 0xc0) == 0x80)
			len--;
		len--;
	}
	answer(qmp, "error", json_pack("{ssss%}", "class", error_class, "desc", desc, len));
}

/* ---- built-in commands ---- */

static void run_capabilities(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	const json_t *enable = json_object_get(args, "enable");

	if (qmp->negotiated) {
		rwy_qmp_fail(qmp, NOT_FOUND,
			     "Capabilities negotiation is already complete, command ignored");
	} else if (enable && (!json_is_array(enable) || json_array_size(enable))) {
		rwy_qmp_fail(qmp, GENERIC, "There are no capabilities to enable");
	} else {
		qmp->negotiated = true;
		rwy_qmp_return(qmp, NULL);
	}
}

static void run_version(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	rwy_qmp_return(qmp, version());
}

static void run_commands(void *ctx, struct rwy_qmp *qmp, const json_t *args);

static const struct rwy_qmp_command builtins[] = {
	{"qmp_capabilities", "enable ", run_capabilities},
	{"query-version", "", run_version},
	{"query-commands", "", run_commands},
};

static void run_commands(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < RWY_ARRAY_SIZE(builtins); i++)
		json_array_append_new(list, json_pack("{ss}", "name", builtins[i].name));
	for (unsigned i = 0; i < qmp->config.nr_commands; i++)
		json_array_append_new(list,
				      json_pack("{ss}", "name", qmp->config.commands[i].name));
	rwy_qmp_return(qmp, list);
}

static const struct rwy_qmp_command *find_command(const struct rwy_qmp *qmp, const char *name)
{
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(builtins); i++)
		if (strcmp(builtins[i].name, name) == 0)
			return &builtins[i];
	for (unsigned i = 0; i < qmp->config.nr_commands; i++)
		if (strcmp(qmp->config.commands[i].name, name) == 0)
			return &qmp->config.commands[i];
	return NULL;
}

/* ---- requests ---- */

static bool is_param(const char *params, const char *name)
{
	size_t len = strlen(name);

	while (*params) {
		size_t word = strcspn(params, " ");

		if (word == len && memcmp(params, name, len) == 0)
			return true;
		params += word + 1;
	}
	return false;
}

/* The first of its names that is none of these; NULL: all are. */
static const char *stranger(const json_t *object, const char *params)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value) if (!is_param(params, name)) return name;
	return NULL;
}

static void run(struct rwy_qmp *qmp, const json_t *request)
{
	const json_t *args = json_object_get(request, "arguments");
	const json_t *execute = json_object_get(request, "execute");
	const char *name = json_string_value(execute);
	const struct rwy_qmp_command *command = name ? find_command(qmp, name) : NULL;
	const char *odd = stranger(request, "execute arguments id ");
	json_t *none = json_object();

	if (odd)
		rwy_qmp_fail(qmp, GENERIC, "QMP input member '%s' is unexpected", odd);
	else if (!execute)
		rwy_qmp_fail(qmp, GENERIC, "QMP input lacks member 'execute'");
	else if (!name)
		rwy_qmp_fail(qmp, GENERIC, "QMP input member 'execute' must be a string");
	else if (args && !json_is_object(args))
		rwy_qmp_fail(qmp, GENERIC, "QMP input member 'arguments' must be an object");
	else if (!qmp->negotiated && (!command || command->run != run_capabilities))
		rwy_qmp_fail(qmp, NOT_FOUND,
			     "Expecting capabilities negotiation with 'qmp_capabilities'");
	else if (!command)
		rwy_qmp_fail(qmp, NOT_FOUND, "The command %s has not been found", name);
	else if (args && command->params && (odd = stranger(args, command->params)))
		rwy_qmp_fail(qmp, GENERIC, "Parameter '%s' is unexpected", odd);
	else
		command->run(qmp->config.ctx, qmp, args ? args : none);
	json_decref(none);
}

static void handle(struct rwy_qmp *qmp)
{
	json_error_t error;
	json_t *request =
		json_loadb(qmp->frame.text, qmp->frame.len, JSON_REJECT_DUPLICATES, &error);

	qmp->busy = true;
	qmp->id = json_incref(json_object_get(request, "id"));
	if (!request)
		rwy_qmp_fail(qmp, GENERIC, "JSON parse error, %s", error.text);
	else if (!json_is_object(request))
		rwy_qmp_fail(qmp, GENERIC, "QMP input must be a JSON object");
	else
		run(qmp, request);
	json_decref(request);
}

/* Runs what has been read, as far as that goes now. */
static void serve(struct rwy_qmp *qmp)
{
	qmp->serving = true;
	while (!qmp->busy && qmp->in_at < qmp->in_len && qmp->out_len < OUT_HIGH) {
		switch (rwy_qmp_frame_feed(&qmp->frame, qmp->in[qmp->in_at++])) {
		case RWY_QMP_FRAME_MORE:
			break;
		case RWY_QMP_FRAME_DONE:
			handle(qmp);
			break;
		case RWY_QMP_FRAME_BAD:
			qmp->busy = true;
			rwy_qmp_fail(qmp, GENERIC, "JSON parse error, %s", qmp->frame.why);
			break;
		}
	}
	qmp->serving = false;
	update_watch(qmp);
}

/* ---- connections ---- */

static void client_ready(void *ctx, uint32_t events)
{
	struct rwy_qmp *qmp = ctx;
	ssize_t n;

	if ((events & EPOLLOUT) && !flush(qmp))
		return;
	serve(qmp); /* what waited for room */
	if (qmp->client.fd < 0)
		return;
	if (!(events & EPOLLIN) || qmp->in_at < qmp->in_len || qmp->busy ||
	    qmp->out_len >= OUT_HIGH) {
		if (events & (EPOLLERR | EPOLLHUP))
			drop_client(qmp);
		return;
	}
	n = recv(qmp->client.fd, qmp->in, sizeof(qmp->in), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop_client(qmp);
		return;
	}
	qmp->in_at = 0;
	qmp->in_len = (unsigned)n;
	serve(qmp);
}

static void listener_ready(void *ctx, uint32_t events)
{
	struct rwy_qmp *qmp = ctx;
	int fd = accept4(qmp->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	qmp->client = (struct rwy_watch){fd, EPOLLIN, client_ready, qmp};
	if (rwy_poll_watch(qmp->config.poll, &qmp->client) < 0) {
		rwy_fd_close(&qmp->client.fd);
		return;
	}
	rwy_poll_unwatch(qmp->config.poll, &qmp->listener);
	greet(qmp);
}

static bool is_dead(const struct sockaddr_un *addr)
{
	struct stat st;
	int fd, err = 0;

	if (stat(addr->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0)
		err = errno;
	rwy_fd_close(&fd);
	return err == ECONNREFUSED;
}

static int listen_at(struct rwy_qmp *qmp)
{
	const struct sockaddr *addr = (const struct sockaddr *)&qmp->addr;
	mode_t mask;
	int rc;

	if (strlen(qmp->config.path) >= sizeof(qmp->addr.sun_path))
		return -ENAMETOOLONG;
	qmp->addr.sun_family = AF_UNIX;
	strcpy(qmp->addr.sun_path, qmp->config.path);
	qmp->listener.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (qmp->listener.fd < 0)
		return -errno;
	if (is_dead(&qmp->addr))
		unlink(qmp->addr.sun_path);
	mask = umask(0177);
	rc = bind(qmp->listener.fd, addr, sizeof(qmp->addr)) < 0 ? -errno : 0;
	umask(mask);
	if (rc < 0)
		return rc;
	qmp->bound = true;
	if (listen(qmp->listener.fd, 4) < 0)
		return -errno;
	return rwy_poll_watch(qmp->config.poll, &qmp->listener);
}

int rwy_qmp_open(struct rwy_qmp **out, const struct rwy_qmp_config *config)
{
	struct rwy_qmp *qmp = calloc(1, sizeof(*qmp));
	int rc;

	if (!qmp)
		return -ENOMEM;
	qmp->config = *config;
	qmp->client.fd = -1;
	qmp->listener = (struct rwy_watch){-1, EPOLLIN, listener_ready, qmp};
	qmp->out = malloc(OUT_MAX);
	rc = qmp->out ? listen_at(qmp) : -ENOMEM;
	if (rc < 0) {
		rwy_fd_close(&qmp->listener.fd);
		rwy_qmp_close(qmp);
		return rc;
	}
	*out = qmp;
	return 0;
}

void rwy_qmp_close(struct rwy_qmp *qmp)
{
	if (!qmp)
		return;
	if (qmp->client.fd >= 0 && flush(qmp))
		drop_client(qmp);
	if (qmp->listener.fd >= 0)
		rwy_poll_unwatch(qmp->config.poll, &qmp->listener);
	rwy_fd_close(&qmp->listener.fd);
	if (qmp->bound)
		unlink(qmp->addr.sun_path);
	json_decref(qmp->id);
	free(qmp->out);
	free(qmp);
}
