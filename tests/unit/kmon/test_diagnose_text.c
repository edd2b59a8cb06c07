/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Texts in all the clothes that loggers put on them; the rules of each kernel, worked out by hand; and zones of
 * lib/page, whose own messages and files must be read back to the verdict of their own gate.
 */
#include "diagnose_fixture.h"

/* ----------------------------------------------------------------- clothes */

static const char plain[] =
	"ksoftirqd/0: page allocation failure: order:0, mode:0xa20(GFP_ATOMIC), nodemask=(null)\n"
	"CPU: 1 PID: 14 Comm: ksoftirqd/0 Not tainted 6.1.0-37-amd64 #1  Debian 6.1.140-1\n"
	" virtnet_poll+0x1a0/0x5c0 [virtio_net]\n"
	"Node 0 DMA32 free:176kB boost:0kB min:508kB low:632kB high:756kB reserved_highatomic:0KB "
	"managed:100000kB free_cma:0kB\n"
	"lowmem_reserve[]: 0 0 0 0 0\n"
	"Node 0 DMA32: 44*4kB (UM) 0*8kB 0*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB "
	"0*2048kB "
	"0*4096kB = 176kB\n";

/** Everything that plain[] says, and no more. */
static void
check_plain(const char *text)
{
	static struct seen s;
	static struct lab_diagnosis d;
	const struct lab_diag_report *r = &s.r[0];

	read_text(&s, text);
	assert_int_equal(s.n, 1);
	assert_string_equal(r->comm, "ksoftirqd/0");
	assert_string_equal(r->kernel, "6.1.0-37-amd64");
	assert_string_equal(r->caller, "virtnet_poll");
	assert_string_equal(r->module, "virtio_net");
	assert_int_equal(r->cpu, 1);
	assert_int_equal(r->nr_zones, 1);
	assert_int_equal(r->zones[0].free, 44);
	assert_int_equal(r->zones[0].min, 127);
	assert_int_equal(r->zones[0].high, 189);
	assert_int_equal(r->zones[0].managed, 25000);
	assert_int_equal(r->zones[0].blocks[0], 44);
	assert_int_equal(
		r->zones[0].types[0], 1 << LAB_MIGRATE_UNMOVABLE | 1 << LAB_MIGRATE_MOVABLE);
	assert_int_equal(r->zones[0].nr_reserves, 5);
	lab_diagnose(r, &d);
	/* 127 - 63 = 64, - 16 = 48; 44 <= 48 */
	assert_int_equal(d.zones[0].v.min, 48);
	assert_int_equal(d.zones[0].lacks, 5);
	assert_int_equal(d.gate, LAB_DIAG_WATERMARK);
}

/** plain[] with a prefix before each line. */
static void
check_prefixed(const char *prefix)
{
	char text[4096] = "";

	for (const char *line = plain; *line != '\0'; line += strcspn(line, "\n") + 1) {
		strcat(text, prefix);
		strncat(text, line, strcspn(line, "\n") + 1);
	}
	check_plain(text);
}

static void
test_prefixes(void **state)
{
	check_plain(plain);
	check_prefixed("[  123.456789] ");
	check_prefixed("[  123.456789][    C0] ");
	check_prefixed("[  123.456789] [   T14] ");
	check_prefixed("<4>[  123.456789] ");
	check_prefixed("<4>[ 6207.637280]  [3:  Binder:9343_3:22875] ");
	check_prefixed("# [  123.456789] ");
	check_prefixed("[Tue Oct 21 10:39:51 2014] ");
	check_prefixed("[  +0.000003] ");
	check_prefixed("Mar 22 21:11:57 dill kernel: ");
	check_prefixed("Mar 22 21:11:57 dill kernel: [  123.456789] ");
	check_prefixed("2011-08-20T12:06:24.672484+02:00 (none) kernel: ");
	check_prefixed("kernel: [85531.010995] ");
	check_prefixed("> > [  123.456789] ");
	check_prefixed("\t");
}

