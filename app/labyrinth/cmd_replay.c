/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* Replay: a recorded zone against an emulated one. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lab_report.h>
#include <lab_trace.h>

#include "app.h"

static int
take_word(struct app *app, const char *word, struct lab_trace_options *o)
{
	unsigned long long seed;
	int rc;

	if (!strncmp(word, "seed=", 5)) {
		rc = cmd_number(app, "seed", word + 5, 0, UINT64_MAX, &seed);
		o->seed = rc ? 0 : seed;
		return rc;
	}
	for (int a = 0; a < LAB_NR_ALLOCATORS; a++)
		if (!strncmp(word, "allocator=", 10) && !strcmp(word + 10, lab_allocator_name(a))) {
			o->allocator = (enum lab_allocator)a;
			return 0;
		}
	for (int m = 0; m < LAB_NR_TRACE_PCP_MODES; m++)
		if (!strncmp(word, "pcp=", 4) && !strcmp(word + 4, lab_trace_pcp_name(m))) {
			o->pcp = (enum lab_trace_pcp_mode)m;
			return 0;
		}
	if (!strcmp(word, "correct=yes") || !strcmp(word, "correct=no")) {
		o->no_correction = !strcmp(word, "correct=no");
		return 0;
	}
	if (!strcmp(word, "places=yes") || !strcmp(word, "places=no")) {
		o->no_places = !strcmp(word, "places=no");
		return 0;
	}
	return cmd_fail(app, -EINVAL,
		"replay: '%s' is none of allocator=buddy|labyrinth, pcp=follow|model, "
		"places=yes|no, correct=yes|no, seed=N",
		word);
}

static int
take_words(struct app *app, const struct cmd_args *a, struct lab_trace_options *o)
{
	static const char *const names[] = {"option", "another", "third", "fourth", "fifth"};
	int rc = 0;

	*o = (struct lab_trace_options){.seed = app->opt.seed};
	for (unsigned int i = 0; i < RTE_DIM(names) && rc == 0; i++)
		rc = cmd_arg(a, names[i]) ? take_word(app, cmd_arg(a, names[i]), o) : 0;
	return rc;
}

static json_t *
orders_json(const struct lab_trace_result *r)
{
	json_t *rows = json_array();

	for (int order = 0; order < LAB_NR_ORDERS; order++) {
		const struct lab_trace_error *e = &r->order[order];

		json_array_append_new(rows,
			json_pack("{si sf sf sf sf sf sf sf sf sI}", "order", order,
				"kernel_blocks", e->kernel, "error_mean", e->mean, "error_max",
				e->max, "bias", e->bias, "still_mean", e->still,
				"unusable_error_mean", e->index_mean / 1e3, "unusable_error_max",
				e->index_max / 1e3, "unusable_still_mean", e->index_still / 1e3,
				"not_laid_out", (json_int_t)r->not_laid_out[order]));
	}
	return rows;
}

static json_t *
pages_json(const struct lab_trace_result *r)
{
	const struct lab_trace_error *e = &r->pages;

	return json_pack("{sf sf sf sf sf}", "kernel", e->kernel, "error_mean", e->mean,
		"error_max", e->max, "bias", e->bias, "still_mean", e->still);
}

static json_t *
events_json(const struct lab_trace_result *r)
{
	const uint64_t *e = r->counts.events;

	return json_pack("{sI sI sI sI sI sI sI sI sI sI sI sI sI sI sI sI sI sI sI sI sI}",
		"recorded_allocations", (json_int_t)e[LAB_TRACE_ALLOC], "recorded_frees",
		(json_int_t)e[LAB_TRACE_FREE], "recorded_refusals", (json_int_t)e[LAB_TRACE_REFUSE],
		"recorded_drains", (json_int_t)e[LAB_TRACE_DRAIN], "recorded_steals",
		(json_int_t)e[LAB_TRACE_STEAL], "recorded_takings", (json_int_t)e[LAB_TRACE_TAKE],
		"recorded_compactions", (json_int_t)e[LAB_TRACE_COMPACT], "lost",
		(json_int_t)r->counts.lost, "allocations", (json_int_t)r->allocs, "from_lists",
		(json_int_t)r->from_lists, "unseen", (json_int_t)r->unseen, "past_lists",
		(json_int_t)r->past_lists, "corrected_pages", (json_int_t)r->corrected, "made",
		(json_int_t)r->made, "not_taken", (json_int_t)r->not_taken, "frees",
		(json_int_t)r->frees, "frees_of_held_before", (json_int_t)r->frees_before,
		"frees_unmatched", (json_int_t)r->frees_unmatched, "frees_skipped",
		(json_int_t)r->frees_skipped, "reused_frames", (json_int_t)r->reused,
		"not_for_zone", (json_int_t)r->not_for_zone);
}

