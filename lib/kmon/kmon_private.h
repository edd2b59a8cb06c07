/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef KMON_PRIVATE_H
#define KMON_PRIVATE_H

/** @file kmon_private.h What the parts of the BPF side share. */

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "kmon_shared.h"
#include "lab_kmon.h"

struct kmon_bpf;

/** In the order of the table in kmon_open.c. Those of enum lab_kmon_program first. */
enum kmon_program {
	PROGRAM_PAGE_ALLOC,
	PROGRAM_KFREE_SKB,
	PROGRAM_EXTFRAG,
	PROGRAM_POOL_HOLD,
	PROGRAM_NAPI_POLL,
	PROGRAM_RECEIVE,
	PROGRAM_KSWAPD_WAKEUP,
	PROGRAM_KSWAPD_WAKE,
	PROGRAM_COMPACTION_BEGIN,
	PROGRAM_COMPACTION_END,
	PROGRAM_LATENCY, /* the end of a timed allocation */
	PROGRAM_ENTER,   /* and its beginning: no column of its own */
	NR_PROGRAMS,
};
#define NR_COLUMNS PROGRAM_ENTER

/** What the running kernel's BTF tells. */
struct kmon_names {
	char *reason[KMON_SUBSYSTEMS][KMON_REASONS]; /* by number; NULL: not known (yet) */
	char *subsystem[KMON_SUBSYSTEMS];
	char type[KMON_TYPES][16];
	unsigned char category[KMON_REASONS];
	unsigned int reason_arg;  /* of kfree_skb; 0: it tells none */
	unsigned int unspecified; /* number of the reason */
	unsigned int gfp_high, gfp_direct_reclaim, gfp_account, gfp_attempt;
	const char *alloc_function;   /* that every page allocation goes through; NULL */
	bool tracepoint[NR_PROGRAMS]; /* it is there */
};

struct kmon_symbol {
	uint64_t address;
	size_t name; /* in text */
};

/** /proc/kallsyms: opened while it may be, read when a name is first asked for. */
struct kmon_symbols {
	FILE *file;
	struct kmon_symbol *list;
	size_t nr;
	char *text;
};

struct lab_kmon {
	struct kmon_bpf *skel;
	struct bpf_link *link[NR_PROGRAMS];
	struct lab_kmon_column column[NR_COLUMNS];
	struct lab_kmon_fault fault; /* column NULL: none */
	struct kmon_names names;
	struct kmon_symbols symbols;
	int nr_cpus;
	const struct kmon_alloc *allocs;  /* of each CPU, mapped */
	const struct kmon_events *events; /* likewise */
	void *scratch;                    /* one value of any per-CPU map, of all CPUs */
	struct ring_buffer *ring;
	lab_kmon_failure_fn fn; /* during a poll */
	void *fn_arg;
};

/** The tracepoint of a program; NULL for those on a function. */
const char *kmon_tracepoint(enum kmon_program p);

/** What a BTF tells; n is all zero. @return 0, -ENOMEM */
int kmon_names_read(struct kmon_names *n, const struct btf *btf);
/** What the running kernel's does. @return 0, -ENOTSUP (no BTF), -ENOMEM */
int kmon_names_init(struct kmon_names *n);
void kmon_names_fini(struct kmon_names *n);

void kmon_symbols_open(struct kmon_symbols *s);
void kmon_symbols_close(struct kmon_symbols *s);

#endif /* KMON_PRIVATE_H */
