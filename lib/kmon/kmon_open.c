/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Loading: all programs at once, and where the kernel refuses that, each by itself to find out which of
 * them, and why. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kmon_private.h"
#include "lab_base.h"

#include "kmon.skel.h"

#define LOG_LEN 65536

static const struct {
	const char *program; /* in kmon.bpf.c */
	const char *column;
	const char *tracepoint; /* NULL: on the function that allocates pages */
	bool required;
} programs[NR_PROGRAMS] = {
	[PROGRAM_PAGE_ALLOC] = {"on_page_alloc", "allocations", "mm_page_alloc", true},
	[PROGRAM_KFREE_SKB] = {"on_kfree_skb", "drops", "kfree_skb", true},
	[PROGRAM_EXTFRAG] = {"on_extfrag", "extfrag", "mm_page_alloc_extfrag", false},
	[PROGRAM_POOL_HOLD] = {"on_pool_hold", "pool_hold", "page_pool_state_hold", false},
	[PROGRAM_NAPI_POLL] = {"on_napi_poll", "polled", "napi_poll", false},
	[PROGRAM_RECEIVE] = {"on_receive", "received", "netif_receive_skb", false},
	[PROGRAM_KSWAPD_WAKEUP] = {"on_kswapd_wakeup", "kswapd_wakeups", "mm_vmscan_wakeup_kswapd",
		false},
	[PROGRAM_KSWAPD_WAKE] = {"on_kswapd_wake", "kswapd_wakes", "mm_vmscan_kswapd_wake", false},
	[PROGRAM_COMPACTION_BEGIN] = {"on_compaction_begin", "compaction_begin",
		"mm_compaction_begin", false},
	[PROGRAM_COMPACTION_END] = {"on_compaction_end", "compaction_end", "mm_compaction_end",
		false},
	[PROGRAM_LATENCY] = {"on_alloc_exit", "latency", NULL, false},
	[PROGRAM_ENTER] = {"on_alloc_enter", NULL, NULL, false},
};

const char *
kmon_tracepoint(enum kmon_program p)
{
	return programs[p].tracepoint;
}

static void __attribute__((format(printf, 3, 4))) tell(char *why, size_t len, const char *fmt, ...)
{
	va_list ap;

	if (why == NULL || len == 0)
		return;
	va_start(ap, fmt);
	vsnprintf(why, len, fmt, ap);
	va_end(ap);
}

static struct lab_kmon_column *
column_of(struct lab_kmon *k, int p)
{
	return &k->column[p == PROGRAM_ENTER ? PROGRAM_LATENCY : p];
}

