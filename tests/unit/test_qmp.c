/* SPDX-License-Identifier: BSD-3-Clause */
/* The control socket's wire, with a table of toy commands. */
#include "tests/unit/unit.h"
#include "lib/log.h"
#include "vmm/qmp.h"
#include "vmm/qmp_frame.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct bench {
	char path[64];
	struct rwy_poll *poll;
	struct rwy_qmp *qmp;
	struct rwy_qmp *waiting; /* for an answer to "later" */
	unsigned ran;
	int fd; /* the client's */
	char said[1 << 20];
	size_t said_len;
};

/* ---- toy commands ---- */

static void run_echo(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	((struct bench *)ctx)->ran++;
	rwy_qmp_return(qmp, json_deep_copy(args));
}

static void run_later(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	((struct bench *)ctx)->ran++;
	((struct bench *)ctx)->waiting = qmp;
}

static void run_fail(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	rwy_qmp_fail(qmp, "DeviceNotFound", "no %s",
		     json_string_value(json_object_get(args, "what")));
}

static void run_large(void *ctx, struct rwy_qmp *qmp, const json_t *args)
{
	char text[30000];

	((struct bench *)ctx)->ran++;
	memset(text, 'x', sizeof(text));
	rwy_qmp_return(qmp, json_stringn(text, sizeof(text)));
}

static const struct rwy_qmp_command commands[] = {
	{"echo", NULL, run_echo},
	{"later", "", run_later},
	{"fail", "what how ", run_fail},
	{"large", "", run_large},
};

/* ---- a client ---- */

static void quiet(enum rwy_log_level level, const char *line)
{
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	const struct rwy_qmp_config config = {NULL, b->path, commands, RWY_ARRAY_SIZE(commands), b};
	struct rwy_qmp_config c = config;

	rwy_log_set_sink(quiet);
	snprintf(b->path, sizeof(b->path), "/tmp/ringway-qmp.%d", getpid());
	b->fd = -1;
	*state = b;
	if (rwy_poll_open(&b->poll, RWY_POLL_NEVER))
		return -1;
	c.poll = b->poll;
	return rwy_qmp_open(&b->qmp, &c);
}

static int teardown(void **state)
{
	struct bench *b = *state;
	struct stat st;

	rwy_fd_close(&b->fd);
	rwy_qmp_close(b->qmp);
	rwy_poll_close(b->poll);
	int left = stat(b->path, &st) == 0;
	free(b);
	return left;
}

static int dial(struct bench *b)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, b->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void turn(struct bench *b)
{
	for (unsigned i = 0; i < 50; i++)
		rwy_poll_once(b->poll, 0);
}

/* All that has come since the last look, as one string. */
static const char *hear(struct bench *b)
{
	ssize_t n;

	turn(b);
	b->said_len = 0;
	while ((n = recv(b->fd, b->said + b->said_len, sizeof(b->said) - 1 - b->said_len, 0)) > 0) {
		b->said_len += (size_t)n;
		turn(b);
	}
	b->said[b->said_len] = '\0';
	return b->said;
}

