/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file process.c
 * Which process this is, without a system call: zones are shared, per-CPU stacks are not.
 */
#include <pthread.h>
#include <stddef.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "zone.h"

uint32_t lab_process;
_Atomic uint32_t lab_set_hint = offsetof(struct lab_zone, sets);

static void
name_process(void)
{
	lab_process = (uint32_t)getpid();
}

bool
lab_process_is_gone(pid_t pid)
{
	siginfo_t end = {0};

	/* a child that nobody has waited for is still there, but runs nothing any more */
	if (pid != 0 && waitid(P_PID, (id_t)pid, &end, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		end.si_pid == pid)
		return true;
	return pid == 0 || (kill(pid, 0) != 0 && errno == ESRCH);
}

__attribute__((constructor(101))) static void
name_process_at_start(void)
{
	name_process();
	pthread_atfork(NULL, NULL, name_process);
}