/** Every blank may become a line's end, and every line be quoted anew. */
static void
test_wrapped(void **state)
{
	char text[4096];
	size_t n = 0;

	for (const char *p = plain; *p != '\0'; p++) {
		text[n++] = *p == ' ' && p[-1] != ':' ? '\n' : *p;
		if (text[n - 1] == '\n')
			text[n++] = '>';
	}
	text[n] = '\0';
	check_plain(text);
}

static void
test_escaped_newlines(void **state)
{
	char text[4096];
	size_t n = (size_t)sprintf(text, "Feb  9 08:09:39 host kernel: ");

	for (const char *p = plain; *p != '\0'; p++)
		n += (size_t)sprintf(text + n, *p == '\n' ? "#012" : "%c", *p);
	check_plain(text);
}

/** A terminal wraps within words too. */
static void
test_wrapped_within_a_figure(void **state)
{
	static struct seen s;

	read_text(&s,
		"a: page allocation failure: order:0, mode:0x20\n"
		"Normal free:20212kB min:16384kB low:204\n> 80kB high:2457\n> 6kB present:970752k\n"
		"> B managed:94\nnonsense free_cma:12kB\n");
	assert_int_equal(s.r[0].zones[0].low, 20480 / 4);
	assert_int_equal(s.r[0].zones[0].high, 24576 / 4);
	assert_int_equal(s.r[0].zones[0].present, 970752 / 4);
	assert_int_equal(s.r[0].zones[0].managed, LAB_DIAG_UNKNOWN);
	assert_int_equal(s.r[0].zones[0].free_cma, 3);
}

static void
test_nothing_in_it(void **state)
{
	static struct seen s;
	static const char oom[] = "tail invoked oom-killer: gfp_mask=0x100cca, order=0\n";

	read_text(&s, "");
	assert_int_equal(s.n, 0);
	read_text(&s, "page allocation failure\npage allocation failure: ordering\npage page page");
	assert_int_equal(s.n, 0);
	read_text(&s, oom);
	assert_int_equal(s.n, 0);
	assert_int_equal(lab_diag_count_oom(oom, strlen(oom)), 1);
}

static int
stop_at_second(const struct lab_diag_report *r, void *arg)
{
	int *n = arg;

	return ++*n == 2 ? -ECANCELED : 0;
}

static void
test_callback_ends_it(void **state)
{
	static const char text[] = "a: page allocation failure: order:0, mode:0x20\n"
				   "b: page allocation failure: order:1, mode:0x20\n"
				   "c: page allocation failure: order:2, mode:0x20\n";
	int n = 0;

	assert_int_equal(lab_diag_parse(text, strlen(text), stop_at_second, &n), -ECANCELED);
	assert_int_equal(n, 2);
}

/* ------------------------------------------------------------------- rules */

/** The diagnosis of a message with this headline, kernel and zone lines. */
static const struct lab_diagnosis *
diagnose(const char *request, const char *kernel, const char *zones)
{
	static struct seen s;
	static struct lab_diagnosis d;
	char text[2048];

	snprintf(text, sizeof(text),
		"x: page allocation failure: %s\nCPU: 0 PID: 1 Comm: x %s #1\n%s", request, kernel,
		zones);
	read_text(&s, text);
	assert_int_equal(s.n, 1);
	lab_diagnose(&s.r[0], &d);
	return &d;
}

#define ZONE "Normal free:4000kB min:1600kB low:2000kB high:2400kB managed:100000kB\n"