static void __attribute__((format(printf, 3, 4)))
leave_out(struct lab_kmon *k, int p, const char *fmt, ...)
{
	struct lab_kmon_column *c = column_of(k, p);
	va_list ap;

	c->on = false;
	va_start(ap, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
}

static bool
wanted(struct lab_kmon *k, int p)
{
	return column_of(k, p)->on;
}

static bool
is_faulty(const struct lab_kmon *k, int p, enum lab_kmon_fault_kind kind)
{
	return k->fault.column && k->fault.kind == kind && programs[p].column &&
	       !strcmp(programs[p].column, k->fault.column);
}

static void
columns_init(struct lab_kmon *k, const struct lab_kmon_opts *opts)
{
	for (int p = 0; p < NR_COLUMNS; p++) {
		struct lab_kmon_column *c = &k->column[p];

		c->name = programs[p].column;
		c->source =
			programs[p].tracepoint ? programs[p].tracepoint : k->names.alloc_function;
		c->on = true;
		if (!k->names.tracepoint[p] || is_faulty(k, p, LAB_KMON_FAULT_ABSENT))
			leave_out(k, p, "this kernel has no %s to attach to",
				programs[p].tracepoint ? programs[p].tracepoint : "known function");
	}
	if (opts->latency_every == 0)
		leave_out(k, PROGRAM_LATENCY, "not asked for");
}

static void
fill_rodata(const struct lab_kmon *k, const struct lab_kmon_opts *opts, struct kmon_bpf *skel)
{
	const struct kmon_names *n = &k->names;

	skel->rodata->gfp_high = n->gfp_high;
	skel->rodata->gfp_direct_reclaim = n->gfp_direct_reclaim;
	skel->rodata->gfp_account = n->gfp_account;
	skel->rodata->gfp_attempt = n->gfp_attempt;
	skel->rodata->drop_reason_arg = n->reason_arg;
	skel->rodata->drop_reason_none = n->unspecified;
	memcpy((void *)skel->rodata->drop_category, n->category, sizeof(n->category));
	skel->rodata->latency_every = opts->latency_every;
	if (opts->attempt_ns)
		skel->rodata->attempt_ns = opts->attempt_ns;
	if (opts->window_bits)
		skel->rodata->window_bits = opts->window_bits;
}

/* A program of a kind that stands on no function, or of one whose verifier asks for a function. (A function that the kernel has
 * none of would do, but libbpf 1.1 loses the kernel's BTF then.) */
static int
spoil(struct bpf_program *prog, int p)
{
	return bpf_program__set_type(prog, programs[p].tracepoint == NULL
						   ? BPF_PROG_TYPE_SOCKET_FILTER
						   : BPF_PROG_TYPE_TRACING);
}

static int
choose(struct lab_kmon *k, struct bpf_program *prog, int p, bool on)
{
	int err = 0;

	bpf_program__set_autoload(prog, on);
	if (on && programs[p].tracepoint == NULL)
		err = bpf_program__set_attach_target(prog, 0, k->names.alloc_function);
	if (on && !err && is_faulty(k, p, LAB_KMON_FAULT_REFUSED))
		err = spoil(prog, p);
	return err;
}

/* Load the programs that are wanted; of them one alone, if only is not negative. NULL with errno. */
static struct kmon_bpf *
load(struct lab_kmon *k, const struct lab_kmon_opts *opts, int only, char *log, size_t log_len)
{
	struct kmon_bpf *skel = kmon_bpf__open();
	int err = 0;

	if (skel == NULL)
		return NULL;
	fill_rodata(k, opts, skel);
	err = bpf_map__set_max_entries(skel->maps.allocs, k->nr_cpus);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.events, k->nr_cpus);
	for (int p = 0; p < NR_PROGRAMS && !err; p++) {
		struct bpf_program *prog =
			bpf_object__find_program_by_name(skel->obj, programs[p].program);
		bool on = wanted(k, p) && (only < 0 || only == p);

		err = choose(k, prog, p, on);
		if (on && log)
			bpf_program__set_log_buf(prog, log, log_len);
	}
	if (!err)
		err = kmon_bpf__load(skel);
	if (!err)
		return skel;
	kmon_bpf__destroy(skel);
	errno = -err;
	return NULL;
}

/* The verifier's own words, without its statistics: the last line but those that begin a summary. */
static void
last_line(char *log, char *out, size_t len)
{
	char *line, *save = NULL;

	out[0] = '\0';
	for (line = strtok_r(log, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "processed ", 10) && strncmp(line, "verification time", 17))
			snprintf(out, len, ": %s", line);
	}
}

/* @return 0, or why the kernel does not take this program */
static int
probe(struct lab_kmon *k, const struct lab_kmon_opts *opts, int p, char *log)
{
	struct kmon_bpf *skel;
	char words[120];
	int err;

	log[0] = '\0';
	skel = load(k, opts, p, log, LOG_LEN);
	err = skel ? 0 : -errno;
	if (err) {
		last_line(log, words, sizeof(words));
		leave_out(k, p, "the kernel refuses the program: %s%s", strerror(-err), words);
	}
	kmon_bpf__destroy(skel);
	return err;
}

/* What a program that the kernel does not take means for the whole. */
static int
consequence(int p, int err)
{
	if (err == 0 || !programs[p].required)
		return 0;
	return err == -EPERM ? err : -ENOTSUP;
}

/* @return 0, or the error of the first that cannot be done without */
static int
load_what_it_takes(struct lab_kmon *k, const struct lab_kmon_opts *opts)
{
	char *log;
	int err = 0;

	for (int p = 0; p < NR_PROGRAMS; p++) {
		if (programs[p].required && !wanted(k, p))
			return -ENOTSUP;
	}
	k->skel = load(k, opts, -1, NULL, 0);
	if (k->skel)
		return 0;
	log = malloc(LOG_LEN);
	if (log == NULL)
		return -ENOMEM;
	for (int p = 0; p < NR_PROGRAMS && !err; p++) {
		err = wanted(k, p) ? probe(k, opts, p, log) : 0;
		if (err != -ENOMEM)
			err = consequence(p, err);
	}
	free(log);
	if (err)
		return err;
	k->skel = load(k, opts, -1, NULL, 0);
	return k->skel ? 0 : -errno;
}

