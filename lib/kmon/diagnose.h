/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef KMON_DIAGNOSE_H
#define KMON_DIAGNOSE_H

/** @file diagnose.h What the files of the diagnosis share. */

#include "lab_diagnose.h"

/** Larger figures are nonsense, and would overflow sums. */
#define DIAG_MAX_FIGURE (1L << 44)

/* ------------------------------------------------------------------- tokens */

/** A word of a text, between white space. */
struct diag_token {
	const char *s;
	size_t len;
};

/** The next word at *p, before end. @return false at the end */
bool diag_token_next(const char **p, const char *end, struct diag_token *t);

bool diag_token_is(const struct diag_token *t, const char *word);

/** Is it word, followed by something? @return the rest's first byte, or NULL */
const char *diag_token_after(const struct diag_token *t, const char *word);

/** A decimal number at s, before end; *p (may be NULL) is set behind it.
 *  @return it, at most DIAG_MAX_FIGURE, or LAB_DIAG_UNKNOWN if there is none */
long diag_number(const char *s, const char *end, const char **p);

/** Copy at most size - 1 bytes of printable text, terminated. */
void diag_copy(char *out, size_t size, const char *s, size_t len);

/* ---------------------------------------------------------------- the text */

/**
 * The text without the prefixes that loggers put before lines; a line stays a line.
 * @return to be freed, terminated, *out_len bytes; NULL when memory is short
 */
char *diag_clean(const char *text, size_t len, size_t *out_len);

/** The zone of that node and name, added if it is new. @return NULL if there is no room */
struct lab_diag_zone *diag_zone_get(
	struct lab_diag_report *r, int node, enum lab_diag_zone_type type);

/** @return -1 if it is no zone's name */
int diag_zone_type(const char *name, size_t len);

/** "6.1.0-37-amd64" into its three numbers, -1 for the last if there is none; left alone if it is no version.
 *  @return is it one? */
bool diag_version(const char *s, size_t len, int version[3]);

/** The same into a report. */
bool diag_read_release(struct lab_diag_report *r, const char *s, size_t len);

/** One letter of "(UMEHCI)" as enum lab_migratetype; -1: none. R, the reserve of old kernels, is
 *  usable by all, as unmovable blocks are. */
int diag_type_letter(char c);

/* ----------------------------------------------------------------- verdict */

/** Decode the request's flags, and choose the rules; notes what it assumes. */
void diag_decode_gfp(const struct lab_diag_report *r, struct lab_diagnosis *d);

/** ALLOC_* flags of a request by these rules. */
unsigned int diag_alloc_flags(enum lab_diag_rules rules, lab_gfp_t gfp, unsigned int order);

/** "3/8 of min": what a request with these flags is held to. */
const char *diag_share_text(enum lab_diag_rules rules, unsigned int flags);

/** A request to be judged. */
struct diag_request {
	enum lab_diag_rules rules;
	lab_gfp_t gfp;
	unsigned int order;
	bool single_from_reserve; /**< an atomic single page may be of the highatomic reserve */
	bool spared_boost;        /**< and is not held to the boost: since 5.9 */
};

/** The request of a report, and what its kernel lets such requests do. */
struct diag_request diag_request_of(const struct lab_diag_report *r, const struct lab_diagnosis *d);

/** What of a zone's min is a boost: as printed, or, of kernels that do not print it, at least. */
long diag_boost(const struct lab_diag_report *r, const struct lab_diag_zone *z);

/** The same in pages, of a mark of so many. */
long diag_share(enum lab_diag_rules rules, unsigned int flags, long mark);

/** May the request take pages of the zone at all? */
bool diag_may_use(const struct lab_diag_report *r, const struct lab_diag_zone *z, lab_gfp_t gfp);

/** The lowmem_reserve[] that a zone holds against a request; 0 if the text does not say. */
long diag_lowmem_reserve(
	const struct lab_diag_report *r, const struct lab_diag_zone *z, lab_gfp_t gfp);

/** Judge one zone. */
void diag_judge(const struct lab_diag_report *r, const struct lab_diag_zone *z,
	const struct diag_request *rq, struct lab_diag_zone_verdict *v);

/** The changes that would have let the request through, or that people try in vain. */
void diag_changes(
	const struct lab_diag_report *r, const struct diag_request *rq, struct lab_diagnosis *d);

void diag_note(struct lab_diagnosis *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif /* KMON_DIAGNOSE_H */