/** min is 400 pages: what each kernel holds each request to. */
static void
test_shares(void **state)
{
	static const struct {
		const char *request, *kernel;
		long min;
		const char *share;
	} cases[] = {
		/* to 4.3 whoever may not wait takes a quarter off; __GFP_HIGH a half before */
		{"order:0, mode:0x20", "3.10.0", 150, "3/8 of min"},
		{"order:0, mode:0x0", "3.10.0", 300, "3/4 of min"},
		{"order:0, mode:0xd0", "3.10.0", 400, "min"},
		{"order:0, mode:0x10020", "3.10.0", 200, "1/2 of min"}, /* NOMEMALLOC */
		{"order:0, mode:0x2020", "3.10.0", 0, "no mark"},       /* MEMALLOC */
		/* numbers without names: 4.4 and 4.5 */
		{"order:0, mode:0x2080020", "4.4.0", 150, "3/8 of min"},
		{"order:0, mode:0x2000000", "4.4.0", 400, "min"},
		{"order:0, mode:0x2090020", "4.4.0", 200, "1/2 of min"},
		{"order:0, mode:0x24000c0", "4.4.0", 400, "min"},
		{"order:0, mode:0x1080020(GFP_ATOMIC)", "4.14.0", 150, "3/8 of min"},
		{"order:0, mode:0x480020(GFP_ATOMIC)", "4.19.0", 150, "3/8 of min"},
		{"order:0, mode:0xa20(GFP_ATOMIC)", "6.1.0", 150, "3/8 of min"},
		{"order:0, mode:0x800(GFP_NOWAIT)", "6.1.0", 400, "min"},
		{"order:0, mode:0x80a20(GFP_ATOMIC|__GFP_NOMEMALLOC)", "6.1.0", 200, "1/2 of min"},
		/* before 6.3 __GFP_HIGH alone, as an allocation that may wait has it, is a half */
		{"order:0, mode:0xce0(GFP_KERNEL|__GFP_HIGH)", "6.1.0", 200, "1/2 of min"},
		{"order:0, mode:0x820(GFP_ATOMIC)", "6.3.0", 150, "3/8 of min"},
		{"order:0, mode:0x820(GFP_ATOMIC)", "6.12.41", 150, "3/8 of min"},
		{"order:0, mode:0x2800(GFP_NOWAIT)", "6.12.41", 400, "min"},
		{"order:0, mode:0x20820(GFP_ATOMIC|__GFP_MEMALLOC)", "6.12.41", 0, "no mark"},
	};

	for (size_t i = 0; i < LAB_ARRAY_SIZE(cases); i++) {
		const struct lab_diagnosis *d = diagnose(cases[i].request, cases[i].kernel, ZONE);

		assert_int_equal(d->zones[0].v.min, cases[i].min);
		assert_string_equal(d->share, cases[i].share);
	}
}

/** Without a version the mode says which numbers and rules. */
static void
test_guessed_from_the_mode(void **state)
{
	static const struct {
		const char *request;
		enum lab_diag_rules rules;
	} cases[] = {
		{"order:0, mode:0x20", LAB_DIAG_RULES_OLD},
		{"order:0, mode:0x2080020", LAB_DIAG_RULES_4_4},
		{"order:0, mode:0x1080020(GFP_ATOMIC)", LAB_DIAG_RULES_4_4},
		{"order:0, mode:0x480020(GFP_ATOMIC)", LAB_DIAG_RULES_4_4},
		{"order:0, mode:0xa20(GFP_ATOMIC)", LAB_DIAG_RULES_4_4},
		{"order:0, mode:0x820(GFP_ATOMIC)", LAB_DIAG_RULES_6_3},
	};

	for (size_t i = 0; i < LAB_ARRAY_SIZE(cases); i++) {
		const struct lab_diagnosis *d = diagnose(cases[i].request, "", ZONE);

		assert_int_equal(d->rules, cases[i].rules);
		assert_true(lab_gfp_is_atomic(d->gfp));
		assert_int_equal(d->zones[0].v.min, 150);
		assert_true(d->nr_notes >= 1); /* and it is said */
	}
}

/**
 * To 4.3, order 1: free 1000 - 1 pages, min 400: 150. With the 900 single pages left out 99 remain, to
 * be over 150 / 2 = 75: served. With 930 left out 69 remain: not. From 4.4 on a block is enough.
 */