static struct bpf_program *
program(const struct lab_kmon *k, int p)
{
	return bpf_object__find_program_by_name(k->skel->obj, programs[p].program);
}

static int
attach(struct lab_kmon *k, int p)
{
	const char *tp = programs[p].tracepoint;

	if (is_faulty(k, p, LAB_KMON_FAULT_UNATTACHABLE))
		tp = "no_such_tracepoint";
	k->link[p] = tp ? bpf_program__attach_raw_tracepoint(program(k, p), tp)
			: bpf_program__attach_trace(program(k, p));
	if (k->link[p])
		return 0;
	leave_out(k, p, "cannot be attached to %s: %s", tp ? tp : k->names.alloc_function,
		strerror(errno));
	return -errno;
}

static int
attach_all(struct lab_kmon *k)
{
	for (int p = 0; p < NR_PROGRAMS; p++) {
		int err = consequence(p, wanted(k, p) ? attach(k, p) : 0);

		if (err)
			return err;
	}
	/* an end is of no use without its beginning */
	if (!wanted(k, PROGRAM_LATENCY)) {
		bpf_link__destroy(k->link[PROGRAM_LATENCY]);
		k->link[PROGRAM_LATENCY] = NULL;
	}
	return 0;
}

static int
on_record(void *ctx, void *data, size_t size)
{
	struct lab_kmon *k = ctx;
	const struct kmon_failure *f = data;
	struct lab_kmon_failure out = {.ns = f->ns,
		.pid = f->pid,
		.cpu = f->cpu,
		.gfp = f->gfp,
		.order = f->order,
		.type = f->type,
		.frames = f->frames};

	if (size < sizeof(*f) || k->fn == NULL)
		return 0;
	memcpy(out.comm, f->comm, sizeof(out.comm));
	out.comm[sizeof(out.comm) - 1] = '\0';
	memcpy(out.stack, f->stack, out.frames * sizeof(out.stack[0]));
	k->fn(&out, k->fn_arg);
	return 0;
}

static const void *
map_values(const struct lab_kmon *k, const struct bpf_map *map, size_t size)
{
	void *v = mmap(NULL, size * k->nr_cpus, PROT_READ, MAP_SHARED, bpf_map__fd(map), 0);

	return v == MAP_FAILED ? NULL : v;
}

static void
unmap_values(const struct lab_kmon *k, const void *values, size_t size)
{
	if (values)
		munmap((void *)values, size * k->nr_cpus);
}

static int
prepare_reading(struct lab_kmon *k)
{
	k->allocs = map_values(k, k->skel->maps.allocs, sizeof(*k->allocs));
	k->events = map_values(k, k->skel->maps.events, sizeof(*k->events));
	if (k->allocs == NULL || k->events == NULL)
		return -errno;
	k->scratch = calloc(k->nr_cpus, sizeof(struct kmon_latency) + 8);
	if (k->scratch == NULL)
		return -ENOMEM;
	k->skel->bss->counting = 1; /* what is run by lab_kmon_test_run() counts */
	k->ring = ring_buffer__new(bpf_map__fd(k->skel->maps.details), on_record, k, NULL);
	return k->ring ? 0 : -errno;
}

static void
explain(const struct lab_kmon *k, int err, char *why, size_t len)
{
	if (err == -EPERM) {
		tell(why, len,
			"the kernel refuses BPF: CAP_BPF and CAP_PERFMON are needed, in the first "
			"user "
			"namespace");
		return;
	}
	for (int p = 0; k && p < NR_COLUMNS; p++) {
		if (programs[p].required && !k->column[p].on && k->column[p].why[0]) {
			tell(why, len, "%s cannot be counted: %s", k->column[p].name,
				k->column[p].why);
			return;
		}
	}
	tell(why, len, "the BPF programs cannot be loaded: %s", strerror(-err));
}

