/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "age.h"

static const struct age_model *const models[LAB_NR_AGE_MODELS] = {
	[LAB_AGE_CHURN] = &age_churn,
	[LAB_AGE_SCATTER] = &age_scatter,
	[LAB_AGE_LIFETIMES] = &age_lifetimes,
	[LAB_AGE_ADVERSARY] = &age_adversary,
};

static const char *const reasons[LAB_NR_AGE_REASONS] = {
	[LAB_AGE_REACHED] = "reached",
	[LAB_AGE_IMPOSSIBLE] = "impossible",
	[LAB_AGE_OTHERS] = "others",
	[LAB_AGE_REFUSED] = "refused",
	[LAB_AGE_NO_SLOT] = "no_slot",
	[LAB_AGE_NOT_CONVERGED] = "not_converged",
	[LAB_AGE_TOO_COARSE] = "too_coarse",
	[LAB_AGE_CANCELLED] = "cancelled",
};

const struct age_model *
age_model(enum lab_age_model model)
{
	return (unsigned int)model < LAB_NR_AGE_MODELS ? models[model] : NULL;
}

const char *
lab_age_model_name(enum lab_age_model model)
{
	const struct age_model *m = age_model(model);

	return m != NULL ? m->name : NULL;
}

const char *
lab_age_model_help(enum lab_age_model model)
{
	const struct age_model *m = age_model(model);

	return m != NULL ? m->help : NULL;
}

const char *
lab_age_reason_name(enum lab_age_reason reason)
{
	return (unsigned int)reason < LAB_NR_AGE_REASONS ? reasons[reason] : NULL;
}

/* -------------------------------------------------------------- feasibility */

/** The least and the greatest index that any placement has at the goal: of the free frames as many
 *  as possible in whole regions, or a held frame in as many regions as there are held frames. */
static void
unusable_bounds(const struct age_run *run, int *least, int *greatest)
{
	unsigned int order = run->cfg->order;
	unsigned long free_pages = run->managed - run->goal;
	unsigned long held = run->goal - run->foreign, most = free_pages >> order, fewest;

	if (free_pages == 0) {
		*least = *greatest = 1000;
		return;
	}
	most = most < run->whole_regions ? most : run->whole_regions;
	fewest = held < run->whole_regions && order > 0 ? run->whole_regions - held : 0;
	fewest = order == 0 ? free_pages : fewest;
	fewest = fewest < most ? fewest : most;
	*least = (int)((free_pages - (most << order)) * 1000 / free_pages);
	*greatest = (int)((free_pages - (fewest << order)) * 1000 / free_pages);
}

/** Is there a state that meets the targets? Fills reason and text if not. */
static bool
feasible(struct age_run *run)
{
	const struct lab_age_config *cfg = run->cfg;
	struct lab_age_result *out = run->out;
	int least, greatest;

	if (run->foreign > run->goal + run->slack) {
		out->reason = LAB_AGE_OTHERS;
		snprintf(out->text, sizeof(out->text),
			"others hold %lu frames, more than the %lu of the occupancy %.4f",
			run->foreign, run->goal, cfg->occupancy);
		return false;
	}
	if (run->goal < run->foreign)
		run->goal = run->foreign;
	if (!run_has_unusable(run))
		return true;
	unusable_bounds(run, &least, &greatest);
	if (cfg->unusable + cfg->unusable_tolerance >= least &&
		cfg->unusable - cfg->unusable_tolerance <= greatest)
		return true;
	out->reason = run->foreign > 0 ? LAB_AGE_OTHERS : LAB_AGE_IMPOSSIBLE;
	snprintf(out->text, sizeof(out->text),
		"unusable %d@%u cannot be had at occupancy %.4f of this zone: only %d to %d",
		cfg->unusable, cfg->order, cfg->occupancy, least, greatest);
	return false;
}

/* ------------------------------------------------------------------ results */

static bool
targets_met(const struct age_run *run)
{
	const struct lab_age_result *out = run->out;
	unsigned long off = run->used > run->goal ? run->used - run->goal : run->goal - run->used;

	return off <= run->slack &&
	       (!run_has_unusable(run) || abs(out->unusable_error) <= run->cfg->unusable_tolerance);
}

static void
fill_result(struct age_run *run)
{
	struct lab_age_result *out = run->out;
	const struct lab_age_config *cfg = run->cfg;
	double managed = (double)run->managed;

	out->occupancy_target = cfg->occupancy;
	out->occupancy = (double)run->used / managed;
	out->occupancy_error = out->occupancy - cfg->occupancy;
	out->unusable_target = cfg->unusable;
	out->order = cfg->order;
	out->unusable = run_unusable(run);
	out->unusable_error = run_has_unusable(run) ? out->unusable - cfg->unusable : 0;
	out->held_blocks = run->t->blocks;
	out->held_pages = run->t->pages;
	out->managed = run->managed;
	out->free = run->managed - run->used;
}

