/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* What an observer costs a stream of packets: it is switched on and off in short slots while one stream runs, and each
 * slot with it is compared with its neighbour without. A host whose speed drifts from second to second, as shared ones
 * do, is much the same for two neighbours of a fraction of a second. Which of a pair comes first is drawn by lot.
 *
 * CPU time is that of the processes named, of the kernel's softirq threads and of this one, as the scheduler has it in ns:
 * the ticks of /proc/stat are in step with a reader that wakes up every 10 ms, and may never see it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include <lab_base.h>
#include <lab_stats.h>

#include "../../app/labyrinth/signals.h"
#include "subject.h"

#define MAX_CLOCKS   64
#define MAX_PROGRAMS 64
#define MAX_FD       256

static const char usage[] =
	"Usage: observe_slots [OPTIONS] DEVICE [PID...]\n\n"
	"DEVICE receives the stream; PIDs are of those that make it.\n\n"
	"  -w, --what=NAME    watch (default), record, nothing or burn\n"
	"  -p, --pairs=N      of slots (200)\n"
	"  -s, --slot=MS      how long a slot is measured (100)\n"
	"  -m, --margin=MS    and what is left out before (15)\n"
	"  -c, --count=S      then count the programs' own time for so long (3; 0: not)\n"
	"  -o, --output=FILE  that record writes (/dev/null)\n"
	"  -v, --values=FILE  write each pair there\n"
	"      --seed=N       of the order and of the intervals (1)\n";

struct options {
	const struct subject *subject;
	const char *device, *output, *values;
	unsigned long pairs, slot_ms, margin_ms, count_s, seed;
};

struct clocks {
	clockid_t id[MAX_CLOCKS];
	unsigned int nr;
	int bytes; /* of the device, open */
};

struct reading {
	uint64_t ns, bytes, cpu_ns;
};

/* Of one slot. */
struct rates {
	double bytes; /* a second */
	double cpu;   /* ns a byte */
	double busy;  /* CPUs */
};

static int
complain(const char *what, int err)
{
	fprintf(stderr, "observe_slots: %s: %s\n", what, strerror(-err));
	return 1;
}

/* ----------------------------------------------------------------------- readings */

static void
add_clock(struct clocks *c, pid_t pid)
{
	if (c->nr < MAX_CLOCKS && clock_getcpuclockid(pid, &c->id[c->nr]) == 0)
		c->nr++;
}

/* Softirqs are counted where they run: in whoever was there, or in these. */
static void
add_ksoftirqd(struct clocks *c)
{
	DIR *proc = opendir("/proc");
	const struct dirent *d;

	while (proc && (d = readdir(proc)) != NULL) {
		char path[300], comm[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/comm", d->d_name);
		f = d->d_name[0] > '0' && d->d_name[0] <= '9' ? fopen(path, "re") : NULL;
		if (f && fgets(comm, sizeof(comm), f) && !strncmp(comm, "ksoftirqd/", 10))
			add_clock(c, atoi(d->d_name));
		if (f)
			fclose(f);
	}
	if (proc)
		closedir(proc);
}

static int
clocks_open(struct clocks *c, const char *device, char **pids)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/rx_bytes", device);
	c->bytes = open(path, O_RDONLY | O_CLOEXEC);
	if (c->bytes < 0)
		return -errno;
	c->id[c->nr++] = CLOCK_PROCESS_CPUTIME_ID;
	add_ksoftirqd(c);
	for (; *pids; pids++) {
		unsigned int before = c->nr;

		add_clock(c, atoi(*pids));
		if (c->nr == before)
			return -ESRCH;
	}
	return 0;
}