static void
test_old_orders(void **state)
{
	const char *enough = "Normal free:4000kB min:1600kB low:2000kB high:2400kB\n"
			     "Normal: 900*4kB 50*8kB 0*16kB = 4000kB\n";
	const char *less = "Normal free:4000kB min:1600kB low:2000kB high:2400kB\n"
			   "Normal: 930*4kB 35*8kB 0*16kB = 4000kB\n";
	const struct lab_diagnosis *d = diagnose("order:1, mode:0x20", "3.10.0", enough);

	assert_int_equal(d->gate, LAB_DIAG_OPEN);
	d = diagnose("order:1, mode:0x20", "3.10.0", less);
	assert_int_equal(d->gate, LAB_DIAG_ORDER);
	assert_int_equal(d->zones[0].old_order, 0);
	assert_int_equal(d->zones[0].old_free, 69);
	assert_int_equal(d->zones[0].old_min, 75);
	assert_int_equal(d->zones[0].lacks, 0);
	d = diagnose("order:1, mode:0x480020(GFP_ATOMIC)", "4.19.0", less);
	assert_int_equal(d->gate, LAB_DIAG_OPEN);
}

/** Pages enough and no block: smaller ones would have been had, more memory alone would not have helped. */
static void
test_no_block(void **state)
{
	const struct lab_diagnosis *d = diagnose("order:3, mode:0x40a20(GFP_ATOMIC|__GFP_COMP)",
		"6.1.0",
		ZONE "Normal: 200*4kB (U) 200*8kB (UM) 100*16kB (M) 0*32kB 0*64kB = 4000kB\n");

	assert_int_equal(d->gate, LAB_DIAG_ORDER);
	assert_int_equal(d->zones[0].largest_order, 2);
	assert_int_equal(d->zones[0].unusable, 1000);
	assert_int_equal(d->changes[0].helps, LAB_DIAG_HELPS);
	assert_non_null(strstr(d->changes[0].effect, "block of order 2"));
	assert_non_null(strstr(d->changes[1].what, "compaction"));
}

/** GFP_KERNEL of order 1 with its last blocks in the highatomic reserve; GFP_ATOMIC may have them. */
static void
test_highatomic_blocks(void **state)
{
	const char *zones = ZONE "Normal: 400*4kB (U) 300*8kB (H) = 4000kB\n";

	assert_int_equal(diagnose("order:1, mode:0xcc0(GFP_KERNEL)", "6.1.0", zones)->gate,
		LAB_DIAG_HIGHATOMIC);
	assert_int_equal(
		diagnose("order:1, mode:0xa20(GFP_ATOMIC)", "6.1.0", zones)->gate, LAB_DIAG_OPEN);
}

/** 1000 free, 700 of them in the reserve: 300 <= min 400 for who may not use them, 1000 > 150 for who may. */
static void
test_highatomic_pages(void **state)
{
	const char *zones = "Normal free:4000kB boost:0kB min:1600kB low:2000kB high:2400kB "
			    "reserved_highatomic:2800KB managed:100000kB\n";

	assert_int_equal(diagnose("order:0, mode:0xcc0(GFP_KERNEL)", "6.1.0", zones)->gate,
		LAB_DIAG_HIGHATOMIC);
	assert_int_equal(
		diagnose("order:0, mode:0xa20(GFP_ATOMIC)", "6.1.0", zones)->gate, LAB_DIAG_OPEN);
	/* 6.12 keeps back only what of it is free */
	zones = "Normal free:4000kB boost:0kB min:1600kB low:2000kB high:2400kB "
		"reserved_highatomic:2800KB free_highatomic:400KB managed:100000kB\n";
	assert_int_equal(
		diagnose("order:0, mode:0xcc0(GFP_KERNEL)", "6.13.0", zones)->gate, LAB_DIAG_OPEN);
}

