/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "lab_base.h"
#include "lab_record.h"
#include "record.skel.h"
#include "record_base.h"
#include "record_places.h"
#include "record_shared.h"

#define LINKS     9         /* most tracepoints that are attached to */
#define EARLY     64        /* most events that wait for those before the beginning */
#define READINGS  3         /* most of buddyinfo for one sample */
#define STEADY_NS 500000    /* a reading that takes no longer was not interrupted for long */
#define TEXT_MAX  (4 << 20) /* of a file of /proc */

_Static_assert((int)RECORD_COMPACT == (int)LAB_TRACE_COMPACT, "records are events of the trace");

struct record_take {
	uint64_t pfn;
	unsigned int order;
};

struct lab_record {
	struct lab_record_opts opts;
	struct lab_trace_head head;
	struct record_bpf *skel;
	struct ring_buffer *ring;
	struct bpf_link *link[LINKS];
	unsigned int nr_links;
	bool steal_takes; /* a steal may be the only event of the taking */
	struct record_take last_take[LAB_MAX_CPUS];
	int buddyinfo, pagetypeinfo, zoneinfo, kpageflags; /* opened while they may be */
	char *text;
	uint64_t begin_ns, last_ns, next_sample_ns, missed_before, lost_before;
	struct lab_trace_event sample;
	bool sample_waits;
	bool running;
	bool placing; /* the places of free blocks are brought forward to the beginning */
	struct record_places places;
	struct lab_record_places placed;
	struct record_event early[EARLY]; /* since the beginning, while placing */
	unsigned int nr_early;
	int err; /* of writing */
	struct lab_trace_counts counts;
	struct record_seen seen;
};

static int __attribute__((format(printf, 3, 4))) refuse(char *why, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, LAB_RECORD_WHY_LEN, fmt, ap);
	va_end(ap);
	return rc;
}

static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/** The whole of a file of /proc, from its beginning, into r->text. */
static int
read_text(struct lab_record *r, int fd)
{
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -ENOENT;
	while ((n = pread(fd, r->text + len, TEXT_MAX - 1 - len, (off_t)len)) > 0)
		len += (size_t)n;
	r->text[len] = '\0';
	return n < 0 ? -errno : 0;
}

/* ----------------------------------------------------------------- records */

static void
write_event(struct lab_record *r, struct lab_trace_event *e)
{
	/* CPUs fill the ring at once: a time may be a little before the last one's */
	if (e->ns < r->last_ns)
		e->ns = r->last_ns;
	r->last_ns = e->ns;
	if (r->err == 0)
		r->err = lab_trace_write_event(r->opts.out, e);
	r->counts.events[e->type]++;
}

static void
flush_sample(struct lab_record *r)
{
	if (r->sample_waits)
		write_event(r, &r->sample);
	r->sample_waits = false;
}

/** Where a steal is the only event of the taking, it becomes one. A page that was claimed with its pageblock
 *  has a taking just before, if it is smaller than that. @param e the steal; out: the taking. @return is it one? */
static bool
steal_is_taking(
	const struct lab_record *r, const struct record_event *in, struct lab_trace_event *e)
{
	const struct record_take *last = &r->last_take[e->cpu];

	if (!r->steal_takes || in->type != RECORD_STEAL ||
		(last->pfn == in->page && last->order == in->gfp))
		return false;
	e->type = LAB_TRACE_TAKE;
	e->pfn = in->page;
	e->order = in->gfp;
	return e->order <= LAB_MAX_ORDER && !(e->pfn & ((UINT64_C(1) << e->order) - 1));
}

static void
compaction_of(const struct lab_record *r, const struct record_event *in, struct lab_trace_event *e)
{
	unsigned long from = in->page >> 32, end = in->page & UINT32_MAX;
	bool known = from < end && end <= r->head.spanned;

	e->pfn = r->head.start + (known ? from : 0);
	e->end = r->head.start + (known ? end : r->head.spanned);
	e->pages = in->gfp;
}

