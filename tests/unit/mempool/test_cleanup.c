/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/* The end of an application: its pools are freed, EAL goes, and the driver's own thread is still there. */
#include "test_eal.h"

#include <dirent.h>
#include <sched.h>
#include <unistd.h>

#define N 300

/* The thread of this process with that name; 0: there is none. */
static pid_t
thread_named(const char *name)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *e;
	pid_t tid = 0;

	assert_non_null(dir);
	while (tid == 0 && (e = readdir(dir)) != NULL) {
		char path[300], comm[32] = "";
		FILE *f;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", e->d_name);
		f = fopen(path, "r");
		if (f == NULL)
			continue;
		if (fgets(comm, sizeof(comm), f) != NULL)
			comm[strcspn(comm, "\n")] = '\0';
		if (strcmp(comm, name) == 0)
			tid = atoi(e->d_name);
		fclose(f);
	}
	closedir(dir);
	return tid;
}

/* It gets to run on this thread's CPU only while this thread sleeps. */
static void
make_late(pid_t tid)
{
	const struct sched_param none = {0};
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	assert_int_equal(sched_setaffinity(0, sizeof(set), &set), 0);
	assert_int_equal(sched_setaffinity(tid, sizeof(set), &set), 0);
	sched_setscheduler(tid, SCHED_IDLE, &none);
}

static void
an_early_warning_comes_late(void **state)
{
	struct rte_mempool *mp = test_pool("late", N, 2000, 0, "allocator=labyrinth");
	void *objs[N];
	pid_t tid;

	assert_true(lab_mempool_is(mp));
	tid = thread_named("lab-warning");
	assert_true(tid > 0);
	make_late(tid);
	assert_int_equal(test_take_all(mp, objs, N), N);
	test_put_all(mp, objs, N);
	rte_mempool_free(mp);
	assert_int_equal(rte_eal_cleanup(), 0);
	usleep(100000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_early_warning_comes_late),
	};

	test_eal_start("test_cleanup");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