/** An urgent page is not held to the boost: 3/8 of 400 - 200 = 75, not of 400 = 150. */
static void
test_boost(void **state)
{
	const char *zones = "Normal free:400kB boost:800kB min:1600kB low:2000kB high:2400kB\n";

	assert_int_equal(
		diagnose("order:0, mode:0x820(GFP_ATOMIC)", "6.12.0", zones)->gate, LAB_DIAG_OPEN);
	assert_int_equal(diagnose("order:1, mode:0x820(GFP_ATOMIC)", "6.12.0", zones)->gate,
		LAB_DIAG_WATERMARK);
}

/** arm64 with 64 kB pages: an order is of these. */
static void
test_large_pages(void **state)
{
	const struct lab_diagnosis *d = diagnose("order:1, mode:0xa20(GFP_ATOMIC)", "5.10.0",
		"Node 0 Normal free:16000kB min:6400kB low:8000kB high:9600kB\n"
		"Node 0 Normal: 250*64kB (U) 0*128kB 0*256kB = 16000kB\n");

	assert_int_equal(d->zones[0].v.nr_free, 250);
	assert_int_equal(d->zones[0].v.min, 38); /* 100 - 50 - 12 */
	assert_int_equal(d->gate, LAB_DIAG_ORDER);
}

/** lowmem_reserve[] has an entry for each kind of zone that was built, and names none. */
static void
test_reserve_index(void **state)
{
	const char *pc =
		"Node 0 DMA free:15000kB min:64kB low:80kB high:96kB managed:15360kB\n"
		"lowmem_reserve[]: 0 2660 15392 15392 15392\n"
		"Node 0 DMA32 free:1000kB min:4000kB low:5000kB high:6000kB managed:2000000kB\n"
		"lowmem_reserve[]: 0 0 12731 12731 12731\n"
		"Node 0 Normal free:10kB min:4000kB low:5000kB high:6000kB managed:9000000kB\n"
		"lowmem_reserve[]: 0 0 0 0 0\n";
	const char *highmem =
		"DMA free:15000kB min:64kB low:80kB high:96kB\nlowmem_reserve[]: 0 800 2000 2000\n"
		"Normal free:10kB min:4000kB low:5000kB high:6000kB\nlowmem_reserve[]: 0 0 9600 "
		"9600\n"
		"HighMem free:90000kB min:512kB low:600kB high:700kB\nlowmem_reserve[]: 0 0 0 0\n";
	const struct lab_diagnosis *d = diagnose("order:0, mode:0xa20(GFP_ATOMIC)", "6.1.0", pc);

	assert_int_equal(d->zones[0].v.lowmem_reserve, 15392);
	assert_int_equal(d->zones[0].gate, LAB_DIAG_LOWMEM_RESERVE); /* 3750 <= 6 + 15392 */
	assert_int_equal(d->zones[1].v.lowmem_reserve, 12731);
	assert_int_equal(d->zone, 2);
	d = diagnose("order:0, mode:0xa24(GFP_ATOMIC|GFP_DMA32)", "6.1.0", pc);
	assert_int_equal(d->zones[0].v.lowmem_reserve, 2660);
	assert_int_equal(d->zones[1].v.lowmem_reserve, 0);
	assert_int_equal(d->zones[2].gate, LAB_DIAG_NOT_ASKED);
	d = diagnose("order:0, mode:0x20", "3.2.0", highmem);
	assert_int_equal(d->zones[0].v.lowmem_reserve, 800);
	assert_int_equal(d->zones[1].v.lowmem_reserve, 0);
	assert_int_equal(d->zones[2].gate, LAB_DIAG_NOT_ASKED);
}

