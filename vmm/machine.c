/* SPDX-License-Identifier: BSD-3-Clause */
#include "vmm/machine.h"

#include "lib/fd.h"
#include "lib/log.h"
#include "vmm/acpi.h"
#include "vmm/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define RWY_STEM "machine"

#define PATIENCE_NS UINT64_C(30000000000)

enum {
	WANT_POWER_OFF = 1,
	WANT_RESET = 2,
	WANT_STOP = 4,	   /* a vCPU failed */
	DEVICES_QUIET = 8, /* the second half of a reset */
};

/* From any thread. */
static void request(struct rwy_machine *machine, unsigned what)
{
	__atomic_fetch_or(&machine->requests, what, __ATOMIC_RELEASE);
	rwy_fd_signal(machine->requests_fd);
}

static void on_power_off(void *ctx)
{
	request(ctx, WANT_POWER_OFF);
}

static void on_reset(void *ctx)
{
	request(ctx, WANT_RESET);
}

static void on_vcpu_event(void *ctx, enum rwy_vcpu_event event)
{
	request(ctx, event == RWY_VCPU_SHUTDOWN ? WANT_RESET : WANT_STOP);
}

static void on_uart_line(void *ctx, bool level)
{
	struct rwy_machine *machine = ctx;

	rwy_irq_line(machine->vm.irq, RWY_LAYOUT_COM1_GSI, level);
}

static void on_uart_attention(void *ctx)
{
	struct rwy_machine *machine = ctx;

	rwy_console_attention(&machine->console);
}

static void on_sci(void *ctx, bool level)
{
	struct rwy_machine *machine = ctx;

	rwy_irq_line(machine->vm.irq, RWY_LAYOUT_SCI_GSI, level);
}

static void on_reset_port(void *ctx, uint8_t value)
{
	struct rwy_machine *machine = ctx;

	rwy_pm_reset_port(&machine->pm, value);
}

static void end(struct rwy_machine *machine, int status, const char *reason)
{
	if (machine->phase == RWY_MACHINE_ENDED)
		return;
	machine->phase = RWY_MACHINE_ENDED;
	machine->status = status;
	rwy_control_tell_cause(machine->control, "SHUTDOWN", strncmp(reason, "guest", 5) == 0,
			       reason);
	rwy_poll_stop(machine->poll);
}

static void on_console_quit(void *ctx)
{
	rwy_info("ended from the console");
	end(ctx, 0, "host-ui");
}

static void on_impatient(void *ctx)
{
	rwy_warn("the guest did not power off: ended");
	end(ctx, 0, "host-signal");
}

void rwy_machine_power_button(struct rwy_machine *machine)
{
	pthread_mutex_lock(&machine->vm.lock);
	rwy_pm_press(&machine->pm);
	pthread_mutex_unlock(&machine->vm.lock);
	rwy_control_tell(machine->control, "POWERDOWN");
}

void rwy_machine_press(struct rwy_machine *machine)
{
	if (machine->phase == RWY_MACHINE_WAITING || machine->patience.armed) {
		end(machine, 0, "host-signal");
		return;
	}
	rwy_info("power button pressed, the guest has 30 seconds");
	rwy_machine_power_button(machine);
	rwy_poll_timer_set(machine->poll, &machine->patience, PATIENCE_NS);
}

/* The kernel and the tables into RAM, which may be that of a guest that ran. */
static int load(struct rwy_machine *machine)
{
	struct rwy_vm *vm = &machine->vm;
	uint8_t *tables = rwy_mem_at(&vm->mem, (rwy_gpa){RWY_BOOT_ACPI}, RWY_BOOT_ACPI_SIZE);
	int err = rwy_boot_load(&machine->boot, &vm->mem, &machine->entry);

	if (err)
		return err;
	err = tables ? rwy_acpi_build(tables, RWY_BOOT_ACPI_SIZE, RWY_BOOT_ACPI,
				      machine->cfg->nr_cpus, &machine->high)
		     : -ENOMEM;
	if (err < 0)
		rwy_error("no room for the ACPI tables");
	return RWY_MIN(err, 0);
}

static void run(struct rwy_machine *machine)
{
	if (rwy_vm_reset(&machine->vm, &machine->entry)) {
		end(machine, 1, "host-error");
		return;
	}
	machine->phase = RWY_MACHINE_RUNNING;
	if (!machine->paused)
		rwy_vm_run(&machine->vm);
}

/* A back-end is there, perhaps the last one: only then it is known what the devices offer. */
static void on_device_ready(void *ctx)
{
	struct rwy_machine *machine = ctx;

	if (machine->phase != RWY_MACHINE_WAITING || !rwy_machine_devices_ready(machine))
		return;
	if (rwy_machine_plug_devices(machine))
		end(machine, 1, "host-error");
	else
		run(machine);
}

