/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Where the packets went, and how much of the loss memory explains. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lab_base.h>

#include "watch.h"

/* The two reasons by which the kernel says itself that memory was short. */
const char *const watch_memory_causes[] = {"NOMEM", "PFMEMALLOC", NULL};

static int
count(struct lab_ledger_port *p, const char *name, uint64_t n)
{
	char cause[LAB_LEDGER_NAME_LEN];
	int id;

	if (n == 0)
		return 0;
	snprintf(cause, sizeof(cause), "%s", name);
	id = lab_drop_cause(cause);
	if (id < 0)
		return id;
	lab_ledger_drop(p, (unsigned int)id, n);
	return 0;
}

static bool
is_memory(const char *name)
{
	for (const char *const *m = watch_memory_causes; *m; m++) {
		if (!strcmp(*m, name))
			return true;
	}
	return false;
}

/* The most frequent reasons by name, and those of memory whatever their number; the rest as one. */
static int
count_reasons(struct lab_ledger_port *p, const struct lab_kmon_reason *r, int n)
{
	uint64_t rest = 0;
	int err = 0;

	for (int i = 0; i < n && !err; i++) {
		uint64_t drops = r[i].entered + r[i].elsewhere;

		if (i < WATCH_MAX_REASONS || is_memory(r[i].name))
			err = count(p, r[i].name, drops);
		else
			rest += drops;
	}
	return err ? err : count(p, "other_reasons", rest);
}

/* What entered the stack and was not dropped there went to a socket, onwards, or to a protocol. */
static int
stack_port(struct watch *w, struct lab_ledger_port *p)
{
	struct lab_kmon_reason *r = calloc(2048, sizeof(*r));
	uint64_t entered = 0, elsewhere = 0;
	int n = r ? lab_kmon_reasons(w->kmon, r, 2048) : -ENOMEM, err;

	for (int i = 0; i < n; i++) {
		entered += r[i].entered;
		elsewhere += r[i].elsewhere;
	}
	lab_ledger_offer(p, w->totals.received + elsewhere);
	lab_ledger_deliver(p, w->totals.received > entered ? w->totals.received - entered : 0);
	err = n < 0 ? n : count_reasons(p, r, n);
	free(r);
	return err;
}

/* Packets of which no skb tells: the device's own losses. */
static int
nic_port(struct watch *w, struct lab_ledger_port *p)
{
	const struct watch_now *n = &w->now;
	int err = count(p, "nic_rx_missed", n->nic_missed);

	if (!err)
		err = count(p, "nic_rx_dropped", n->nic_alone);
	if (!err)
		err = count(p, "nic_rx_errors", n->nic_errors);
	lab_ledger_offer(p, n->drops_nic);
	return err;
}

int
watch_ledger(struct watch *w, struct lab_ledger *ledger)
{
	int stack, nic, err;

	lab_ledger_init(ledger);
	stack = lab_ledger_port_add(ledger, "stack");
	nic = lab_ledger_port_add(ledger, "nics");
	err = stack_port(w, &ledger->port[stack]);
	return err ? err : nic_port(w, &ledger->port[nic]);
}

/* ------------------------------------------------------------ what memory explains */

void
watch_judge(struct watch_verdict *v)
{
	const struct lab_corr_event *e = &v->corr->drops_preceded;
	double share = e->value - e->baseline;

	if (v->corr->verdict == LAB_CORR_LINK && share > 0)
		v->together = (uint64_t)(share * (double)v->nameless + 0.5);
	else if (v->corr->verdict == LAB_CORR_TOO_FEW_BURSTS ||
		 v->corr->verdict == LAB_CORR_NO_DATA)
		v->undecided = v->nameless;
	v->unexplained = v->drops - v->by_reason - v->together - v->undecided;
}

void
watch_say(const struct watch_verdict *v, FILE *out)
{
	if (v->drops == 0) {
		fprintf(out,
			"No packet was seen to be dropped; %" PRIu64
			" atomic page allocations failed for good.",
			v->failures);
		return;
	}
	if (v->failures == 0 && v->by_reason == 0) {
		fprintf(out,
			"Memory does not explain the drops: %" PRIu64
			" packets were dropped, and no atomic page allocation failed for good.",
			v->drops);
		return;
	}
	fprintf(out,
		"%" PRIu64 " packets were dropped and %" PRIu64
		" atomic page allocations failed for good. Want of memory explains %" PRIu64
		" of the drops by the kernel's own word, and %" PRIu64
		" by going together with failures; %" PRIu64 " it does not explain.",
		v->drops, v->failures, v->by_reason, v->together, v->unexplained);
	if (v->undecided)
		fprintf(out, " %" PRIu64 " more have no stated reason and cannot be judged: %s",
			v->undecided, lab_corr_verdict_text(v->corr->verdict));
	else if (v->nameless && v->corr->verdict != LAB_CORR_LINK)
		fprintf(out, " Of those with no stated reason: %s",
			lab_corr_verdict_text(v->corr->verdict));
}

static json_t *
sentence(const struct watch_verdict *v)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	json_t *s;

	if (out == NULL)
		return NULL;
	watch_say(v, out);
	s = fclose(out) ? NULL : json_string(text);
	free(text);
	return s;
}

json_t *
watch_memory_json(
	struct watch *w, const struct lab_ledger *ledger, const struct lab_corr_result *all)
{
	struct watch_verdict v = {.failures = w->now.failures};
	struct lab_ledger_port total;
	struct lab_corr_result unclear;

	if (lab_ledger_total(ledger, &total))
		return NULL;
	v.drops = lab_ledger_drops(&total);
	for (const char *const *m = watch_memory_causes; *m; m++) {
		int id = lab_drop_cause(*m);

		v.by_reason += id >= 0 ? total.drops[id] : 0;
	}
	if (w->now.drops_unclear > v.by_reason)
		v.nameless = w->now.drops_unclear - v.by_reason;
	v.corr = lab_corr_series(w->set, SERIES_FAILURES, SERIES_UNCLEAR, SERIES_OFFERED,
			 &w->opt.corr, &unclear)
			 ? all
			 : &unclear;
	watch_judge(&v);
	return json_pack("{sI sI sI sI sI sI sI ss so*}", "drops", (json_int_t)v.drops, "failures",
		(json_int_t)v.failures, "by_reason", (json_int_t)v.by_reason, "without_reason",
		(json_int_t)v.nameless, "together_with_failures", (json_int_t)v.together,
		"undecided", (json_int_t)v.undecided, "unexplained_by_memory",
		(json_int_t)v.unexplained, "verdict", lab_corr_verdict_name(v.corr->verdict),
		"text", sentence(&v));
}
