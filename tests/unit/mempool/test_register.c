/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Loading the driver: once, twice from two files, and into a table that is full. This program does
 * not link it: argument 1 is its path.
 */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/wait.h>

#include <cmocka.h>

#include <rte_mempool.h>

static const char *driver;

static unsigned int
count_ops(const char *prefix)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < rte_mempool_ops_table.num_ops; i++)
		n += strncmp(rte_mempool_ops_table.ops[i].name, prefix, strlen(prefix)) == 0;
	return n;
}

static void *
load(const char *path)
{
	void *handle = dlopen(path, RTLD_NOW);

	if (handle == NULL)
		fprintf(stderr, "%s\n", dlerror());
	return handle;
}

static int
copy_file(const char *from, const char *to)
{
	char command[4096];

	snprintf(command, sizeof(command), "cp '%s' '%s'", from, to);
	return system(command);
}

/* Returns 0 in a child of its own, so that each starts with an untouched table. */
static int
in_child(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(fn());
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int
child_once(void)
{
	return load(driver) != NULL && count_ops("labyrinth") == 2 ? 0 : 1;
}

static int
child_twice(void)
{
	char copy[] = "./librte_mempool_labyrinth_copy.XXXXXX";
	uint32_t ops;
	void *a, *b;
	int fd = mkstemp(copy);

	if (fd < 0 || copy_file(driver, copy) != 0)
		return 2;
	close(fd);
	a = load(driver);
	ops = rte_mempool_ops_table.num_ops;
	b = load(copy);
	unlink(copy);
	if (a == NULL || b == NULL || a == b)
		return 3;
	return count_ops("labyrinth") == 2 && rte_mempool_ops_table.num_ops == ops ? 0 : 4;
}

static int
noop_enqueue(struct rte_mempool *mp, void *const *objs, unsigned int n)
{
	return 0;
}

static int
noop_dequeue(struct rte_mempool *mp, void **objs, unsigned int n)
{
	return -1;
}

static unsigned int
noop_count(const struct rte_mempool *mp)
{
	return 0;
}

static int
noop_alloc(struct rte_mempool *mp)
{
	return 0;
}

static void
fill_table(unsigned int leave)
{
	while (rte_mempool_ops_table.num_ops + leave < RTE_MEMPOOL_MAX_OPS_IDX) {
		struct rte_mempool_ops ops = {.alloc = noop_alloc,
			.enqueue = noop_enqueue,
			.dequeue = noop_dequeue,
			.get_count = noop_count};

		snprintf(ops.name, sizeof(ops.name), "dummy%u", rte_mempool_ops_table.num_ops);
		if (rte_mempool_register_ops(&ops) < 0)
			_exit(5);
	}
}

/* The message of a load, read from stderr. */
static int
load_with_room(unsigned int room, unsigned int expected_ops, const char *message)
{
	char text[4096] = "";
	int fds[2];
	ssize_t n;

	fill_table(room);
	if (pipe(fds) != 0 || dup2(fds[1], STDERR_FILENO) < 0)
		return 2;
	close(fds[1]);
	if (load(driver) == NULL)
		return 3;
	fflush(stderr);
	close(STDERR_FILENO);
	n = read(fds[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	if (count_ops("labyrinth") != expected_ops)
		return 4;
	return (message == NULL ? text[0] == '\0' : strstr(text, message) != NULL) ? 0 : 6;
}

static int
child_no_room(void)
{
	return load_with_room(0, 0, "table of 16 is full");
}

static int
child_room_for_one(void)
{
	return load_with_room(1, 1, "table of 16 is full");
}

static int
child_room_for_two(void)
{
	return load_with_room(2, 2, NULL);
}

static void
loading(void **state)
{
	assert_int_equal(in_child(child_once), 0);
}

static void
loading_two_copies(void **state)
{
	assert_int_equal(in_child(child_twice), 0);
}

static void
loading_into_a_full_table(void **state)
{
	assert_int_equal(in_child(child_no_room), 0);
	assert_int_equal(in_child(child_room_for_one), 0);
	assert_int_equal(in_child(child_room_for_two), 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loading),
		cmocka_unit_test(loading_two_copies),
		cmocka_unit_test(loading_into_a_full_table),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: test_register DRIVER\n");
		return 2;
	}
	driver = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