static int
take(const struct clocks *c, struct reading *r)
{
	char text[32] = "";
	struct timespec ts;

	*r = (struct reading){.ns = subject_now()};
	if (pread(c->bytes, text, sizeof(text) - 1, 0) <= 0)
		return -EIO;
	r->bytes = strtoull(text, NULL, 10);
	for (unsigned int i = 0; i < c->nr; i++) {
		if (clock_gettime(c->id[i], &ts))
			return -ESRCH;
		r->cpu_ns += (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	}
	return 0;
}

/* -------------------------------------------------------------------------- slots */

static int
slot(const struct options *o, const struct clocks *c, bool on, struct rates *out)
{
	uint64_t ns = o->slot_ms * 1000000;
	char why[SUBJECT_WHY] = "";
	struct reading a, b;
	int err = on ? o->subject->on(why) : 0, end_err;

	if (err) {
		fprintf(stderr, "%s\n", why);
		return err;
	}
	err = signals_sleep(o->margin_ms * 1000000) ? take(c, &a) : -EINTR;
	if (!err && on)
		err = o->subject->run(ns);
	else if (!err)
		err = signals_sleep(ns) ? 0 : -EINTR;
	if (!err)
		err = take(c, &b);
	end_err = on ? o->subject->off() : 0;
	err = err ? err : end_err;
	if (!err && b.bytes == a.bytes) {
		fprintf(stderr, "nothing came in on %s in a slot\n", o->device);
		err = -ENODATA;
	}
	if (err)
		return err;
	out->bytes = (double)(b.bytes - a.bytes) / ((double)(b.ns - a.ns) / 1e9);
	out->cpu = (double)(b.cpu_ns - a.cpu_ns) / (double)(b.bytes - a.bytes);
	out->busy = (double)(b.cpu_ns - a.cpu_ns) / (double)(b.ns - a.ns);
	return 0;
}

static int
slots(const struct options *o, const struct clocks *c, struct rates *off, struct rates *on)
{
	struct lab_rng rng;
	int err = 0;

	lab_rng_seed(&rng, o->seed);
	for (unsigned long i = 0; i < o->pairs && !err; i++) {
		bool first = lab_rng_below(&rng, 2) == 1;

		err = slot(o, c, first, first ? &on[i] : &off[i]);
		if (!err)
			err = slot(o, c, !first, first ? &off[i] : &on[i]);
	}
	return err;
}

/* ------------------------------------------------------------------------ results */

static struct lab_median_result
median(const struct options *o, const double *x)
{
	const struct lab_median_opts opts = {.seed = o->seed, .alpha = 0.05, .resamples = 1999};
	struct lab_median_result r;
	int err = lab_median(x, o->pairs, &opts, &r);

	if (err)
		complain("median", err);
	return r;
}

static void
print_change(const struct options *o, const char *what, const double *ratio)
{
	struct lab_median_result r = median(o, ratio);

	printf("  %-22s %+6.2f%%, 95%% interval %+.2f to %+.2f%%; quartiles of the pairs %+.1f and "
	       "%+.1f%%\n",
		what, 100 * (r.median - 1), 100 * (r.ci_lo - 1), 100 * (r.ci_hi - 1),
		100 * (r.lower_quartile - 1), 100 * (r.upper_quartile - 1));
}

static int
print_all(const struct options *o, const struct rates *off, const struct rates *on)
{
	double *x = malloc(o->pairs * sizeof(*x));

	if (x == NULL)
		return -ENOMEM;
	printf("%s: %s\n  %lu pairs of slots of %lu ms, seed %lu\n", o->subject->name,
		o->subject->what, o->pairs, o->slot_ms, o->seed);
	for (unsigned long i = 0; i < o->pairs; i++)
		x[i] = off[i].bytes * 8e-9;
	printf("  without it: %.2f Gbit/s,", median(o, x).median);
	for (unsigned long i = 0; i < o->pairs; i++)
		x[i] = off[i].cpu;
	printf(" %.4f ns of CPU time a byte,", median(o, x).median);
	for (unsigned long i = 0; i < o->pairs; i++)
		x[i] = off[i].busy;
	printf(" %.2f CPUs\n", median(o, x).median);
	for (unsigned long i = 0; i < o->pairs; i++)
		x[i] = on[i].bytes / off[i].bytes;
	print_change(o, "bytes a second", x);
	for (unsigned long i = 0; i < o->pairs; i++)
		x[i] = on[i].cpu / off[i].cpu;
	print_change(o, "CPU time a byte", x);
	free(x);
	return 0;
}

static int
write_values(const struct options *o, const struct rates *off, const struct rates *on)
{
	FILE *f = fopen(o->values, "we");

	if (f == NULL)
		return -errno;
	fputs("bytes_s_off,bytes_s_on,cpu_ns_byte_off,cpu_ns_byte_on,cpus_off,cpus_on\n", f);
	for (unsigned long i = 0; i < o->pairs; i++)
		fprintf(f, "%.0f,%.0f,%.6f,%.6f,%.4f,%.4f\n", off[i].bytes, on[i].bytes, off[i].cpu,
			on[i].cpu, off[i].busy, on[i].busy);
	return fclose(f) ? -errno : 0;
}

/* ----------------------------------------------------------- the programs' own time */

struct program {
	int fd; /* the subject's own */
	char name[BPF_OBJ_NAME_LEN];
	uint64_t runs, ns;
};

/* The programs that this process holds, which are the subject's. */
static unsigned int
programs_find(struct program *list)
{
	unsigned int nr = 0;

	for (int fd = 0; fd < MAX_FD && nr < MAX_PROGRAMS; fd++) {
		char path[32], what[32] = "";
		struct bpf_prog_info info = {0};
		uint32_t len = sizeof(info);

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, what, sizeof(what) - 1) < 0 ||
			strcmp(what, "anon_inode:bpf-prog") != 0 ||
			bpf_obj_get_info_by_fd(fd, &info, &len))
			continue;
		list[nr] = (struct program){.fd = fd};
		memcpy(list[nr++].name, info.name, BPF_OBJ_NAME_LEN);
	}
	return nr;
}

static void
programs_read(struct program *list, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		struct bpf_prog_info info = {0};
		uint32_t len = sizeof(info);

		if (bpf_obj_get_info_by_fd(list[i].fd, &info, &len) == 0) {
			list[i].runs = info.run_cnt - list[i].runs;
			list[i].ns = info.run_time_ns - list[i].ns;
		}
	}
}

