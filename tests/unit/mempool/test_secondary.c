/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * A pool that two processes use: this program starts itself as the second one. Needs hugepages, for
 * processes cannot share memory that is nobody's file.
 */
#include "test_eal.h"

#include <glob.h>
#include <signal.h>
#include <unistd.h>

#include <sys/wait.h>

#define N      1000
#define POOL   "shared"
#define TAKEN  100
#define ROUNDS 20000

static char prefix[64];

static int
start_eal(const char *name, const char *lcore, const char *type)
{
	/* EAL keeps the pointers, and may change their order */
	static char text[10][96];
	static char *argv[LAB_ARRAY_SIZE(text) + 1];
	const char *args[LAB_ARRAY_SIZE(text)] = {name, "-m", "32", "--no-pci", "--no-telemetry",
		"--lcores", lcore, "--log-level=mempool.labyrinth:alert"};
	int ret;

	for (size_t i = 0; i < 8; i++)
		snprintf(text[i], sizeof(text[i]), "%s", args[i]);
	snprintf(text[8], sizeof(text[8]), "--file-prefix=%s", prefix);
	snprintf(text[9], sizeof(text[9]), "--proc-type=%s", type);
	for (size_t i = 0; i < LAB_ARRAY_SIZE(text); i++)
		argv[i] = text[i];
	ret = rte_eal_init((int)LAB_ARRAY_SIZE(text), argv);
	return ret < 0 ? -rte_errno : 0;
}

/* Objects that both processes see at the same place, with the contents that the first one gave them. */
static int
churn(struct rte_mempool *mp, uint64_t seed)
{
	struct lab_rng rng;
	void *o[32];

	lab_rng_seed(&rng, seed);
	for (int i = 0; i < ROUNDS; i++) {
		unsigned int n = 1 + (unsigned int)lab_rng_below(&rng, 32);

		if (rte_mempool_get_bulk(mp, o, n) != 0)
			continue;
		for (unsigned int k = 0; k < n; k++)
			if (rte_mempool_from_obj(o[k]) != mp ||
				*(uint64_t *)o[k] != (uintptr_t)o[k])
				return 20;
		rte_mempool_put_bulk(mp, o, n);
	}
	return 0;
}

/* The second process. Its exit status says where it failed. */
static int
second(void)
{
	struct rte_mempool *mp;
	struct lab_mempool_stats s;
	void *o[TAKEN];
	int ret = start_eal("second", "9@0", "secondary");

	if (ret != 0)
		return 10;
	mp = rte_mempool_lookup(POOL);
	if (mp == NULL || !lab_mempool_is(mp) || lab_mempool_zone(mp) == NULL)
		return 11;
	ret = churn(mp, 2);
	if (ret != 0)
		return ret;
	if (lab_mempool_settings_apply(mp, "lowmem_reserve=7", NULL, 0) != 0)
		return 13;
	if (rte_mempool_generic_get(mp, o, TAKEN, NULL) != 0)
		return 14;
	if (rte_mempool_generic_get(mp, o, N, NULL) != -ENOBUFS ||
		lab_mempool_last_cause() != LAB_CAUSE_RESERVE)
		return 15;
	if (lab_mempool_stats_get(mp, &s) != 0 || s.refused[LAB_CAUSE_RESERVE] == 0)
		return 16;
	return 0; /* and keeps what it took, as a program that died would */
}

/* Another one, which is killed while it has objects and pages in its caches. */
static int
killed(void)
{
	struct rte_mempool *mp;
	void *o[TAKEN];

	if (start_eal("killed", "10@0", "secondary") != 0)
		return 10;
	mp = rte_mempool_lookup(POOL);
	if (mp == NULL)
		return 11;
	for (unsigned int i = 0; i < TAKEN; i++) /* one by one: a lot goes past the caches */
		if (rte_mempool_generic_get(mp, &o[i], 1, NULL) != 0)
			return 11;
	raise(SIGKILL);
	return 12;
}

static void
write_address(struct rte_mempool *mp, void *arg, void *obj, unsigned int i)
{
	*(uint64_t *)obj = (uintptr_t)obj;
}

static pid_t
start_second(const char *role)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/proc/self/exe", "test_secondary", role, prefix, NULL);
		_exit(99);
	}
	return pid;
}

