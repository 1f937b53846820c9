/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ringway-vmm as a process, with the guest of tiny.S: its whole life in milliseconds, wherever
 * /dev/kvm can run a few instructions. Usage: test_machine RINGWAY-VMM TINY-KERNEL RINGWAY-BLK
 */
#include "tests/unit/unit.h"
#include "lib/base.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ARGS	20
#define WAIT_MS 20000

struct paths {
	const char *vmm;
	const char *kernel;
	const char *blk;
};

struct fixture {
	struct paths paths;
	char dir[64];
	pid_t pid;
	int in, out, err;
	char said[4096]; /* by the guest */
	size_t said_len;
};

static struct paths *paths(void)
{
	static struct paths p;

	return &p;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->paths = *paths();
	strcpy(f->dir, "/tmp/test_machine.XXXXXX");
	f->in = f->out = f->err = -1;
	*state = f;
	return mkdtemp(f->dir) ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	char file[96];

	if (f->pid > 0) {
		kill(f->pid, SIGKILL);
		waitpid(f->pid, NULL, 0);
	}
	rwy_fd_close(&f->in);
	rwy_fd_close(&f->out);
	rwy_fd_close(&f->err);
	snprintf(file, sizeof(file), "%s/stats", f->dir);
	unlink(file);
	snprintf(file, sizeof(file), "%s/serial", f->dir);
	unlink(file);
	int left = rmdir(f->dir); /* nothing else may be there */
	free(f);
	return left;
}