static int
conclude(struct age_run *run)
{
	struct lab_age_result *out = run->out;
	char target[32] = "no target";

	if (run->cancelled)
		out->reason = LAB_AGE_CANCELLED;
	else if (targets_met(run))
		out->reason = LAB_AGE_REACHED;
	else if (run->no_slot)
		out->reason = LAB_AGE_NO_SLOT;
	else if (run->used + run->slack < run->goal)
		out->reason = LAB_AGE_REFUSED;
	else if (run_has_unusable(run) && run_suitable(run) == run_goal_suitable(run))
		out->reason = LAB_AGE_TOO_COARSE;
	else
		out->reason = LAB_AGE_NOT_CONVERGED;
	if (run_has_unusable(run))
		snprintf(target, sizeof(target), "target %d", run->cfg->unusable);
	snprintf(out->text, sizeof(out->text),
		"%s: occupancy %.4f (target %.4f), unusable %d@%u (%s), %lu blocks held",
		lab_age_reason_name(out->reason), out->occupancy, out->occupancy_target,
		out->unusable, out->order, target, out->held_blocks);
	switch (out->reason) {
	case LAB_AGE_REACHED:
		return 0;
	case LAB_AGE_CANCELLED:
		return -ECANCELED;
	default:
		return -ENOSPC;
	}
}

/* ---------------------------------------------------------------------- run */

static void
run_model(struct age_run *run)
{
	const struct age_model *m = age_model(run->cfg->model);
	unsigned int rounds = run->cfg->rounds;

	m->start(run);
	run->done = PROGRESS_START;
	for (unsigned int i = 0; i < rounds && !run->cancelled; i++) {
		m->round(run, i);
		run->out->rounds++;
		run->done = PROGRESS_START +
			    (PROGRESS_ROUNDS - PROGRESS_START) * (unsigned long)(i + 1) / rounds;
	}
	if (m->finish != NULL)
		m->finish(run);
	run->done = PROGRESS_ROUNDS;
	age_steer(run);
}

static void
set_goal(struct age_run *run)
{
	struct lab_zone_info info;

	lab_zone_info_get(run->zone, &info);
	run->managed = info.managed;
	run->pcp = info.pcp_batch != 0;
	run->goal = (unsigned long)(run->cfg->occupancy * (double)run->managed + 0.5);
	run->slack = (unsigned long)(run->cfg->occupancy_tolerance * (double)run->managed);
	run->slack = run->slack > 0 ? run->slack : 1;
}

/** The targets can be had: run the model and say what came of it. */
static int
run_to_target(struct age_run *run)
{
	struct lab_tenants *t = run->t;
	uint64_t allocs = t->allocs, frees = t->frees, refused = t->refused;
	int rc;

	t->touch = run->cfg->touch;
	t->last_cause = LAB_CAUSE_NONE;
	t->clock = 0;
	tenants_put_all(t);
	run_sync(run);
	run_model(run);
	run_sync(run);
	t->touch = false;
	run->out->cause = t->last_cause;
	run->out->allocs = t->allocs - allocs;
	run->out->frees = t->frees - frees;
	run->out->refused = t->refused - refused;
	fill_result(run);
	rc = conclude(run);
	if (run->progress != NULL && rc == 0)
		run->progress(run->arg, PROGRESS_TOTAL, PROGRESS_TOTAL);
	return rc;
}

/** With the tenants locked and the configuration checked. */
static int
age_locked(struct age_run *run)
{
	int rc;

	set_goal(run);
	if (run->managed == 0)
		return -EINVAL;
	/* Pages in the per-CPU lists are neither free nor held, and how the lists tune themselves
	 * would make the result depend on more than the seed. */
	lab_zone_set_pcp(run->zone, false);
	rc = run_init(run);
	if (rc == 0 && !feasible(run)) {
		fill_result(run);
		rc = -ERANGE;
	} else if (rc == 0) {
		rc = run_to_target(run);
	}
	run_fini(run);
	if (run->pcp)
		lab_zone_set_pcp(run->zone, true);
	return rc;
}

int
lab_age(struct lab_tenants *t, const struct lab_age_config *cfg, struct lab_age_result *out,
	lab_age_progress_fn progress, void *arg)
{
	struct lab_age_result ignored;
	struct age_run run = {.t = t, .cfg = cfg, .progress = progress, .arg = arg};
	int rc;

	run.out = out != NULL ? out : &ignored;
	memset(run.out, 0, sizeof(*run.out));
	if (t == NULL || cfg == NULL || lab_age_check(cfg, NULL, 0) != 0)
		return -EINVAL;
	if (pthread_mutex_trylock(&t->lock) != 0)
		return -EBUSY;
	run.zone = t->zone;
	tenants_set_owner(t, lab_age_model_name(cfg->model), 1 + cfg->model);
	rc = age_locked(&run);
	pthread_mutex_unlock(&t->lock);
	return rc;
}