static void
two_processes(void **state)
{
	struct rte_mempool *mp = test_pool(POOL, N, 2000, 64, NULL);
	struct lab_mempool_settings s;
	struct lab_mempool_stats st;
	pid_t pid, ended;
	int status;

	assert_non_null(mp);
	rte_mempool_obj_iter(mp, write_address, NULL);
	pid = start_second("second");
	assert_true(pid > 0);
	do
		ended = waitpid(pid, &status, WNOHANG);
	while (ended == 0 && churn(mp, 1) == 0);
	assert_int_equal(ended, pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 10) {
		print_message("the second process cannot map the first one's memory\n");
		rte_mempool_free(mp);
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	/* what it took is still out; its cache is this pool's memory and so still in */
	assert_int_equal(rte_mempool_avail_count(mp), N - TAKEN);
	assert_int_equal(lab_mempool_settings_get(mp, &s), 0);
	assert_int_equal(s.lowmem_reserve, 7);
	assert_int_equal(lab_mempool_stats_get(mp, &st), 0);
	assert_true(st.refused[LAB_CAUSE_RESERVE] >= 1);
	test_zone_valid(mp);
	rte_mempool_free(mp);
}

/* How many can be had, which are then given back. */
static unsigned int
available(struct rte_mempool *mp)
{
	static void *o[N];
	unsigned int n = test_take_all(mp, o, N);

	test_put_all(mp, o, n);
	return n;
}

/* What it held is lost to it, what its caches held is not. */
static void
caches_of_a_killed_process(void **state)
{
	struct rte_mempool *mp = test_pool(POOL, N, 2000, 0, "allocator=labyrinth");
	unsigned int before;
	long pages;
	int status;
	pid_t pid;

	assert_non_null(mp);
	assert_int_equal(available(mp), N);
	pid = start_second("killed");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 10) {
		print_message("the second process cannot map the first one's memory\n");
		rte_mempool_free(mp);
		skip();
	}
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	before = available(mp);
	pages = lab_mempool_reclaim(mp, (uint32_t)pid);
	if (pages == -ENOENT) { /* without restartable sequences there are no caches */
		assert_int_equal(before, N - TAKEN);
	} else {
		assert_in_range(pages, 1, N);
		assert_int_equal(before + pages, N - TAKEN);
		assert_int_equal(lab_mempool_reclaim(mp, (uint32_t)getpid()), -EBUSY);
	}
	assert_int_equal(available(mp), N - TAKEN);
	assert_int_equal(lab_mempool_reclaim(mp, (uint32_t)pid), -ENOENT);
	assert_int_equal(lab_mempool_reclaim(mp, 0), -EINVAL);
	test_zone_valid(mp);
	rte_mempool_free(mp);
	mp = test_pool("lists", N, 2000, 0, "allocator=buddy");
	assert_int_equal(lab_mempool_reclaim(mp, (uint32_t)pid), -ENOTSUP);
	rte_mempool_free(mp);
}

static void
remove_files(void)
{
	char pattern[128];
	glob_t g;

	snprintf(pattern, sizeof(pattern), "/dev/hugepages/%smap_*", prefix);
	if (glob(pattern, 0, NULL, &g) != 0)
		return;
	for (size_t i = 0; i < g.gl_pathc; i++)
		unlink(g.gl_pathv[i]);
	globfree(&g);
}

static void
remove_runtime_dir(const char *dir)
{
	char command[512];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	if (system(command) != 0)
		fprintf(stderr, "cannot remove %s\n", dir);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_processes),
		cmocka_unit_test(caches_of_a_killed_process),
	};
	char dir[256];
	int ret;

	unsetenv(LAB_MEMPOOL_ENV);
	unsetenv(LAB_MEMPOOL_ENV_CONFIG);
	if (argc == 3) {
		snprintf(prefix, sizeof(prefix), "%s", argv[2]);
		return strcmp(argv[1], "second") == 0 ? second() : killed();
	}
	snprintf(prefix, sizeof(prefix), "labsec%d", (int)getpid());
	ret = start_eal("first", "0", "primary");
	snprintf(dir, sizeof(dir), "%s", rte_eal_get_runtime_dir());
	if (ret != 0) {
		remove_runtime_dir(dir);
		printf("SKIP: no EAL with hugepages here: %s\n", rte_strerror(-ret));
		return TEST_SKIP;
	}
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	rte_eal_cleanup();
	remove_files();
	remove_runtime_dir(dir);
	return ret;
}