/** The event of a record. @return is it the zone's? */
static bool
event_of(const struct lab_record *r, const struct record_event *in, struct lab_trace_event *e)
{
	unsigned int mt = in->order_and_type >> 4, order = in->order_and_type & 15;
	unsigned long rel;

	*e = (struct lab_trace_event){.type = (enum lab_trace_type)in->type,
		.ns = in->ns - r->begin_ns,
		.cpu = in->cpu,
		.pfn = in->page & ~((UINT64_C(1) << order) - 1), /* a steal's lies within */
		.order = order,
		.gfp = in->gfp,
		.migratetype = mt < LAB_MIGRATE_TYPES ? mt : LAB_MIGRATE_ISOLATE};
	if (e->type == LAB_TRACE_COMPACT)
		compaction_of(r, in, e);
	rel = e->pfn - r->head.start;
	/* a block that the zone does not wholly have is none of it; huge orders are no allocator's */
	if (e->order > LAB_MAX_ORDER || e->cpu >= r->head.nr_cpus)
		return false;
	return e->type == LAB_TRACE_REFUSE ||
	       (rel < r->head.spanned && r->head.spanned - rel >= 1UL << e->order);
}

static void
remember_taking(struct lab_record *r, const struct lab_trace_event *e)
{
	if (e->type == LAB_TRACE_TAKE)
		r->last_take[e->cpu] = (struct record_take){e->pfn, e->order};
}

static void
take_event(struct lab_record *r, const struct record_event *in)
{
	struct lab_trace_event e;

	if (in->ns < r->begin_ns || !event_of(r, in, &e))
		return;
	if (r->sample_waits && e.ns > r->sample.ns)
		flush_sample(r);
	write_event(r, &e);
	remember_taking(r, &e);
	if (steal_is_taking(r, in, &e))
		write_event(r, &e);
}

/** An event from before the beginning. One from after it is kept, as a few of those before may come behind it: CPUs fill the
 *  ring at once. @return negative: no more can be kept, and what follows stays in the ring */
static int
place_event(struct lab_record *r, const struct record_event *in)
{
	struct lab_trace_event e;

	if (r->begin_ns != 0 && in->ns >= r->begin_ns) {
		r->early[r->nr_early++] = *in;
		return r->nr_early < EARLY ? 0 : -ECANCELED;
	}
	if (!event_of(r, in, &e))
		return 0;
	record_places_apply(&r->places, &e, in->ns);
	remember_taking(r, &e);
	if (steal_is_taking(r, in, &e))
		record_places_apply(&r->places, &e, in->ns);
	return 0;
}

static int
on_record(void *ctx, void *data, size_t size)
{
	struct lab_record *r = ctx;
	const struct record_event *e = data;

	if (size < sizeof(*e))
		return 0;
	if (e->type == RECORD_PAGE) {
		if (r->seen.nr < RECORD_ADDRESSES_MAX)
			r->seen.address[r->seen.nr++] = e->page;
	} else if (r->running) {
		take_event(r, e);
	} else if (r->placing) {
		return place_event(r, e);
	}
	return 0;
}

/* -------------------------------------------------- where the table of pages is */

/** Frame number of a page of this process; 0: hidden. */
static uint64_t
frame_of(int pagemap, const void *page)
{
	uint64_t v = 0;
	off_t at = (off_t)((uintptr_t)page / LAB_PAGE_SIZE * sizeof(v));

	if (pagemap < 0 || pread(pagemap, &v, sizeof(v), at) != sizeof(v) || !(v >> 63))
		return 0;
	return v & ((UINT64_C(1) << 55) - 1);
}

static int
find_base(struct lab_record *r, char *why)
{
	size_t len = RECORD_TOUCHED * LAB_PAGE_SIZE;
	unsigned int size = r->skel->rodata->page_size;
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t frame[RECORD_TOUCHED] = {0}, base;
	char *pages = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED) {
		if (pagemap >= 0)
			close(pagemap);
		return -ENOMEM;
	}
	madvise(pages, len, MADV_NOHUGEPAGE);
	r->skel->bss->mode = RECORD_ADDRESSES;
	for (unsigned int i = 0; i < RECORD_TOUCHED; i++) {
		*(volatile char *)(pages + i * LAB_PAGE_SIZE) = 1;
		frame[i] = frame_of(pagemap, pages + i * LAB_PAGE_SIZE);
	}
	r->skel->bss->mode = RECORD_OFF;
	ring_buffer__consume(r->ring);
	base = record_base_by_frames(&r->seen, frame, size);
	base = base != 0 ? base
			 : record_base_by_step(
				   &r->seen, ((uint64_t)r->head.start + r->head.spanned) * size);
	munmap(pages, len);
	if (pagemap >= 0)
		close(pagemap);
	r->skel->bss->pages_base = base;
	return base != 0 ? 0
			 : refuse(why, -ENOTSUP,
				   "where the kernel's table of pages lies cannot be found out "
				   "(with CAP_SYS_ADMIN /proc/self/pagemap tells)");
}

