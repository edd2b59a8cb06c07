/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "direct_file.h"

#define ALIGNMENT 4096 /* what any device takes */
#define BUFFER    (64 * ALIGNMENT)

struct direct {
	int fd;
	size_t used;
	char *buffer;
};

static void
through_the_cache(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_DIRECT);
}

static int
write_out(struct direct *d)
{
	size_t done = 0;

	while (done < d->used) {
		ssize_t n = write(d->fd, d->buffer + done, d->used - done);

		if (n < 0 && errno == EINVAL && (fcntl(d->fd, F_GETFL) & O_DIRECT))
			through_the_cache(d->fd);
		else if (n < 0 && errno != EINTR)
			return -errno;
		else if (n > 0)
			done += (size_t)n;
	}
	d->used = 0;
	return 0;
}

static ssize_t
put(void *cookie, const char *data, size_t len)
{
	struct direct *d = cookie;
	size_t left = len;

	while (left > 0) {
		size_t n = BUFFER - d->used < left ? BUFFER - d->used : left;

		memcpy(d->buffer + d->used, data, n);
		d->used += n;
		data += n;
		left -= n;
		if (d->used == BUFFER && write_out(d))
			return 0; /* what stdio takes for an error */
	}
	return (ssize_t)len;
}

static int
finish(void *cookie)
{
	struct direct *d = cookie;
	int err;

	/* the end is not a whole block */
	through_the_cache(d->fd);
	err = write_out(d);
	if (close(d->fd) && !err)
		err = -errno;
	free(d->buffer);
	free(d);
	errno = -err;
	return err ? -1 : 0;
}

static int
open_file(const char *path)
{
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
	int fd = open(path, flags | O_DIRECT, 0666);

	return fd < 0 && errno == EINVAL ? open(path, flags, 0666) : fd;
}

FILE *
direct_file_create(const char *path)
{
	struct direct *d = calloc(1, sizeof(*d));
	FILE *f = NULL;
	int err;

	if (d == NULL)
		return NULL;
	d->fd = open_file(path);
	if (d->fd >= 0)
		d->buffer = aligned_alloc(ALIGNMENT, BUFFER);
	if (d->buffer != NULL)
		f = fopencookie(d, "w", (cookie_io_functions_t){.write = put, .close = finish});
	if (f == NULL) {
		err = errno;
		if (d->fd >= 0)
			close(d->fd);
		free(d->buffer);
		free(d);
		errno = err;
	}
	return f;
}