static void tell(struct bench *b, const char *text)
{
	assert_int_equal(send(b->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static const char *ask(struct bench *b, const char *text)
{
	tell(b, text);
	return hear(b);
}

#define GREETING                                                                             \
	"{\"QMP\":{\"version\":{\"qemu\":{\"major\":0,\"minor\":1,\"micro\":0},\"package\":" \
	"\"ringway-vmm 0.1.0\"},\"capabilities\":[]}}\r\n"
#define OK	    "{\"return\":{}}\r\n"
#define ERROR(c, d) "{\"error\":{\"class\":\"" c "\",\"desc\":\"" d "\"}"

static void negotiate(struct bench *b)
{
	b->fd = dial(b);
	assert_string_equal(hear(b), GREETING);
	assert_string_equal(ask(b, "{\"execute\":\"qmp_capabilities\"}"), OK);
}

/* ---- tests ---- */

static void negotiation(void **state)
{
	struct bench *b = *state;

	b->fd = dial(b);
	assert_string_equal(hear(b), GREETING);
	rwy_qmp_event(b->qmp, "EARLY", NULL);
	assert_string_equal(ask(b, "{\"execute\":\"echo\",\"id\":1}"),
			    ERROR("CommandNotFound", "Expecting capabilities negotiation with "
						     "'qmp_capabilities'") ",\"id\":1}\r\n");
	assert_non_null(strstr(ask(b, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":"
				      "[\"oob\"]}}"),
			       "GenericError"));
	assert_string_equal(ask(b, "{ \"execute\": \"qmp_capabilities\", \"id\": \"a\", "
				   "\"arguments\": {\"enable\": []} }\n"),
			    "{\"return\":{},\"id\":\"a\"}\r\n");
	assert_non_null(strstr(ask(b, "{\"execute\":\"qmp_capabilities\"}"), "CommandNotFound"));
	assert_non_null(strstr(ask(b, "{\"execute\":\"query-commands\"}"),
			       "{\"name\":\"query-version\"},{\"name\":\"query-commands\"},"
			       "{\"name\":\"echo\"}"));
	assert_non_null(strstr(ask(b, "{\"execute\":\"query-version\"}"), "\"package\":\"ringway"));
}

static void answers(void **state)
{
	struct bench *b = *state;

	negotiate(b);
	assert_string_equal(ask(b, "{\"execute\":\"echo\",\"arguments\":{\"a\":[1,\"}{\\\"\"]},"
				   "\"id\":{\"n\":[null,1.5]}}"),
			    "{\"return\":{\"a\":[1,\"}{\\\"\"]},\"id\":{\"n\":[null,1.5]}}\r\n");
	assert_string_equal(ask(b, "{\"execute\":\"fail\",\"arguments\":{\"what\":\"tea\"},"
				   "\"id\":7}"),
			    ERROR("DeviceNotFound", "no tea") ",\"id\":7}\r\n");
	assert_string_equal(ask(b, "{\"execute\":\"nothing\"}"),
			    ERROR("CommandNotFound",
				  "The command nothing has not been found") "}"
									    "\r\n");
	assert_string_equal(ask(b, "{\"execute\":\"fail\",\"arguments\":{\"wha\":\"tea\"}}"),
			    ERROR("GenericError", "Parameter 'wha' is unexpected") "}\r\n");
	assert_string_equal(ask(b, "{\"execute\":\"later\",\"arguments\":{\"\":1}}"),
			    ERROR("GenericError", "Parameter '' is unexpected") "}\r\n");
	assert_string_equal(ask(b, "{\"id\":3}"),
			    ERROR("GenericError", "QMP input lacks member 'execute'") ",\"id\":3}"
										      "\r\n");
	assert_string_equal(ask(b, "{\"execute\":5}"),
			    ERROR("GenericError",
				  "QMP input member 'execute' must be a string") "}"
										 "\r\n");
	assert_string_equal(ask(b, "{\"execute\":\"echo\",\"arguments\":[]}"),
			    ERROR("GenericError",
				  "QMP input member 'arguments' must be an object") "}\r\n");
	assert_string_equal(ask(b, "{\"execute\":\"echo\",\"control\":{}}"),
			    ERROR("GenericError",
				  "QMP input member 'control' is unexpected") "}"
									      "\r\n");
	assert_string_equal(ask(b, "[{\"execute\":\"echo\"}]"),
			    ERROR("GenericError", "QMP input must be a JSON object") "}\r\n");
}

/* A name so long that the message is cut, in the middle of a character. */
static void long_names(void **state)
{
	struct bench *b = *state;
	char text[2048] = "{\"execute\":\"";

	negotiate(b);
	for (unsigned shift = 0; shift < 2; shift++) {
		strcpy(text, shift ? "{\"execute\":\"y" : "{\"execute\":\"");
		for (unsigned i = 0; i < 400; i++)
			strcat(text, "\xc3\xa4");
		strcat(text, "\"}");
		assert_non_null(strstr(ask(b, text), "\xc3\xa4\"}}\r\n"));
	}
}

static void several_and_split(void **state)
{
	struct bench *b = *state;
	static const char text[] = "{\"execute\":\"echo\",\"id\":\"\\u00e4\\\\\"}  \n";

	negotiate(b);
	assert_string_equal(ask(b, "{\"execute\":\"echo\",\"id\":1}{\"execute\":\"echo\",\"id\":2}"
				   "\r\n\t {\"execute\":\"echo\",\"id\":3} "),
			    "{\"return\":{},\"id\":1}\r\n{\"return\":{},\"id\":2}\r\n"
			    "{\"return\":{},\"id\":3}\r\n");
	for (unsigned i = 0; i < sizeof(text) - 1; i++) {
		assert_int_equal(send(b->fd, text + i, 1, 0), 1);
		turn(b);
	}
	assert_string_equal(hear(b), "{\"return\":{},\"id\":\"\xc3\xa4\\\\\"}\r\n");
}

/* Each gives one error, and what comes after it is understood. */
static void malformed(void **state)
{
	struct bench *b = *state;
	static const char *const bad[] = {
		"nonsense\n",
		"}\n",
		"]]]]]\n",
		"\"execute\"\n",
		"12 13 14\n",
		"\xff\n",
		"{\"execute\"}",
		"{\"execute\":}",
		"{\"execute\":\"echo\"]",
		"{\"execute\":\"echo\",}",
		"{'execute':'echo'}",
		"{\"execute\":\"echo\",\"execute\":\"echo\"}",
		"{\"execute\":\"ec\nho\"}\n",
		"{\"execute\":\"echo\",\"id\":\"\xc3\x28\"}",
		"{\"execute\":\"echo\",\"id\":\"\\u0000\"}",
		"{\"execute\":\"echo\",\"id\":\"\\ud800\"}",
		"{\"execute\":\"echo\",\"id\":1e999}",
		"{\"execute\":\"echo\",\"id\":99999999999999999999999}",
		"{\"execute\":\"echo\",\"id\":NaN}",
	};

	negotiate(b);
	for (unsigned i = 0; i < RWY_ARRAY_SIZE(bad); i++) {
		const char *said = ask(b, bad[i]);

		assert_int_equal(strncmp(said, "{\"error\":{\"class\":\"GenericError\"", 32), 0);
		/* The rest of a line that broke off may be a second error, never more. */
		assert_string_equal(ask(b, "\n"), "");
		assert_string_equal(ask(b, "{\"execute\":\"echo\"}"), OK);
	}
	assert_int_equal(b->ran, RWY_ARRAY_SIZE(bad));
}

static void deep(void **state)
{
	struct bench *b = *state;
	char text[400] = "{\"execute\":\"echo\",\"arguments\":{\"a\":";
	size_t len = strlen(text);

	negotiate(b);
	memset(text + len, '[', 62);
	memset(text + len + 62, ']', 62);
	strcpy(text + len + 124, "}}");
	assert_int_equal(strncmp(ask(b, text), "{\"return\":{\"a\":[[", 17), 0);
	memset(text + len, '[', 300);
	text[len + 300] = '\0';
	assert_string_equal(ask(b, text),
			    ERROR("GenericError",
				  "JSON parse error, too many brackets in brackets") "}\r\n");
	/* The rest of the line is skipped, whatever it is. */
	assert_string_equal(ask(b, "]]]]{\"execute\":\"echo\"}\n{\"execute\":\"echo\"}"), OK);
}

static void oversized(void **state)
{
	struct bench *b = *state;
	static char text[RWY_QMP_FRAME_MAX + 1];
	size_t sent = 0, size = 3 * RWY_QMP_FRAME_MAX;

	negotiate(b);
	memset(text, 'x', sizeof(text) - 1);
	tell(b, "{\"execute\":\"");
	while (sent < size) {
		ssize_t n = send(b->fd, text, RWY_MIN(sizeof(text) - 1, size - sent), 0);

		sent += n > 0 ? (size_t)n : 0;
		turn(b);
	}
	assert_string_equal(hear(b), ERROR("GenericError", "JSON parse error, too long") "}\r\n");
	assert_string_equal(ask(b, "\"}\n{\"execute\":\"echo\"}"), OK);
}

/* The largest that is taken, to the byte. */
static void largest(void **state)
{
	static struct rwy_qmp_frame frame;

	for (unsigned extra = 0; extra < 2; extra++) {
		rwy_qmp_frame_reset(&frame);
		assert_int_equal(rwy_qmp_frame_feed(&frame, '['), RWY_QMP_FRAME_MORE);
		for (unsigned i = 0; i < RWY_QMP_FRAME_MAX - 2 + extra; i++)
			assert_int_equal(rwy_qmp_frame_feed(&frame, ' '), RWY_QMP_FRAME_MORE);
		assert_int_equal(rwy_qmp_frame_feed(&frame, ']'),
				 extra ? RWY_QMP_FRAME_BAD : RWY_QMP_FRAME_DONE);
	}
}

static void later(void **state)
{
	struct bench *b = *state;

	negotiate(b);
	assert_string_equal(ask(b,
				"{\"execute\":\"later\",\"id\":1}{\"execute\":\"echo\",\"id\":2}"),
			    "");
	assert_int_equal(b->ran, 1); /* in order, so the second one waits */
	rwy_qmp_event(b->qmp, "STOP", json_pack("{si}", "a", 1));
	assert_non_null(strstr(hear(b), "\"data\":{\"a\":1}}\r\n"));
	assert_int_equal(strncmp(b->said, "{\"event\":\"STOP\",\"timestamp\":{\"seconds\":", 39),
			 0);
	rwy_qmp_return(b->waiting, NULL);
	assert_string_equal(hear(b), "{\"return\":{},\"id\":1}\r\n{\"return\":{},\"id\":2}\r\n");

	/* Its client goes; the next one is not told, and its commands wait meanwhile. */
	assert_string_equal(ask(b, "{\"execute\":\"later\",\"id\":3}"), "");
	rwy_fd_close(&b->fd);
	turn(b);
	b->fd = dial(b);
	assert_string_equal(hear(b), GREETING);
	assert_string_equal(ask(b, "{\"execute\":\"qmp_capabilities\",\"id\":4}"), "");
	rwy_qmp_fail(b->waiting, "GenericError", "too late");
	assert_string_equal(hear(b), "{\"return\":{},\"id\":4}\r\n");
}

static void one_at_a_time(void **state)
{
	struct bench *b = *state;
	int second;
	char buf[256];

	negotiate(b);
	second = dial(b);
	turn(b);
	assert_int_equal(recv(second, buf, sizeof(buf), 0), -1);
	assert_string_equal(ask(b, "{\"execute\":\"echo\"}"), OK);
	rwy_fd_close(&b->fd);
	b->fd = second;
	assert_string_equal(hear(b), GREETING);
	assert_non_null(strstr(ask(b, "{\"execute\":\"echo\"}"), "Expecting capabilities"));
}

/* Half a command, then nothing: the next client is not bothered by it. */
static void breaks_off(void **state)
{
	struct bench *b = *state;

	negotiate(b);
	assert_string_equal(ask(b, "{\"execute\":\"ec"), "");
	rwy_fd_close(&b->fd);
	turn(b);
	negotiate(b);
	assert_string_equal(ask(b, "{\"execute\":\"echo\"}"), OK);
	assert_int_equal(b->ran, 1);
}

/* No answer fits any more: commands wait until the client reads, and all are answered. */
static void does_not_read(void **state)
{
	struct bench *b = *state;
	unsigned answered = 0;

	negotiate(b);
	for (unsigned i = 0; i < 100; i++) {
		tell(b, "{\"execute\":\"large\"}");
		turn(b);
	}
	assert_in_range(b->ran, 1, 60);
	while (answered < 100) {
		unsigned before = answered;

		hear(b);
		for (const char *at = b->said; (at = strchr(at, '\n')); at++)
			answered++;
		assert_true(answered > before);
	}
	assert_int_equal(b->ran, 100);

	/* Events cannot wait: at some point it is dropped. */
	for (unsigned i = 0; i < 100; i++) {
		char text[20000];

		memset(text, 'e', sizeof(text));
		rwy_qmp_event(b->qmp, "E", json_pack("{ss%}", "t", text, sizeof(text)));
	}
	hear(b);
	assert_int_equal(recv(b->fd, b->said, 1, 0), 0);
	rwy_fd_close(&b->fd);
	negotiate(b);
}

static void sockets(void **state)
{
	struct bench *b = *state;
	struct rwy_qmp_config config = {b->poll, b->path, commands, 1, b};
	struct rwy_qmp *other;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char path[200];
	struct stat st;
	int fd;

	assert_int_equal(stat(b->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(rwy_qmp_open(&other, &config), -EADDRINUSE);
	assert_int_equal(stat(b->path, &st), 0);
	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	config.path = path;
	assert_int_equal(rwy_qmp_open(&other, &config), -ENAMETOOLONG);

	/* A dead process's socket is replaced, any other file is not. */
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s.dead", b->path);
	config.path = addr.sun_path;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	rwy_fd_close(&fd);
	assert_int_equal(rwy_qmp_open(&other, &config), 0);
	rwy_qmp_close(other);
	assert_int_equal(stat(addr.sun_path, &st), -1);
	fd = open(addr.sun_path, O_CREAT | O_WRONLY, 0600);
	rwy_fd_close(&fd);
	assert_int_equal(rwy_qmp_open(&other, &config), -EADDRINUSE);
	assert_int_equal(unlink(addr.sun_path), 0);
	rwy_qmp_event(NULL, "NOBODY", json_object());
	rwy_qmp_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(negotiation, setup, teardown),
		cmocka_unit_test_setup_teardown(answers, setup, teardown),
		cmocka_unit_test_setup_teardown(long_names, setup, teardown),
		cmocka_unit_test_setup_teardown(several_and_split, setup, teardown),
		cmocka_unit_test_setup_teardown(malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(deep, setup, teardown),
		cmocka_unit_test_setup_teardown(oversized, setup, teardown),
		cmocka_unit_test(largest),
		cmocka_unit_test_setup_teardown(later, setup, teardown),
		cmocka_unit_test_setup_teardown(one_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(breaks_off, setup, teardown),
		cmocka_unit_test_setup_teardown(does_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(sockets, setup, teardown),
	};

	return UNIT_RUN(tests);
}