/** Lowering the protection as the diagnosis says lets the request through, by the gate itself. */
static void
test_reserve_ratio_is_enough(void **state)
{
	const char *zones =
		"DMA32 free:40000kB min:4000kB low:5000kB high:6000kB managed:2000000kB\n"
		"lowmem_reserve[]: 0 0 12731 12731 12731\n";
	const struct lab_diagnosis *d = diagnose("order:0, mode:0xa20(GFP_ATOMIC)", "6.1.0", zones);

	/* 10000 free; min 1000: 375; room 9624; 256 * 12732 / 9624 = 338.7 */
	assert_int_equal(d->gate, LAB_DIAG_LOWMEM_RESERVE);
	assert_int_equal(d->changes[0].helps, LAB_DIAG_HELPS);
	assert_string_equal(
		d->changes[0].what, "vm.lowmem_reserve_ratio: 339 for DMA32 (by default 256)");
}

/** GFP_NOWAIT just under min: with __GFP_HIGH it would have passed, and that is said. */
static void
test_other_flags(void **state)
{
	const char *zones =
		"Normal free:1600kB min:1600kB low:2000kB high:2400kB managed:100000kB\n";
	const struct lab_diagnosis *d =
		diagnose("order:0, mode:0x2800(GFP_NOWAIT)", "6.12.0", zones);

	assert_int_equal(d->gate, LAB_DIAG_WATERMARK);
	assert_int_equal(d->zones[0].lacks, 1);
	assert_int_equal(d->changes[d->nr_changes - 1].helps, LAB_DIAG_HELPS);
	assert_non_null(strstr(d->changes[d->nr_changes - 1].what, "GFP_ATOMIC"));
	assert_int_equal(
		d->changes[0].helps, LAB_DIAG_MAY_HELP); /* min_free_kbytes: it is held to all */
}

static void
test_unknown_flag_is_told(void **state)
{
	const struct lab_diagnosis *d =
		diagnose("order:0, mode:0xa20(GFP_ATOMIC|__GFP_FUTURE|0x8000000)", "6.1.0", ZONE);

	assert_int_equal(d->zones[0].v.min, 150);
	assert_non_null(strstr(d->notes[0], "__GFP_FUTURE"));
}

/* ------------------------------------------------------- zones of lib/page */

#define SPAN (8 * LAB_PAGEBLOCK_PAGES)

static char *
text_of(void (*print)(struct lab_zone *, FILE *), struct lab_zone *zone)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	print(zone, f);
	assert_int_equal(fclose(f), 0);
	return text;
}

static char *
warning_of(struct lab_zone *zone, const struct lab_refusal *refusal)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	lab_warn_alloc(zone, refusal, "model", f);
	assert_int_equal(fclose(f), 0);
	return text;
}

static enum lab_diag_gate
gate_of(enum lab_cause cause)
{
	switch (cause) {
	case LAB_CAUSE_EXHAUSTED:
		return LAB_DIAG_EXHAUSTED;
	case LAB_CAUSE_WATERMARK:
		return LAB_DIAG_WATERMARK;
	case LAB_CAUSE_ORDER:
		return LAB_DIAG_ORDER;
	case LAB_CAUSE_RESERVE:
		return LAB_DIAG_LOWMEM_RESERVE;
	default:
		return LAB_DIAG_OPEN;
	}
}

/** The zone's own message, and its own /proc files, must lead to its own gate's verdict. */
static void
check_zone(struct lab_zone *zone, lab_gfp_t gfp, unsigned int order, unsigned int *seen)
{
	struct lab_refusal refusal = {.gfp = gfp, .order = order};
	struct lab_verdict own;
	enum lab_diag_gate gate = gate_of(lab_zone_explain(zone, gfp, order, &own));
	char *warning = warning_of(zone, &refusal), *zoneinfo = text_of(lab_zone_zoneinfo, zone);
	char *buddyinfo = text_of(lab_zone_buddyinfo, zone);
	char *types = text_of(lab_zone_pagetypeinfo, zone);
	struct lab_diag_proc proc = {
		.zoneinfo = zoneinfo, .buddyinfo = buddyinfo, .pagetypeinfo = types};
	static struct seen s;
	static struct lab_diagnosis d;

	read_text(&s, warning);
	assert_int_equal(s.n, 1);
	lab_diagnose(&s.r[0], &d);
	assert_string_equal(lab_diag_gate_name(d.gate), lab_diag_gate_name(gate));
	assert_int_equal(d.zones[0].v.nr_free, own.nr_free);

	assert_int_equal(lab_diag_read_proc(&proc, &s.r[1]), 0);
	s.r[1].order = (int)order;
	s.r[1].has_mode = true;
	s.r[1].mode = gfp;
	lab_diagnose(&s.r[1], &d);
	assert_string_equal(lab_diag_gate_name(d.gate), lab_diag_gate_name(gate));
	assert_int_equal(memcmp(s.r[0].zones[0].blocks, s.r[1].zones[0].blocks,
				 sizeof(s.r[0].zones[0].blocks)),
		0);
	seen[gate]++;
	free(warning);
	free(zoneinfo);
	free(buddyinfo);
	free(types);
}

