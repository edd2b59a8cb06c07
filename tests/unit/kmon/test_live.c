/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* The programs, attached, while the kernel does what they count: packets are run through an XDP program that drops
 * them (BPF_F_TEST_XDP_LIVE_FRAMES), for which the kernel makes a page pool, as a driver would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>

#include "lab_base.h"
#include "lab_kmon.h"

static struct lab_kmon *kmon;
static char why[200];

static int
begin(void **state)
{
	static const struct lab_kmon_opts opts = {.latency_every = 0};

	(void)state;
	return lab_kmon_open(&kmon, &opts, why, sizeof(why));
}

static int
end(void **state)
{
	(void)state;
	lab_kmon_close(kmon);
	kmon = NULL;
	return 0;
}

/* A program that returns XDP_DROP. */
static int
load_drop(void)
{
	static const struct bpf_insn insns[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_DROP},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(
		BPF_PROG_TYPE_XDP, "lab_drop", "Dual BSD/GPL", insns, LAB_ARRAY_SIZE(insns), NULL);
}

/* @return 0, or what the kernel said */
static int
run_packets(int fd, unsigned int n)
{
	static unsigned char frame[ETH_ZLEN];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
		.repeat = n, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);

	return bpf_prog_test_run_opts(fd, &opts);
}

static bool
is_on(const char *name)
{
	unsigned int n;
	const struct lab_kmon_column *c = lab_kmon_columns(kmon, &n);

	for (unsigned int i = 0; i < n; i++) {
		if (!strcmp(c[i].name, name))
			return c[i].on;
	}
	return false;
}

static void
test_page_pool(void **state)
{
	struct lab_kmon_totals before, after;
	int fd, err;

	(void)state;
	if (!is_on("pool_hold")) {
		print_message("SKIP: this kernel has no page pools\n");
		skip();
	}
	fd = load_drop();
	err = fd < 0 ? fd : run_packets(fd, 1);
	if (err) {
		print_message("SKIP: no packet can be run through an XDP program here: %s\n",
			strerror(-err));
		skip();
	}
	lab_kmon_read(kmon, &before);
	assert_int_equal(run_packets(fd, 1000), 0);
	lab_kmon_read(kmon, &after);
	close(fd);
	print_message("the pool of 1000 packets took %" PRIu64 " pages\n",
		after.pool_hold - before.pool_hold);
	/* pages are used again, and on a busy machine the pool of a NIC may take some meanwhile */
	assert_in_range(before.pool_hold, 1, UINT64_MAX);
	assert_in_range(after.pool_hold - before.pool_hold, 1, UINT64_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_page_pool, begin, end),
	};
	int err = begin(NULL);

	if (err == -EPERM || err == -ENOTSUP) {
		printf("SKIP: %s\n", why);
		return 77;
	}
	if (err) {
		fprintf(stderr, "%s (%d)\n", why, err);
		return 1;
	}
	end(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