/* ----------------------------------------------------------------- opening */

static unsigned int
size_of_page(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int id = btf ? btf__find_by_name_kind(btf, "page", BTF_KIND_STRUCT) : -1;
	unsigned int size = id > 0 ? btf__type_by_id(btf, (unsigned int)id)->size : 0;

	btf__free(btf);
	return size;
}

static int
load(struct lab_record *r, char *why)
{
	unsigned int size = size_of_page();
	int rc;

	if (size == 0)
		return refuse(why, -ENOTSUP, "this kernel shows no BTF (/sys/kernel/btf/vmlinux)");
	r->skel = record_bpf__open();
	if (r->skel == NULL)
		return -errno;
	r->skel->rodata->page_size = size;
	if (r->opts.ring_len > 0)
		bpf_map__set_max_entries(r->skel->maps.ring, (__u32)r->opts.ring_len);
	rc = record_bpf__load(r->skel);
	if (rc != 0)
		return refuse(
			why, rc, "the kernel refuses the recording programs: %s", strerror(-rc));
	r->ring = ring_buffer__new(bpf_map__fd(r->skel->maps.ring), on_record, r, NULL);
	return r->ring != NULL ? 0 : -errno;
}

/** @return 0; -ENOENT: this kernel has no such tracepoint */
static int
attach_one(struct lab_record *r, const struct bpf_program *prog, const char *tracepoint, char *why)
{
	struct bpf_link **link = &r->link[r->nr_links];

	*link = bpf_program__attach_raw_tracepoint(prog, tracepoint);
	if (*link == NULL)
		return refuse(
			why, -errno, "cannot be attached to %s: %s", tracepoint, strerror(errno));
	r->nr_links++;
	return 0;
}

struct attachment {
	const struct bpf_program *prog;
	const char *tracepoint;
};

static int
attach_all(struct lab_record *r, const struct attachment *on, size_t n, char *why)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = attach_one(r, on[i].prog, on[i].tracepoint, why);
	return rc;
}

static int
attach_compaction(struct lab_record *r, char *why)
{
	const struct attachment moved[] = {
		{r->skel->progs.on_compaction_begin, "mm_compaction_begin"},
		{r->skel->progs.on_migrate, "mm_compaction_migratepages"},
		{r->skel->progs.on_compaction_end, "mm_compaction_end"}};
	int rc = attach_one(r, r->skel->progs.on_isolate, "mm_compaction_isolate_freepages", why);

	if (rc == -ENOENT) /* a kernel that does not compact */
		return 0;
	if (rc == 0)
		rc = attach_one(r, r->skel->progs.on_fast_isolate,
			"mm_compaction_fast_isolate_freepages", why);
	return rc == -ENOENT ? attach_all(r, moved, LAB_ARRAY_SIZE(moved), why) : rc;
}

static int
attach(struct lab_record *r, char *why)
{
	const struct attachment on[] = {{r->skel->progs.on_alloc, "mm_page_alloc"},
		{r->skel->progs.on_free, "mm_page_free"},
		{r->skel->progs.on_drain, "mm_page_pcpu_drain"},
		{r->skel->progs.on_steal, "mm_page_alloc_extfrag"},
		{r->skel->progs.on_take, "mm_page_alloc_zone_locked"}};
	libbpf_print_fn_t print = libbpf_set_print(NULL); /* `why` says it */
	int rc = attach_all(r, on, LAB_ARRAY_SIZE(on), why);

	rc = rc != 0 ? rc : attach_compaction(r, why);
	libbpf_set_print(print);
	if (rc == 0)
		why[0] = '\0';
	return rc;
}

static bool
steal_is_alone(const char *release)
{
	int major = 0, minor = 0;

	return sscanf(release, "%d.%d", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor >= 10));
}

