/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <linux/magic.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_memory.h>

#include "hugefiles.h"

static char **files; /* between the two calls of main() */
static unsigned int nr_files;

static int
note(const struct rte_memseg_list *msl, const struct rte_memseg *ms, void *arg)
{
	int fd = rte_memseg_get_fd_thread_unsafe(ms);
	char link[64], path[PATH_MAX];
	struct statfs fs;
	char **more;
	ssize_t n;

	(void)arg;
	if (msl->external || fd < 0 || fstatfs(fd, &fs) || fs.f_type != HUGETLBFS_MAGIC)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return 0;
	path[n] = '\0';
	/* unlinked already, or a memfd */
	if (access(path, F_OK) || (nr_files && !strcmp(files[nr_files - 1], path)))
		return 0;
	more = realloc(files, (nr_files + 1) * sizeof(*files));
	if (more == NULL)
		return -1;
	files = more;
	files[nr_files] = strdup(path);
	nr_files += files[nr_files] != NULL;
	return 0;
}

void
hugefiles_note(void)
{
	if (rte_eal_process_type() == RTE_PROC_PRIMARY && rte_eal_has_hugepages())
		rte_memseg_walk(note, NULL);
}

void
hugefiles_remove(void)
{
	while (nr_files > 0) {
		unlink(files[--nr_files]);
		free(files[nr_files]);
	}
	free(files);
	files = NULL;
}
