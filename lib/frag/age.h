/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_FRAG_AGE_H
#define LAB_FRAG_AGE_H

/* Inside lib/frag only: one run of lab_age(), what models and steering share. */

#include "tenants.h"

/** Frames of progress: fill, rounds and steering get these parts of the bar. */
#define PROGRESS_TOTAL  1000UL
#define PROGRESS_START  400UL
#define PROGRESS_ROUNDS 850UL

struct age_run {
	struct lab_tenants *t;
	struct lab_zone *zone;
	const struct lab_age_config *cfg;
	struct lab_age_result *out;
	struct lab_rng rng;
	unsigned long managed;
	unsigned long goal;          /* frames not free at the end, whoever holds them */
	unsigned long slack;         /* frames beside the goal that count as met */
	unsigned long used;          /* frames not free, kept up by run_get() and run_put() */
	unsigned long foreign;       /* frames that others hold */
	unsigned long nr_regions;    /* blocks of cfg->order in the span, whole or not */
	unsigned long whole_regions; /* that others hold nothing of */
	uint64_t *others;            /* a bit a frame: held by others, or not managed */
	double weight_sum;
	lab_age_progress_fn progress;
	void *arg;
	unsigned long ticks; /* operations since the callback was last asked */
	unsigned long done;  /* of PROGRESS_TOTAL; the model moves it */
	bool cancelled;
	bool no_slot;
	bool pcp;         /* the zone had its per-CPU lists on */
	void *model_data; /* the model's own, freed by its finish() */
};

/** What a model is. A function returns nothing: what it cannot do, the measures show. */
struct age_model {
	const char *name;
	const char *help;
	void (*defaults)(struct lab_age_config *cfg);
	int (*check)(const struct lab_age_config *cfg, char *err, size_t len); /* may be NULL */
	void (*start)(struct age_run *run);
	void (*round)(struct age_run *run, unsigned int i);
	void (*finish)(struct age_run *run); /* may be NULL */
};

extern const struct age_model age_churn, age_scatter, age_lifetimes, age_adversary;

/** NULL if out of range. */
const struct age_model *age_model(enum lab_age_model model);

/* ------------------------------------------------------------- run.c: steps */

/** Set up a run; the tenants hold nothing. @return 0, -ENOMEM. */
int run_init(struct age_run *run);
void run_fini(struct age_run *run);

/** Count again what is used. */
void run_sync(struct age_run *run);

/** One operation was done. @return false when the run is cancelled. */
bool run_tick(struct age_run *run);

/** Allocate a block of the type and the order. @return whether it was served. */
bool run_get(struct age_run *run, enum lab_migratetype mt, unsigned int order, uint32_t death,
	struct hold_ref *out);
void run_put(struct age_run *run, struct hold_ref r);

/** A type and an order of the configuration's mix. */
enum lab_migratetype run_draw_type(struct age_run *run);
unsigned int run_draw_order(struct age_run *run);

/** Lifetime of a block that is born now, or of one that was met alive. */
typedef uint32_t (*run_death_fn)(struct age_run *run);

/** Allocate blocks of the mix until `used` frames are used, without exceeding them; where the zone
 *  refuses an order, a smaller one is tried.
 *  @param mt LAB_MIGRATE_TYPES: by the mix.  @return whether it got there. */
bool run_fill(struct age_run *run, unsigned long used, enum lab_migratetype mt, run_death_fn death);

/** Free at random, block by block, until no more than `used` frames are used. */
void run_drain(struct age_run *run, unsigned long used);

/** Suitable blocks of cfg->order that the index's target asks for at the goal's free frames. */
unsigned long run_goal_suitable(const struct age_run *run);
/** Suitable blocks of cfg->order now. */
unsigned long run_suitable(struct age_run *run);
bool run_has_unusable(const struct age_run *run);
/** The index of cfg->order now, of the frames that are free now. */
int run_unusable(struct age_run *run);

/* ------------------------------------------- region.c: blocks of cfg->order */

struct region {
	unsigned long first, pages;
	unsigned long held; /* frames of tenants */
	bool others;        /* somebody else holds a frame of it, or the zone's end cuts it */
	bool one_block;     /* one hold covers it all */
};

struct region region_scan(const struct age_run *run, unsigned long i);

/** Free every hold that touches the region. @return frames freed. */
unsigned long region_clear(struct age_run *run, unsigned long i);

/** A random order of all regions, to be freed by the caller. NULL: no memory. */
uint32_t *region_permutation(struct age_run *run);

/** Would freeing this hold leave its region with another frame that is used? */
bool region_stays_used(const struct age_run *run, struct hold_ref r);

/** Free whole regions at random until so many suitable blocks are free or no more than `used` frames
 *  are used. */
void region_open(struct age_run *run, unsigned long suitable, unsigned long used);

/** Allocate a block of cfg->order, keep one frame of it and free the rest.
 *  @param keep_first else a random one.  @return whether the zone served it. */
bool region_break(struct age_run *run, bool keep_first);

/* ----------------------------------------------------------- steer.c, spec.c */

/** Move towards both targets, in place. */
void age_steer(struct age_run *run);

/** Write an error text, if there is room for one. */
void spec_error(char *err, size_t len, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif /* LAB_FRAG_AGE_H */