static void on_devices_quiet(void *ctx)
{
	request(ctx, DEVICES_QUIET);
}

/* A reset has two halves: stop everything that could write to RAM, and when all of that is quiet,
 * load and start again. Back-ends stay attached. */
static void begin_reset(struct rwy_machine *machine, bool guest)
{
	struct rwy_vm *vm = &machine->vm;

	if (machine->phase != RWY_MACHINE_RUNNING)
		return;
	rwy_info("the guest %s", guest ? "reboots" : "is reset");
	rwy_control_tell_cause(machine->control, "RESET", guest,
			       guest ? "guest-reset" : "host-qmp-system-reset");
	machine->phase = RWY_MACHINE_RESETTING;
	machine->stats.resets++;
	rwy_vm_pause(vm);
	pthread_mutex_lock(&vm->lock);
	rwy_uart_reset(&machine->uart);
	rwy_pm_reset(&machine->pm);
	rwy_hotplug_reset(machine->hotplug);
	rwy_pci_reset(machine->pci, on_devices_quiet, machine);
	pthread_mutex_unlock(&vm->lock);
}

static void finish_reset(struct rwy_machine *machine)
{
	if (machine->phase != RWY_MACHINE_RESETTING)
		return;
	if (load(machine))
		end(machine, 1, "host-error");
	else
		run(machine);
}

void rwy_machine_pause(struct rwy_machine *machine)
{
	if (machine->paused || machine->phase == RWY_MACHINE_ENDED)
		return;
	machine->paused = true;
	if (machine->phase == RWY_MACHINE_RUNNING)
		rwy_vm_pause(&machine->vm);
	rwy_control_tell(machine->control, "STOP");
}

void rwy_machine_resume(struct rwy_machine *machine)
{
	if (!machine->paused || machine->phase == RWY_MACHINE_ENDED)
		return;
	machine->paused = false;
	if (machine->phase == RWY_MACHINE_RUNNING) {
		rwy_vcpu_excuse_all(machine->vm.vcpus, machine->vm.nr_vcpus);
		rwy_vm_run(&machine->vm);
	}
	rwy_control_tell(machine->control, "RESUME");
}

void rwy_machine_reset(struct rwy_machine *machine)
{
	begin_reset(machine, false);
}

void rwy_machine_quit(struct rwy_machine *machine)
{
	rwy_info("ended from the control socket");
	end(machine, 0, "host-qmp-quit");
}

static void on_requests(void *ctx, uint32_t events)
{
	struct rwy_machine *machine = ctx;
	unsigned what;

	rwy_fd_drain(machine->requests_fd);
	what = __atomic_exchange_n(&machine->requests, 0, __ATOMIC_ACQUIRE);
	if (what & WANT_STOP)
		end(machine, 1, "host-error");
	if (what & WANT_POWER_OFF)
		end(machine, 0, "guest-shutdown");
	/* In this order: a wish that is as old as the reset under way is not another one. */
	if (what & WANT_RESET)
		begin_reset(machine, true);
	if (what & DEVICES_QUIET)
		finish_reset(machine);
}

static int open_serial(struct rwy_machine *machine)
{
	const char *path = machine->cfg->serial_path;

	if (machine->cfg->serial != RWY_CFG_SERIAL_FILE)
		return 0;
	machine->serial_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (machine->serial_fd >= 0)
		return 0;
	int err = -errno;
	rwy_error("--serial: %s: %s", path, strerror(-err));
	return err;
}

int rwy_machine_open(struct rwy_machine *machine, const struct rwy_cfg *cfg, struct rwy_poll *poll)
{
	const struct rwy_vm_config vm_config = {
		.memory = cfg->memory,
		.page_size = cfg->page_size,
		.node = cfg->node,
		.nr_vcpus = cfg->nr_cpus,
		.pins = cfg->pins,
		.nr_pins = cfg->nr_pins,
		.event = on_vcpu_event,
		.ctx = machine,
	};
	int err;

	memset(machine, 0, sizeof(*machine));
	machine->cfg = cfg;
	machine->poll = poll;
	machine->serial_fd = -1;
	machine->requests_fd = -1;
	machine->console.attention_fd = -1;
	machine->stats.path = cfg->exit_stats;
	machine->patience = (struct rwy_timer){.fire = on_impatient, .ctx = machine};
	err = rwy_machine_find_backends(cfg);
	if (err)
		return err;
	err = rwy_boot_open(&machine->boot, cfg->kernel, cfg->initrd, cfg->cmdline);
	if (err)
		return err;
	err = rwy_vm_open(&machine->vm, &vm_config);
	if (err)
		goto close_boot;
	machine->high =
		rwy_pci_window_high(RWY_LAYOUT_RAM_HIGH + cfg->memory, rwy_cpuid_address_bits());
	err = load(machine);
	if (err)
		goto close_vm;
	/* Last, because they leave something behind. */
	if (cfg->qmp)
		err = rwy_control_open(&machine->control, machine, cfg->qmp);
	if (err)
		goto close_vm;
	err = open_serial(machine);
	if (err)
		goto close_control;
	return 0;

close_control:
	rwy_control_close(machine->control);
close_vm:
	rwy_vm_close(&machine->vm);
close_boot:
	rwy_boot_close(&machine->boot);
	return err;
}

