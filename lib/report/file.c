/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The whole text first: what a stream says about a full disk comes late and is not exact. */
static int
render(char **text, size_t *len, int (*print)(FILE *out, void *arg), void *arg)
{
	FILE *out = open_memstream(text, len);
	int err;

	if (!out)
		return -ENOMEM;
	err = print(out, arg);
	if (fclose(out) && !err)
		err = -ENOMEM;
	if (err)
		free(*text);
	return err;
}

static int
write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

/* On some file systems a full disk shows only at the sync or the close. */
static int
fill_and_close(int fd, const char *text, size_t len, bool sync)
{
	int err = write_all(fd, text, len);

	if (!err && sync && fsync(fd))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	return err;
}

/* A device, a pipe or a socket: nothing to put in its place. */
static int
write_direct(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : fill_and_close(fd, text, len, false);
}

static int
write_beside(const char *path, const char *text, size_t len)
{
	char *temp = report_text("%s.%ld.tmp", path, (long)getpid());
	int err, fd;

	if (!temp)
		return -ENOMEM;
	unlink(temp); /* of a process that had this id and died */
	fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0) {
		err = -errno;
		free(temp);
		return err;
	}
	err = fill_and_close(fd, text, len, true);
	if (!err && rename(temp, path))
		err = -errno;
	if (err)
		unlink(temp);
	free(temp);
	return err;
}

int
report_write_file(const char *path, int (*print)(FILE *out, void *arg), void *arg)
{
	struct stat st;
	bool direct;
	char *text;
	size_t len;
	int err;

	if (!path || !*path)
		return -EINVAL;
	direct = stat(path, &st) == 0 && !S_ISREG(st.st_mode);
	if (direct && S_ISDIR(st.st_mode))
		return -EISDIR;
	err = render(&text, &len, print, arg);
	if (err)
		return err;
	err = direct ? write_direct(path, text, len) : write_beside(path, text, len);
	free(text);
	return err;
}
