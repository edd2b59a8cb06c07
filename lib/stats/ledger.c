/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "lab_stats.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The one global table of this module. It is written by constructors, which the loader runs one at
 * a time, and rarely after; the lock is for programs that load plugins from several threads.
 */
static struct {
	char name[LAB_LEDGER_MAX_CAUSES][LAB_LEDGER_NAME_LEN];
	unsigned int count; /* read without the lock: a name is whole before it is counted */
	bool lock;
} causes;

static int
cause_find(const char *name, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (!strcmp(causes.name[i], name))
			return (int)i;
	}
	return -ENOENT;
}

static int
cause_add(const char *name)
{
	unsigned int count = causes.count;
	int id = cause_find(name, count);

	if (id >= 0)
		return id;
	if (count == LAB_LEDGER_MAX_CAUSES)
		return -ENOSPC;
	strcpy(causes.name[count], name);
	__atomic_store_n(&causes.count, count + 1, __ATOMIC_RELEASE);
	return (int)count;
}

int
lab_drop_cause(const char *name)
{
	int id;

	if (!name || !*name || strlen(name) >= LAB_LEDGER_NAME_LEN)
		return -EINVAL;
	while (__atomic_test_and_set(&causes.lock, __ATOMIC_ACQUIRE))
		;
	id = cause_add(name);
	__atomic_clear(&causes.lock, __ATOMIC_RELEASE);
	return id;
}

unsigned int
lab_drop_cause_or_die(const char *name)
{
	int id = lab_drop_cause(name);

	if (id < 0) {
		fprintf(stderr, "drop cause \"%s\": %s\n", name ? name : "",
			id == -ENOSPC ? "the table of causes is full" : "bad name");
		abort();
	}
	return (unsigned int)id;
}

unsigned int
lab_drop_cause_count(void)
{
	return __atomic_load_n(&causes.count, __ATOMIC_ACQUIRE);
}

const char *
lab_drop_cause_name(unsigned int id)
{
	return id < lab_drop_cause_count() ? causes.name[id] : NULL;
}

void
lab_ledger_init(struct lab_ledger *ledger)
{
	memset(ledger, 0, sizeof(*ledger));
}

int
lab_ledger_port_add(struct lab_ledger *ledger, const char *name)
{
	struct lab_ledger_port *p;

	if (!name || !*name || strlen(name) >= LAB_LEDGER_NAME_LEN)
		return -EINVAL;
	for (unsigned int i = 0; i < ledger->nr_ports; i++) {
		if (!strcmp(ledger->port[i].name, name))
			return -EEXIST;
	}
	if (ledger->nr_ports == LAB_LEDGER_MAX_PORTS)
		return -ENOSPC;
	p = &ledger->port[ledger->nr_ports];
	memset(p, 0, sizeof(*p));
	strcpy(p->name, name);
	return (int)ledger->nr_ports++;
}

void
lab_ledger_clear(struct lab_ledger *ledger)
{
	for (unsigned int i = 0; i < ledger->nr_ports; i++) {
		struct lab_ledger_port *p = &ledger->port[i];

		__atomic_store_n(&p->offered, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&p->delivered, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&p->in_flight, 0, __ATOMIC_RELAXED);
		for (unsigned int c = 0; c < LAB_LEDGER_MAX_CAUSES; c++)
			__atomic_store_n(&p->drops[c], 0, __ATOMIC_RELAXED);
	}
}

/* A copy that does not change while it is worked on. */
static void
port_read(struct lab_ledger_port *dst, const struct lab_ledger_port *src)
{
	memcpy(dst->name, src->name, sizeof(dst->name));
	dst->offered = __atomic_load_n(&src->offered, __ATOMIC_RELAXED);
	dst->delivered = __atomic_load_n(&src->delivered, __ATOMIC_RELAXED);
	dst->in_flight = __atomic_load_n(&src->in_flight, __ATOMIC_RELAXED);
	for (unsigned int c = 0; c < LAB_LEDGER_MAX_CAUSES; c++)
		dst->drops[c] = __atomic_load_n(&src->drops[c], __ATOMIC_RELAXED);
}