static int open_requests(struct rwy_machine *machine)
{
	machine->requests_fd = rwy_fd_event();
	if (machine->requests_fd < 0)
		return machine->requests_fd;
	machine->requests_watch =
		(struct rwy_watch){machine->requests_fd, EPOLLIN, on_requests, machine};
	return rwy_poll_watch(machine->poll, &machine->requests_watch);
}

static int add_uart(struct rwy_machine *machine)
{
	const struct rwy_uart_ops ops = {on_uart_line, on_uart_attention, machine};
	const struct rwy_bus_range range = {
		.base = RWY_LAYOUT_COM1_PORT,
		.size = RWY_UART_PORTS,
		.read = rwy_uart_read,
		.write = rwy_uart_write,
		.ctx = &machine->uart,
		.name = "uart",
	};
	bool stdio = machine->cfg->serial == RWY_CFG_SERIAL_STDIO;
	const struct rwy_console_config console = {
		.poll = machine->poll,
		.uart = &machine->uart,
		.lock = &machine->vm.lock,
		.in_fd = stdio ? STDIN_FILENO : -1,
		.out_fd = stdio ? STDOUT_FILENO : machine->serial_fd,
		.quit = on_console_quit,
		.ctx = machine,
	};
	int err;

	rwy_uart_init(&machine->uart, &ops);
	err = rwy_console_open(&machine->console, &console);
	return err ? err : rwy_bus_add(&machine->vm.pio, &range);
}

static int add_platform(struct rwy_machine *machine)
{
	const struct rwy_pm_ops pm_ops = {on_sci, on_power_off, on_reset, machine};
	const struct rwy_bus_range rtc = {
		.base = RWY_LAYOUT_RTC_PORT,
		.size = RWY_RTC_PORTS,
		.read = rwy_rtc_read,
		.write = rwy_rtc_write,
		.ctx = &machine->rtc,
		.name = "rtc",
	};
	const struct rwy_pci_config pci = {
		.mmio = &machine->vm.mmio,
		.pio = &machine->vm.pio,
		.irq = machine->vm.irq,
		.high = machine->high,
		.reset_port = on_reset_port,
		.ctx = machine,
	};
	int err = add_uart(machine);

	if (err)
		return err;
	rwy_rtc_init(&machine->rtc);
	err = rwy_bus_add(&machine->vm.pio, &rtc);
	if (err)
		return err;
	err = rwy_pm_init(&machine->pm, &pm_ops, &machine->vm.pio);
	if (err)
		return err;
	return rwy_pci_open(&machine->pci, &pci);
}

int rwy_machine_start(struct rwy_machine *machine)
{
	int err = open_requests(machine);

	if (err) {
		rwy_error("cannot watch for requests: %s", strerror(-err));
		return err;
	}
	err = rwy_vm_open_kvm(&machine->vm);
	if (err)
		return err;
	machine->stats.since_ns = rwy_poll_now_ns();
	err = add_platform(machine);
	if (err) {
		rwy_error("cannot put the devices together: %s", strerror(-err));
		return err;
	}
	err = rwy_machine_open_devices(machine, on_device_ready);
	if (err)
		return err;
	on_device_ready(machine);
	return 0;
}

void rwy_machine_write_stats(struct rwy_machine *machine)
{
	machine->stats.vdevs = machine->vdevs;
	machine->stats.nr_vdevs = machine->nr_vdevs;
	if (machine->stats.path && machine->stats.since_ns)
		rwy_exit_stats_write(&machine->stats, &machine->vm);
}

void rwy_machine_close(struct rwy_machine *machine)
{
	rwy_vm_stop(&machine->vm);
	rwy_machine_write_stats(machine);
	rwy_control_close(machine->control);
	machine->control = NULL;
	rwy_machine_close_devices(machine);
	rwy_poll_timer_cancel(machine->poll, &machine->patience);
	rwy_console_close(&machine->console);
	if (machine->requests_fd >= 0)
		rwy_poll_unwatch(machine->poll, &machine->requests_watch);
	rwy_fd_close(&machine->requests_fd);
	rwy_vm_close(&machine->vm);
	rwy_fd_close(&machine->serial_fd);
	rwy_boot_close(&machine->boot);
}