static int
open_proc(struct lab_record *r, char *why)
{
	struct utsname u;
	int rc;

	r->buddyinfo = open("/proc/buddyinfo", O_RDONLY | O_CLOEXEC);
	r->zoneinfo = open("/proc/zoneinfo", O_RDONLY | O_CLOEXEC);
	/* these are root's, or not there */
	r->pagetypeinfo = open("/proc/pagetypeinfo", O_RDONLY | O_CLOEXEC);
	r->kpageflags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	r->text = malloc(TEXT_MAX);
	if (r->text == NULL)
		return -ENOMEM;
	uname(&u);
	r->steal_takes = steal_is_alone(u.release);
	snprintf(r->head.kernel, sizeof(r->head.kernel), "%.63s", u.release);
	rc = read_text(r, r->zoneinfo);
	rc = rc != 0 ? rc
		     : lab_record_parse_zoneinfo(r->text, r->opts.zone, r->opts.node, &r->head);
	if (rc == -ENOENT)
		return refuse(why, rc,
			"/proc/zoneinfo has no zone with memory called '%s' on that node",
			r->opts.zone != NULL ? r->opts.zone : "any");
	return rc;
}

int
lab_record_open(struct lab_record **out, const struct lab_record_opts *opts, char *why)
{
	struct lab_record *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return -ENOMEM;
	r->opts = *opts;
	r->buddyinfo = r->pagetypeinfo = r->zoneinfo = r->kpageflags = -1;
	rc = open_proc(r, why);
	rc = rc != 0 ? rc : load(r, why);
	rc = rc != 0 ? rc : attach(r, why);
	rc = rc != 0 ? rc : find_base(r, why);
	if (rc != 0) {
		if (why[0] == '\0')
			refuse(why, rc, "%s", strerror(-rc));
		lab_record_close(r);
		return rc;
	}
	r->skel->bss->first_pfn = r->head.start;
	r->skel->bss->nr_pfns = r->head.spanned;
	*out = r;
	return 0;
}

static void
close_proc(const struct lab_record *r)
{
	const int fds[] = {r->buddyinfo, r->pagetypeinfo, r->zoneinfo, r->kpageflags};

	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

void
lab_record_close(struct lab_record *r)
{
	if (r == NULL)
		return;
	for (unsigned int i = 0; i < r->nr_links; i++)
		bpf_link__destroy(r->link[i]);
	ring_buffer__free(r->ring);
	record_bpf__destroy(r->skel);
	close_proc(r);
	record_places_fini(&r->places);
	free(r->text);
	free(r);
}

const struct lab_trace_head *
lab_record_head(const struct lab_record *r)
{
	return &r->head;
}

/* --------------------------------------------------------------- recording */

/** Read the free blocks and when that was. Whoever is interrupted meanwhile does not know which events came before, so he tries
 *  again; the shortest reading counts. */
static int
read_blocks(struct lab_record *r, unsigned long blocks[LAB_NR_ORDERS], uint64_t *ns)
{
	uint64_t shortest = UINT64_MAX;
	int rc = -ENODATA;

	for (int i = 0; i < READINGS && shortest > STEADY_NS; i++) {
		unsigned long now_free[LAB_NR_ORDERS];
		uint64_t start = now(), took;
		int err = read_text(r, r->buddyinfo);

		took = now() - start;
		err = err != 0 ? err : lab_record_parse_buddyinfo(r->text, &r->head, now_free);
		if (err == 0 && took < shortest) {
			memcpy(blocks, now_free, sizeof(now_free));
			shortest = took;
			*ns = start + took / 2;
		}
		rc = rc != 0 ? err : rc;
	}
	return rc;
}

/** Look at buddyinfo, and let the sample wait for the events before it. */
static int
take_sample(struct lab_record *r)
{
	uint64_t ns = r->begin_ns;
	int rc;

	r->sample = (struct lab_trace_event){.type = LAB_TRACE_SAMPLE};
	rc = read_blocks(r, r->sample.blocks, &ns);
	r->sample.ns = ns - r->begin_ns;
	r->sample_waits = rc == 0;
	if (rc == 0 && read_text(r, r->zoneinfo) == 0)
		r->sample.boost = lab_record_parse_boost(r->text, &r->head);
	return rc;
}

/** Events that came while the same program was running on the CPU: the kernel leaves them out, and counts. */
static uint64_t
missed(struct lab_record *r)
{
	struct bpf_program *p;
	uint64_t sum = 0;

	bpf_object__for_each_program(p, r->skel->obj)
	{
		struct bpf_prog_info info = {0};
		__u32 size = sizeof(info);

		if (bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &size) == 0)
			sum += info.recursion_misses;
	}
	return sum;
}

/** Where the free blocks lie. The ring is emptied meanwhile, so that it need not hold the events of so long a time.
 *  @return 0, known or not; -ENOMEM */