static void
print_programs(const struct program *list, unsigned int nr, double seconds, double cpu_s)
{
	double all = 0;

	printf("  in a pass of its own, %.1f s, where the kernel takes the time of each run (which "
	       "adds to it):\n"
	       "  %-20s %12s %8s %14s\n",
		seconds, "program", "events/s", "ns each", "% of CPU time");
	for (unsigned int i = 0; i < nr; i++) {
		if (list[i].runs == 0)
			continue;
		all += (double)list[i].ns;
		printf("  %-20s %12.0f %8.1f %14.2f\n", list[i].name,
			(double)list[i].runs / seconds, (double)list[i].ns / (double)list[i].runs,
			(double)list[i].ns / 1e7 / cpu_s);
	}
	printf("  %-20s %36.2f\n", "together", all / 1e7 / cpu_s);
}

static int
count(const struct options *o, const struct clocks *c)
{
	struct program list[MAX_PROGRAMS];
	char why[SUBJECT_WHY] = "";
	struct reading a, b;
	uint64_t self;
	unsigned int nr;
	int stats, err = o->subject->on(why), end_err;

	if (err)
		return err;
	stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	nr = programs_find(list);
	programs_read(list, nr);
	self = subject_cpu();
	err = stats < 0 ? -errno : take(c, &a);
	if (!err)
		err = o->subject->run(o->count_s * 1000000000);
	if (!err)
		err = take(c, &b);
	self = subject_cpu() - self;
	programs_read(list, nr);
	end_err = o->subject->off();
	if (stats >= 0)
		close(stats);
	err = err ? err : end_err;
	if (err || nr == 0)
		return err;
	print_programs(list, nr, (double)(b.ns - a.ns) / 1e9, (double)(b.cpu_ns - a.cpu_ns) / 1e9);
	/* with the softirqs that came while it ran, which are the stream's */
	printf("  %-20s %36.2f\n", "its reader",
		(double)self * 100 / (double)(b.cpu_ns - a.cpu_ns));
	return 0;
}

/* ------------------------------------------------------------------------- the rest */

static int
measure(const struct options *o, const struct clocks *c)
{
	struct rates *off = calloc(2 * o->pairs, sizeof(*off)), *on = off + o->pairs;
	char why[SUBJECT_WHY] = "";
	int err;

	if (off == NULL)
		return complain("memory", -ENOMEM);
	err = o->subject->open(o->device, o->output, why);
	if (err == -EPERM || err == -ENOTSUP) {
		printf("SKIP: %s\n", why);
		free(off);
		return 77;
	}
	err = err ? err : slots(o, c, off, on);
	if (!err)
		err = print_all(o, off, on);
	if (!err && o->values)
		err = write_values(o, off, on);
	if (!err && o->count_s > 0)
		err = count(o, c);
	o->subject->close();
	free(off);
	return err ? complain(why[0] ? why : o->subject->name, err) : 0;
}

static bool
take_number(const char *text, unsigned long least, unsigned long most, unsigned long *out)
{
	char *end;

	*out = strtoul(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && *out >= least && *out <= most;
}

static bool
option(struct options *o, int c, const char *text)
{
	switch (c) {
	case 'w':
		return (o->subject = subject_find(text)) != NULL;
	case 'p':
		return take_number(text, 20, 100000, &o->pairs);
	case 's':
		return take_number(text, 10, 60000, &o->slot_ms);
	case 'm':
		return take_number(text, 0, 60000, &o->margin_ms);
	case 'c':
		return take_number(text, 0, 3600, &o->count_s);
	case 'o':
		o->output = text;
		return true;
	case 'v':
		o->values = text;
		return true;
	case 'S':
		return take_number(text, 0, UINT32_MAX, &o->seed);
	default:
		return false;
	}
}

static bool
parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {{"what", required_argument, NULL, 'w'},
		{"pairs", required_argument, NULL, 'p'}, {"slot", required_argument, NULL, 's'},
		{"margin", required_argument, NULL, 'm'}, {"count", required_argument, NULL, 'c'},
		{"output", required_argument, NULL, 'o'}, {"values", required_argument, NULL, 'v'},
		{"seed", required_argument, NULL, 'S'}, {NULL}};
	int c;

	*o = (struct options){.subject = subject_find("watch"),
		.output = "/dev/null",
		.pairs = 200,
		.slot_ms = 100,
		.margin_ms = 15,
		.count_s = 3,
		.seed = 1};
	while ((c = getopt_long(argc, argv, "w:p:s:m:c:o:v:", longs, NULL)) != -1) {
		if (!option(o, c, optarg))
			return false;
	}
	o->device = optind < argc ? argv[optind] : NULL;
	return o->device != NULL;
}

int
main(int argc, char **argv)
{
	struct clocks c = {0};
	struct options o;
	int err;

	if (!parse(&o, argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	err = clocks_open(&c, o.device, argv + optind + 1);
	if (err)
		return complain(err == -ESRCH ? "no such process" : o.device, err);
	err = signals_init();
	return err ? complain("signals", err) : measure(&o, &c);
}