/* Starts it with the guest's letter and the other arguments, up to a NULL. */
static void start(struct fixture *f, const char *what, ...)
{
	const char *argv[ARGS] = {f->paths.vmm, "--kernel", f->paths.kernel, "--cmdline", what,
				  "--memory",	"16M"};
	unsigned argc = 7;
	int in[2], out[2], err[2];
	va_list ap;

	va_start(ap, what);
	while (argc < ARGS - 1 && (argv[argc] = va_arg(ap, const char *)))
		argc++;
	va_end(ap);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	f->pid = fork();
	if (f->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	f->in = in[1];
	f->out = out[0];
	f->err = err[0];
}

/* Reads on until the guest has said it. */
static void says(struct fixture *f, const char *what)
{
	struct pollfd pfd = {.fd = f->out, .events = POLLIN};

	while (!strstr(f->said, what)) {
		assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
		ssize_t n = read(f->out, f->said + f->said_len, sizeof(f->said) - 1 - f->said_len);
		if (n <= 0)
			fail_msg("ended after \"%s\", without \"%s\"", f->said, what);
		f->said_len += (size_t)n;
		f->said[f->said_len] = '\0';
	}
}

static int status_of(struct fixture *f)
{
	struct pollfd pfd = {.fd = f->out, .events = 0};
	int status;

	/* Hang-up: it is gone. */
	assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	f->pid = 0;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static json_t *stats(struct fixture *f)
{
	char file[96];

	snprintf(file, sizeof(file), "%s/stats", f->dir);
	json_t *root = json_load_file(file, 0, NULL);
	assert_non_null(root);
	return root;
}

static json_int_t number(json_t *root, const char *outer, const char *inner)
{
	json_t *object = json_object_get(root, outer);

	return json_integer_value(inner ? json_object_get(object, inner) : object);
}

static char *in_dir(struct fixture *f, char *buf, size_t len, const char *prefix, const char *name)
{
	snprintf(buf, len, "%s%s/%s", prefix, f->dir, name);
	return buf;
}

static void power_off(void **state)
{
	struct fixture *f = *state;
	char file[96];

	start(f, "p", "--exit-stats", in_dir(f, file, sizeof(file), "", "stats"), NULL);
	says(f, "tiny: hello\n");
	assert_int_equal(status_of(f), 0);
	json_t *root = stats(f);
	assert_int_equal(number(root, "resets", NULL), 0);
	assert_int_equal(number(root, "user", "io"), 13);
	assert_true(number(root, "exits", "total") >= 0);
	assert_int_equal(number(root, "exits", "user"), 13);
	assert_int_equal(number(json_object_get(root, "devices"), "uart", "writes"), 12);
	assert_int_equal(number(json_object_get(root, "devices"), "pm", "writes"), 1);
	assert_int_equal(number(root, "unanswered", NULL), 0);
	json_decref(root);
}

static void reset_by(struct fixture *f, const char *what)
{
	char file[96];

	start(f, what, "--cpus", "2", "--exit-stats", in_dir(f, file, sizeof(file), "", "stats"),
	      NULL);
	says(f, "tiny: hello\ntiny: hello\ntiny: again\n");
	assert_int_equal(status_of(f), 0);
	json_t *root = stats(f);
	assert_int_equal(number(root, "resets", NULL), 1);
	json_decref(root);
}

static void reset_by_acpi(void **state)
{
	reset_by(*state, "r");
}

static void reset_by_port(void **state)
{
	reset_by(*state, "c");
}

static void reset_by_keyboard(void **state)
{
	reset_by(*state, "k");
}

static void reset_by_triple_fault(void **state)
{
	reset_by(*state, "t");
}

static void power_button(void **state)
{
	struct fixture *f = *state;

	start(f, "b", NULL);
	says(f, "tiny: hello\n");
	kill(f->pid, SIGTERM);
	says(f, "tiny: pressed\n");
	assert_int_equal(status_of(f), 0);
}

static void second_signal_ends(void **state)
{
	struct fixture *f = *state;
	struct timespec pause = {.tv_nsec = 200000000};

	start(f, "h", "--cpus", "3", NULL);
	says(f, "tiny: hello\n");
	kill(f->pid, SIGTERM);
	nanosleep(&pause, NULL);
	assert_int_equal(waitpid(f->pid, NULL, WNOHANG), 0); /* the guest has its 30 seconds */
	kill(f->pid, SIGINT);
	assert_int_equal(status_of(f), 0);
}

static void input(void **state)
{
	struct fixture *f = *state;
	static const char text[] = "All that is typed comes back, more than a FIFO of it.";

	start(f, "e", NULL);
	says(f, "tiny: hello\n");
	assert_int_equal(write(f->in, text, strlen(text)), strlen(text));
	says(f, text);
	assert_int_equal(status_of(f), 0);
}

static void lost_guest(void **state)
{
	struct fixture *f = *state;
	char line[1024] = "";

	start(f, "x", NULL);
	assert_int_equal(status_of(f), 1);
	assert_true(read(f->err, line, sizeof(line) - 1) > 0);
	assert_non_null(strstr(line, "vCPU 0 cannot go on"));
	assert_non_null(strstr(line, "rip 0xc0000000"));
}

static void snapshot_while_running(void **state)
{
	struct fixture *f = *state;
	char file[96];
	struct stat st;
	struct timespec pause = {.tv_nsec = 10000000};

	/* The second vCPU waits for its wake-up call inside KVM, and answers nobody. */
	start(f, "b", "--cpus", "2", "--exit-stats", in_dir(f, file, sizeof(file), "", "stats"),
	      NULL);
	says(f, "tiny: hello\n");
	kill(f->pid, SIGUSR1);
	for (unsigned i = 0; i < 500 && stat(file, &st) < 0; i++)
		nanosleep(&pause, NULL);
	json_t *root = stats(f);
	assert_true(number(json_object_get(root, "devices"), "pm", "reads") > 0);
	json_decref(root);
	kill(f->pid, SIGTERM);
	assert_int_equal(status_of(f), 0);
}

static void serial_to_a_file(void **state)
{
	struct fixture *f = *state;
	char option[96], said[64] = "";

	start(f, "p", "--serial", in_dir(f, option, sizeof(option), "file=", "serial"), NULL);
	assert_int_equal(status_of(f), 0);
	int fd = open(option + strlen("file="), O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, said, sizeof(said)), 12);
	assert_string_equal(said, "tiny: hello\n");
	close(fd);
}

/* Nobody reads, and nobody waits for that. */
static void output_to_nobody(void **state)
{
	struct fixture *f = *state;
	int status;

	start(f, "p", NULL);
	rwy_fd_close(&f->out);
	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	f->pid = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* The machine waits for a back-end that is not there, but not against our will. */
static void waits_for_a_backend(void **state)
{
	struct fixture *f = *state;
	char option[96], said[64];
	struct timespec pause = {.tv_nsec = 300000000};

	start(f, "p", "--disk", in_dir(f, option, sizeof(option), "socket=", "none"), NULL);
	nanosleep(&pause, NULL);
	assert_int_equal(waitpid(f->pid, NULL, WNOHANG), 0);
	kill(f->pid, SIGTERM);
	assert_int_equal(status_of(f), 0);
	assert_int_equal(read(f->out, said, sizeof(said)), 0); /* the guest never ran */
}

static void no_backend_program(void **state)
{
	struct fixture *f = *state;
	char line[256] = "";

	char *path = strdup(getenv("PATH"));

	setenv("PATH", "/nowhere", 1);
	start(f, "p", "--disk", "file=/proc/self/exe", NULL);
	setenv("PATH", path, 1);
	free(path);
	assert_int_equal(status_of(f), 2);
	assert_true(read(f->err, line, sizeof(line) - 1) > 0);
	assert_non_null(strstr(line, "ringway-blk is neither next to ringway-vmm nor in PATH"));
	assert_ptr_equal(strchr(line, '\n') + 1, line + strlen(line));
}

/* A back-end that the machine starts for itself: there before the guest runs, there throughout its
 * reboot, gone with the machine. */
static void disk_of_its_own(void **state)
{
	struct fixture *f = *state;
	char file[96], disk[96], path[512], cmd[160];
	char *saved = strdup(getenv("PATH"));

	snprintf(path, sizeof(path), "%.*s:%.200s",
		 (int)(strrchr(f->paths.blk, '/') - f->paths.blk), f->paths.blk, saved);
	setenv("PATH", path, 1);
	setenv("TMPDIR", f->dir, 1);
	int fd = open(in_dir(f, disk, sizeof(disk), "", "serial"), O_RDWR | O_CREAT, 0600);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	close(fd);
	in_dir(f, disk, sizeof(disk), "file=", "serial");
	start(f, "r", "--disk", disk, "--exit-stats", in_dir(f, file, sizeof(file), "", "stats"),
	      NULL);
	says(f, "tiny: again\n");
	assert_int_equal(status_of(f), 0);
	json_t *root = stats(f);
	json_t *backends = json_object_get(root, "backends");
	assert_non_null(json_object_get(backends, "disk0"));
	assert_int_equal(number(backends, "disk0", "reconnects"), 0);
	json_decref(root);
	snprintf(cmd, sizeof(cmd), "pgrep -f 'fil[e]=%s/' >/dev/null", f->dir);
	assert_int_not_equal(system(cmd), 0);
	setenv("PATH", saved, 1);
	unsetenv("TMPDIR");
	free(saved);
}

static void many_cpus(void **state)
{
	struct fixture *f = *state;
	char file[96];

	/* '@' is 64 */
	start(f, "s@", "--cpus", "64,pin=0", "--exit-stats",
	      in_dir(f, file, sizeof(file), "", "stats"), NULL);
	says(f, "tiny: hello\ntiny: all are here\n");
	assert_int_equal(status_of(f), 0);
	json_t *root = stats(f);
	assert_int_equal(json_array_size(json_object_get(root, "vcpus")), 64);
	json_decref(root);
}

/* A KVM on a CPU that does not virtualize emulates, and cannot emulate a triple fault. */
static bool emulated(void)
{
	return system("grep -qwE '^flags.*(vmx|svm)' /proc/cpuinfo") != 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(power_off, setup, teardown),
		cmocka_unit_test_setup_teardown(reset_by_acpi, setup, teardown),
		cmocka_unit_test_setup_teardown(reset_by_port, setup, teardown),
		cmocka_unit_test_setup_teardown(reset_by_keyboard, setup, teardown),
		cmocka_unit_test_setup_teardown(power_button, setup, teardown),
		cmocka_unit_test_setup_teardown(second_signal_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(input, setup, teardown),
		cmocka_unit_test_setup_teardown(lost_guest, setup, teardown),
		cmocka_unit_test_setup_teardown(snapshot_while_running, setup, teardown),
		cmocka_unit_test_setup_teardown(serial_to_a_file, setup, teardown),
		cmocka_unit_test_setup_teardown(output_to_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(waits_for_a_backend, setup, teardown),
		cmocka_unit_test_setup_teardown(no_backend_program, setup, teardown),
		cmocka_unit_test_setup_teardown(disk_of_its_own, setup, teardown),
		cmocka_unit_test_setup_teardown(many_cpus, setup, teardown),
	};

	if (argc != 4)
		return 2;
	*paths() = (struct paths){argv[1], argv[2], argv[3]};
	signal(SIGPIPE, SIG_IGN);
	if (access("/dev/kvm", R_OK | W_OK) < 0) {
		printf("1..0 # SKIP machine: /dev/kvm is missing or not ours to open\n");
		return 0;
	}
	const struct CMUnitTest virtualized[] = {
		cmocka_unit_test_setup_teardown(reset_by_triple_fault, setup, teardown),
	};
	int failed = UNIT_RUN(tests);

	/* tests/lab/vmm_boot runs this program too, and there it is true. */
	return emulated() ? failed : failed + UNIT_RUN(virtualized);
}
