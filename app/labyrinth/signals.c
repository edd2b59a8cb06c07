/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "signals.h"

#define NAP_NS 50000000

static volatile sig_atomic_t came;
static volatile sig_atomic_t fd = -1;
static struct termios saved_terminal;
static volatile sig_atomic_t has_terminal;

static void
on_signal(int sig)
{
	int err = errno;
	uint64_t one = 1;

	if (came) {
		if (has_terminal)
			tcsetattr(STDIN_FILENO, TCSANOW, &saved_terminal);
		_exit(128 + sig);
	}
	came = sig;
	if (write(fd, &one, sizeof(one)) < 0)
		came = sig; /* the flag alone must do */
	errno = err;
}

int
signals_init(void)
{
	struct sigaction sa = {.sa_handler = on_signal};

	fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	sigemptyset(&sa.sa_mask);
	if (sigaction(SIGINT, &sa, NULL) || sigaction(SIGTERM, &sa, NULL))
		return -errno;
	/* a reader of our output that went away must not take the ports down half-way */
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

void
signals_fini(void)
{
	if (fd >= 0)
		close(fd);
	fd = -1;
}

int
signals_pending(void)
{
	return came;
}

int
signals_fd(void)
{
	return fd;
}

/* Whoever wakes up a hundred times a second should have little to do for it. A signal between the look at the flag and the
 * sleep is seen after it, so that is for short ones. */
static bool
nap(uint64_t ns)
{
	struct timespec ts = {.tv_nsec = (long)ns};

	if (!came)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
	return !came;
}

bool
signals_sleep(uint64_t ns)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct timespec ts = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

	if (ns <= NAP_NS)
		return nap(ns);
	if (!came)
		ppoll(&p, 1, &ts, NULL);
	return !came;
}

void
signals_restore_terminal(const struct termios *t)
{
	has_terminal = 0;
	if (t) {
		saved_terminal = *t;
		has_terminal = 1;
	}
}