/** The orders of which any was refused. */
static json_t *
refusals_by_order_json(const struct lab_trace_result *r)
{
	json_t *rows = json_array();

	for (int order = 0; order < LAB_NR_ORDERS; order++) {
		const struct lab_trace_refusals *a = &r->atomic[order];

		if (a->actual + a->predicted > 0)
			json_array_append_new(
				rows, json_pack("{si sI sI sI sI}", "order", order, "actual",
					      (json_int_t)a->actual, "predicted",
					      (json_int_t)a->predicted, "missed",
					      (json_int_t)(a->actual - a->both), "false_alarms",
					      (json_int_t)(a->predicted - a->both)));
	}
	return rows;
}

static json_t *
refusals_json(const struct lab_trace_result *r)
{
	return json_pack("{sI sI sI sI sI sI sI sI so}", "atomic_actual", (json_int_t)r->actual,
		"atomic_predicted", (json_int_t)r->predicted, "atomic_both", (json_int_t)r->both,
		"atomic_missed", (json_int_t)(r->actual - r->both), "atomic_false_alarms",
		(json_int_t)(r->predicted - r->both), "atomic_coincide", (json_int_t)r->coincide,
		"other_actual", (json_int_t)r->other_actual, "other_predicted",
		(json_int_t)r->other_predicted, "atomic_by_order", refusals_by_order_json(r));
}

static json_t *
result_json(const char *file, const struct lab_trace_options *o, const struct lab_trace_result *r)
{
	return json_pack("{ss ss ss si sI ss ss sb sI sf sI so so so so}", "trace", file, "kernel",
		r->head.kernel, "zone", r->head.zone, "node", r->head.node, "managed",
		(json_int_t)r->head.managed, "allocator", lab_allocator_name(o->allocator), "pcp",
		lab_trace_pcp_name(o->pcp), "by_name", r->named, "seed", (json_int_t)o->seed,
		"seconds", (double)r->ns / 1e9, "samples", (json_int_t)r->samples, "events",
		events_json(r), "refusals", refusals_json(r), "free_pages", pages_json(r), "orders",
		orders_json(r));
}

static json_t *
replay(struct app *app, const struct cmd_args *a)
{
	const char *file = cmd_arg(a, "file");
	struct lab_trace_options o;
	struct lab_trace_result *r;
	json_t *out = NULL;
	char err[256] = "";
	FILE *in;
	int rc;

	if (take_words(app, a, &o))
		return NULL;
	in = fopen(file, "re");
	if (in == NULL) {
		cmd_fail(app, -errno, "cannot open '%s': %s", file, strerror(errno));
		return NULL;
	}
	r = malloc(sizeof(*r));
	rc = r ? lab_trace_replay(in, &o, r, err, sizeof(err)) : -ENOMEM;
	fclose(in);
	if (rc)
		cmd_fail(app, rc, "%s: %s", file, err[0] ? err : strerror(-rc));
	else
		out = result_json(file, &o, r);
	free(r);
	return out;
}

static const struct cmd cmds[] = {
	{"replay <file> [<option>] [<another>] [<third>] [<fourth>] [<fifth>]", NULL, replay, NULL,
		"Replay a trace of labyrinth-observe record: allocator=buddy|labyrinth "
		"pcp=follow|model places=yes|no correct=yes|no seed=N."},
};

CLI_SECTION(replay, "Replay of recorded kernels", cmds);