static void
age(struct lab_zone *zone, struct lab_rng *rng, void **pages, unsigned long most_free)
{
	unsigned long left = lab_rng_below(rng, most_free);

	for (unsigned long i = 0; i < SPAN; i++)
		pages[i] = lab_alloc_pages(zone, LAB_GFP_ATOMIC | __LAB_GFP_MEMALLOC, 0);
	for (unsigned long i = 0; i < left; i++) {
		unsigned long victim = lab_rng_below(rng, SPAN);

		if (pages[victim] != NULL)
			assert_int_equal(lab_free_pages(zone, pages[victim], 0), 0);
		pages[victim] = NULL;
	}
}

static void
test_own_zones(void **state)
{
	static const lab_gfp_t gfps[] = {
		LAB_GFP_ATOMIC, LAB_GFP_KERNEL, LAB_GFP_ATOMIC | __LAB_GFP_NOMEMALLOC};
	unsigned int seen[LAB_DIAG_NR_GATES] = {0};
	static void *pages[SPAN];
	struct lab_rng rng;

	lab_rng_seed(&rng, 4);
	for (int round = 0; round < 20; round++) {
		struct lab_zone_config cfg = lab_zone_config_default(SPAN);
		struct lab_zone *zone;

		cfg.no_pcp = true;
		cfg.watermark_boost_factor = 0;
		cfg.min_free_kbytes = 128 << (round % 5);
		cfg.lowmem_reserve[LAB_ZONE_NORMAL] = round % 3 == 2 ? 300 : 0;
		assert_int_equal(lab_zone_create(&zone, &cfg), 0);
		age(zone, &rng, pages, (unsigned long)cfg.min_free_kbytes / 4 * 2);
		for (unsigned int i = 0; i < LAB_ARRAY_SIZE(gfps); i++)
			for (unsigned int order = 0; order <= 4; order++)
				check_zone(zone, gfps[i], order, seen);
		for (unsigned long i = 0; i < SPAN; i++)
			if (pages[i] != NULL)
				lab_free_pages(zone, pages[i], 0);
		assert_int_equal(lab_zone_destroy(zone), 0);
	}
	/* nothing of it was left out by chance */
	assert_true(seen[LAB_DIAG_OPEN] >= 10 && seen[LAB_DIAG_WATERMARK] >= 10);
	assert_true(seen[LAB_DIAG_ORDER] >= 10 && seen[LAB_DIAG_LOWMEM_RESERVE] >= 10);
}

/* --------------------------------------------------------------------- /proc */