static int
read_places(struct lab_record *r)
{
	uint64_t begin = now();
	int rc;

	if (r->kpageflags < 0)
		return 0;
	rc = record_places_init(&r->places, r->head.start, r->head.spanned);
	if (rc != 0)
		return rc;
	r->placing = true;
	while ((rc = record_places_read(&r->places, r->kpageflags, now())) > 0)
		ring_buffer__consume(r->ring);
	close(r->kpageflags);
	r->kpageflags = -1;
	r->placing = rc == 0;
	r->placed.ns = now() - begin;
	return 0;
}

static int
read_types_and_lists(struct lab_record *r)
{
	struct lab_trace_head *h = calloc(1, sizeof(*h));
	int rc = read_text(r, r->pagetypeinfo);

	if (h == NULL)
		return -ENOMEM;
	if (rc == 0)
		lab_record_parse_pagetypeinfo(r->text, &r->head);
	if (!r->head.has_types)
		memset(r->head.free, 0, sizeof(r->head.free));
	rc = read_text(r, r->zoneinfo);
	if (rc == 0) {
		rc = lab_record_parse_zoneinfo(r->text, r->head.zone, r->head.node, h);
		memcpy(r->head.pcp, h->pcp, sizeof(h->pcp));
	}
	free(h);
	return rc;
}

/** What takes longest to read first: places, then types and per-CPU lists; the numbers of blocks last, and with them it
 *  begins. */
static int
read_beginning(struct lab_record *r)
{
	unsigned long blocks[LAB_NR_ORDERS];
	int rc;

	r->begin_ns = 0;
	r->missed_before = missed(r);
	r->lost_before = r->skel->bss->lost;
	r->skel->bss->mode = RECORD_EVENTS;
	rc = read_places(r);
	rc = rc != 0 ? rc : read_types_and_lists(r);
	rc = rc != 0 ? rc : read_blocks(r, blocks, &r->begin_ns);
	if (rc != 0)
		return rc;
	lab_record_adjust(&r->head, blocks);
	r->sample = (struct lab_trace_event){.type = LAB_TRACE_SAMPLE};
	memcpy(r->sample.blocks, blocks, sizeof(blocks));
	return 0;
}

/** Bring the places forward to the beginning and write them. */
static void
write_places(struct lab_record *r)
{
	struct lab_trace_event e = {.type = LAB_TRACE_PLACE};

	if (!r->placing)
		return;
	ring_buffer__consume(r->ring);
	r->placing = false;
	r->placed.known = true;
	for (int order = 0; order < LAB_NR_ORDERS; order++)
		r->placed.buddyinfo += r->sample.blocks[order] << order;
	while (record_places_next(&r->places, e.pfn, &e.pfn, &e.order)) {
		write_event(r, &e);
		r->placed.frames += 1UL << e.order;
		e.pfn += 1UL << e.order;
	}
	record_places_fini(&r->places);
}

int
lab_record_begin(struct lab_record *r)
{
	int rc = read_beginning(r);

	rc = rc != 0 ? rc : lab_trace_write_head(r->opts.out, &r->head);
	if (rc != 0)
		return rc;
	r->next_sample_ns = r->begin_ns + r->opts.interval_ns;
	write_places(r);
	write_event(r, &r->sample);
	r->running = true;
	for (unsigned int i = 0; i < r->nr_early; i++)
		take_event(r, &r->early[i]);
	return r->err;
}

void
lab_record_places(const struct lab_record *r, struct lab_record_places *out)
{
	*out = r->placed.known ? r->placed : (struct lab_record_places){0};
}

int
lab_record_step(struct lab_record *r)
{
	uint64_t t = now();
	int rc = 0;

	if (t >= r->next_sample_ns) {
		rc = take_sample(r);
		while (r->next_sample_ns <= t)
			r->next_sample_ns += r->opts.interval_ns;
	}
	if (rc == 0)
		rc = ring_buffer__consume(r->ring);
	flush_sample(r);
	return rc < 0 ? rc : r->err;
}

uint64_t
lab_record_elapsed(const struct lab_record *r)
{
	return now() - r->begin_ns;
}

int
lab_record_end(struct lab_record *r, struct lab_trace_counts *counts)
{
	int rc;

	r->skel->bss->mode = RECORD_OFF;
	r->next_sample_ns = 0;
	rc = lab_record_step(r);
	r->counts.lost = r->skel->bss->lost - r->lost_before + missed(r) - r->missed_before;
	if (counts != NULL)
		*counts = r->counts;
	return rc != 0 ? rc : lab_trace_write_end(r->opts.out, &r->counts);
}