static int
open_all(struct lab_kmon *k, const struct lab_kmon_opts *opts, char *why, size_t len)
{
	int err = kmon_names_init(&k->names);

	if (err) {
		tell(why, len,
			"this kernel shows no BTF (/sys/kernel/btf/vmlinux): it must be built with "
			"CONFIG_DEBUG_INFO_BTF, and /sys be mounted");
		return err;
	}
	k->nr_cpus = libbpf_num_possible_cpus();
	if (k->nr_cpus <= 0)
		return -ENOTSUP;
	if (opts->fault)
		k->fault = *opts->fault;
	columns_init(k, opts);
	err = load_what_it_takes(k, opts);
	if (!err)
		err = prepare_reading(k);
	if (err)
		explain(k, err, why, len);
	return err;
}

int
lab_kmon_attach(struct lab_kmon *k, char *why, size_t len)
{
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	int err;

	k->skel->bss->counting = 0;
	err = attach_all(k);
	libbpf_set_print(print);
	if (err)
		explain(k, err, why, len);
	else
		__atomic_store_n(&k->skel->bss->counting, 1, __ATOMIC_RELEASE);
	return err;
}

void
lab_kmon_stop(struct lab_kmon *k)
{
	__atomic_store_n(&k->skel->bss->counting, 0, __ATOMIC_RELEASE);
}

int
lab_kmon_open(struct lab_kmon **out, const struct lab_kmon_opts *opts, char *why, size_t len)
{
	static const struct lab_kmon_opts usual = {.latency_every = 16};
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	struct lab_kmon *k;
	int err = lab_kmon_may(why, len);

	*out = NULL;
	k = err ? NULL : calloc(1, sizeof(*k));
	if (k) {
		kmon_symbols_open(&k->symbols);
		err = open_all(k, opts ? opts : &usual, why, len);
	} else if (!err) {
		err = -ENOMEM;
		tell(why, len, "out of memory");
	}
	libbpf_set_print(print);
	if (!err && !(opts && opts->idle))
		err = lab_kmon_attach(k, why, len);
	if (err)
		lab_kmon_close(k);
	else
		*out = k;
	return err;
}

void
lab_kmon_detach(struct lab_kmon *k)
{
	for (int p = 0; p < NR_PROGRAMS; p++) {
		bpf_link__destroy(k->link[p]);
		k->link[p] = NULL;
	}
}

void
lab_kmon_close(struct lab_kmon *k)
{
	if (k == NULL)
		return;
	lab_kmon_detach(k);
	ring_buffer__free(k->ring);
	unmap_values(k, k->allocs, sizeof(*k->allocs));
	unmap_values(k, k->events, sizeof(*k->events));
	kmon_bpf__destroy(k->skel);
	kmon_names_fini(&k->names);
	kmon_symbols_close(&k->symbols);
	free(k->scratch);
	free(k);
}

const struct lab_kmon_column *
lab_kmon_columns(const struct lab_kmon *k, unsigned int *n)
{
	*n = NR_COLUMNS;
	return k->column;
}

void
lab_kmon_update_missed(struct lab_kmon *k)
{
	for (int p = 0; p < NR_COLUMNS; p++) {
		struct bpf_prog_info info = {0};
		__u32 size = sizeof(info);

		if (k->column[p].on &&
			!bpf_obj_get_info_by_fd(bpf_program__fd(program(k, p)), &info, &size))
			k->column[p].missed = info.recursion_misses;
	}
}

_Static_assert((int)LAB_KMON_COMPACTION_END == PROGRAM_COMPACTION_END,
	"the programs on tracepoints, in one order");

int
lab_kmon_test_run(
	struct lab_kmon *k, enum lab_kmon_program which, unsigned int cpu, const uint64_t args[5])
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = 5 * sizeof(args[0]),
		.flags = BPF_F_TEST_RUN_ON_CPU, .cpu = cpu);

	if ((int)which < 0 || (int)which > PROGRAM_COMPACTION_END)
		return -EINVAL;
	if (!wanted(k, (int)which))
		return -ENOTSUP;
	return bpf_prog_test_run_opts(bpf_program__fd(program(k, (int)which)), &opts);
}