static void
test_proc_of_a_kernel(void **state)
{
	const struct lab_diag_proc proc = {
		.zoneinfo =
			"Node 0, zone      DMA\n  per-node stats\n      nr_inactive_anon 65225\n"
			"  pages free     3840\n        boost    0\n        min      16\n        "
			"low      20\n"
			"        high     24\n        spanned  4095\n        present  3998\n"
			"        managed  3840\n        cma      0\n        protection: (0, 2964, "
			"15179, 15179, 15179)\n"
			"      nr_free_pages 3840\n      nr_free_cma  0\n  pagesets\n    cpu: 0\n"
			"              count:    0\n              high:     0\n"
			"Node 0, zone   Normal\n  pages free     500\n        boost    100\n       "
			" min      900\n"
			"        low      1000\n        high     1100\n        present  9000\n     "
			"   managed  8000\n"
			"        protection: (0, 0, 0, 0, 0)\n      nr_free_cma  7\n  pagesets\n   "
			" cpu: 0\n"
			"              count:    30\n              high:     186\n    cpu: 1\n"
			"              count:    12\n"
			"Node 0, zone  Movable\n  pages free     0\n        min      32\n        "
			"present  0\n"
			"        managed  0\n        protection: (0, 0, 0, 0, 0)\n",
		.buddyinfo = "Node 0, zone      DMA      0      0      0      0      0      0      "
			     "0      0      1      1      3 \n"
			     "Node 0, zone   Normal    100    200      0      0      0      0      "
			     "0      0      0      0      0 \n",
		.pagetypeinfo = "Page block order: 9\nPages per block:  512\n\nFree pages count "
				"per migrate type at order\n"
				"Node    0, zone   Normal, type    Unmovable    100      0      0  "
				"    0      0      0      0      0      0      0      0 \n"
				"Node    0, zone   Normal, type   HighAtomic      0    200      0  "
				"    0      0      0      0      0      0      0      0 \n"
				"\nNumber of blocks type     Unmovable      Movable  Reclaimable   "
				"HighAtomic      Isolate \n"
				"Node 0, zone   Normal           10            2            1      "
				"      1            0 \n",
		.osrelease = "6.1.0-37-amd64\n",
		.min_free_kbytes = "3600\n",
		.watermark_scale_factor = "10\n",
		.lowmem_reserve_ratio = "256\t32\t0\n",
	};
	static struct lab_diag_report r;
	const struct lab_diag_zone *z;

	assert_int_equal(lab_diag_read_proc(&proc, &r), 0);
	assert_int_equal(r.nr_zones, 2);
	assert_string_equal(r.kernel, "6.1.0-37-amd64");
	assert_int_equal(r.min_free_kbytes, 3600);
	assert_int_equal(r.ratio[LAB_DIAG_DMA], 256);
	assert_int_equal(r.ratio[LAB_DIAG_NORMAL], 32);
	z = find_zone(&r, 0, LAB_DIAG_NORMAL);
	assert_non_null(z);
	assert_int_equal(z->free, 500);
	assert_int_equal(z->boost, 100);
	assert_int_equal(z->free_cma, 7);
	assert_int_equal(z->free_pcp, 42);
	assert_int_equal(z->reserved_highatomic, 512);
	assert_int_equal(z->blocks[1], 200);
	assert_int_equal(z->typed[1][LAB_MIGRATE_HIGHATOMIC], 200);
	z = find_zone(&r, 0, LAB_DIAG_DMA);
	assert_int_equal(z->lowmem_reserve[2], 15179);
	assert_int_equal(lab_diag_read_proc(&(struct lab_diag_proc){.zoneinfo = "x"}, &r), -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_wrapped),
		cmocka_unit_test(test_escaped_newlines),
		cmocka_unit_test(test_wrapped_within_a_figure),
		cmocka_unit_test(test_nothing_in_it),
		cmocka_unit_test(test_callback_ends_it),
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_guessed_from_the_mode),
		cmocka_unit_test(test_old_orders),
		cmocka_unit_test(test_no_block),
		cmocka_unit_test(test_highatomic_blocks),
		cmocka_unit_test(test_highatomic_pages),
		cmocka_unit_test(test_boost),
		cmocka_unit_test(test_large_pages),
		cmocka_unit_test(test_reserve_index),
		cmocka_unit_test(test_reserve_ratio_is_enough),
		cmocka_unit_test(test_other_flags),
		cmocka_unit_test(test_unknown_flag_is_told),
		cmocka_unit_test(test_own_zones),
		cmocka_unit_test(test_proc_of_a_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
