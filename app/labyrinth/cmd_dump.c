/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* EAL's own dumps, by testpmd's old names and its newer ones. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_memory.h>
#include <rte_memzone.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include "app.h"

static const struct {
	const char *name;
	void (*all)(FILE *f);
} dumps[] = {
	{"physmem", rte_dump_physmem_layout},
	{"memzone", rte_memzone_dump},
	{"ring", rte_ring_list_dump},
	{"mempool", rte_mempool_list_dump},
};

static void
socket_mem(void)
{
	for (unsigned int i = 0; i < rte_socket_count(); i++) {
		struct rte_malloc_socket_stats s;
		int socket = rte_socket_id_by_idx(i);

		if (rte_malloc_get_socket_stats(socket, &s))
			continue;
		printf("Socket %d: size(M) total: %.3lf alloc: %.3lf(%.2lf%%) free: %.3lf \tcount "
		       "alloc: %-4u free: %u\n",
			socket, s.heap_totalsz_bytes / 1e6, s.heap_allocsz_bytes / 1e6,
			s.heap_totalsz_bytes ? 100.0 * s.heap_allocsz_bytes / s.heap_totalsz_bytes
					     : 0.0,
			s.heap_freesz_bytes / 1e6, s.alloc_count, s.free_count);
	}
}

static int
dump_named(struct app *app, const char *what, const char *name)
{
	struct rte_mempool *mp;
	struct rte_ring *r;

	if (!strcmp(what, "mempool")) {
		mp = rte_mempool_lookup(name);
		if (mp == NULL)
			return cmd_fail(app, -ENOENT, "no mempool '%s'", name);
		rte_mempool_dump(stdout, mp);
		return 0;
	}
	r = rte_ring_lookup(name);
	if (r == NULL)
		return cmd_fail(app, -ENOENT, "no ring '%s'", name);
	rte_ring_dump(stdout, r);
	return 0;
}

static int
dump(struct app *app, const struct cmd_args *a)
{
	const char *what = cmd_word(a, 0), *name = cmd_arg(a, "name");

	/* dump_mempool or dump mempool */
	what = what[4] == '_' ? what + 5 : cmd_word(a, 1);
	if (name)
		return dump_named(app, what, name);
	if (!strcmp(what, "socket_mem")) {
		socket_mem();
		return 0;
	}
	for (unsigned int i = 0; i < RTE_DIM(dumps); i++) {
		if (!strcmp(what, dumps[i].name))
			dumps[i].all(stdout);
	}
	return 0;
}

static const struct cmd cmds[] = {
	{"dump_physmem|dump_memzone|dump_socket_mem", dump, NULL, NULL, "EAL's memory."},
	{"dump_mempool|dump_ring [<name>]", dump, NULL, NULL, "Mempools or rings."},
	{"dump physmem|memzone|socket_mem", dump, NULL, NULL, "The same, newer DPDK's words."},
	{"dump mempool|ring [<name>]", dump, NULL, NULL, "The same, newer DPDK's words."},
};

CLI_SECTION(devices, "EAL's own state", cmds);