static void
port_write(struct lab_ledger_port *dst, const struct lab_ledger_port *src)
{
	__atomic_store_n(&dst->offered, src->offered, __ATOMIC_RELAXED);
	__atomic_store_n(&dst->delivered, src->delivered, __ATOMIC_RELAXED);
	__atomic_store_n(&dst->in_flight, src->in_flight, __ATOMIC_RELAXED);
	for (unsigned int c = 0; c < LAB_LEDGER_MAX_CAUSES; c++)
		__atomic_store_n(&dst->drops[c], src->drops[c], __ATOMIC_RELAXED);
}

int
lab_ledger_port_merge(struct lab_ledger_port *dst, const struct lab_ledger_port *src)
{
	struct lab_ledger_port a, b;
	bool over;

	port_read(&a, dst);
	port_read(&b, src);
	over = __builtin_add_overflow(a.offered, b.offered, &a.offered);
	over |= __builtin_add_overflow(a.delivered, b.delivered, &a.delivered);
	over |= __builtin_add_overflow(a.in_flight, b.in_flight, &a.in_flight);
	for (unsigned int c = 0; c < LAB_LEDGER_MAX_CAUSES; c++)
		over |= __builtin_add_overflow(a.drops[c], b.drops[c], &a.drops[c]);
	if (over)
		return -EOVERFLOW;
	port_write(dst, &a);
	return 0;
}

int
lab_ledger_port_diff(struct lab_ledger_port *dst, const struct lab_ledger_port *after,
	const struct lab_ledger_port *before)
{
	struct lab_ledger_port a, b;
	bool fell;

	port_read(&a, after);
	port_read(&b, before);
	fell = __builtin_sub_overflow(a.offered, b.offered, &a.offered);
	fell |= __builtin_sub_overflow(a.delivered, b.delivered, &a.delivered);
	for (unsigned int c = 0; c < LAB_LEDGER_MAX_CAUSES; c++)
		fell |= __builtin_sub_overflow(a.drops[c], b.drops[c], &a.drops[c]);
	if (fell)
		return -ERANGE;
	memcpy(dst->name, a.name, sizeof(dst->name));
	port_write(dst, &a);
	return 0;
}

uint64_t
lab_ledger_drops(const struct lab_ledger_port *p)
{
	uint64_t sum = 0;

	for (unsigned int c = 0; c < LAB_LEDGER_MAX_CAUSES; c++) {
		uint64_t n = __atomic_load_n(&p->drops[c], __ATOMIC_RELAXED);

		if (__builtin_add_overflow(sum, n, &sum))
			return UINT64_MAX;
	}
	return sum;
}

int64_t
lab_ledger_unexplained(const struct lab_ledger_port *port)
{
	struct lab_ledger_port p;
	__int128 rest;

	port_read(&p, port);
	rest = (__int128)p.offered - p.delivered - p.in_flight;
	for (unsigned int c = 0; c < LAB_LEDGER_MAX_CAUSES; c++)
		rest -= p.drops[c];
	if (rest > INT64_MAX)
		return INT64_MAX;
	return rest < INT64_MIN ? INT64_MIN : (int64_t)rest;
}

int
lab_ledger_total(const struct lab_ledger *ledger, struct lab_ledger_port *total)
{
	memset(total, 0, sizeof(*total));
	strcpy(total->name, "total");
	for (unsigned int i = 0; i < ledger->nr_ports; i++) {
		int err = lab_ledger_port_merge(total, &ledger->port[i]);

		if (err)
			return err;
	}
	return 0;
}

static int
port_check(const struct lab_ledger_port *port, char *why, size_t len)
{
	int64_t rest = lab_ledger_unexplained(port);

	if (rest == 0)
		return 0;
	if (why && len)
		snprintf(why, len,
			"%s: offered %" PRIu64 " - delivered %" PRIu64 " - dropped %" PRIu64
			" - in flight %" PRIu64 " leaves %" PRId64 " unexplained",
			port->name, port->offered, port->delivered, lab_ledger_drops(port),
			port->in_flight, rest);
	return -EUCLEAN;
}

int
lab_ledger_check(const struct lab_ledger *ledger, char *why, size_t len)
{
	struct lab_ledger_port p;
	int err;

	if (why && len)
		*why = '\0';
	for (unsigned int i = 0; i < ledger->nr_ports; i++) {
		port_read(&p, &ledger->port[i]);
		err = port_check(&p, why, len);
		if (err)
			return err;
	}
	err = lab_ledger_total(ledger, &p);
	if (err) {
		if (why && len)
			snprintf(why, len, "total: the sum of the ports overflows");
		return err;
	}
	return port_check(&p, why, len);
}
