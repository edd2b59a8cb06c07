/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* By the system calls themselves: two of them are no reason to depend on a library. */
#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lab_kmon.h"

static int
get(uint64_t *effective)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {0};

	if (syscall(SYS_capget, &h, d))
		return -errno;
	*effective = (uint64_t)d[1].effective << 32 | d[0].effective;
	return 0;
}

static bool
has(uint64_t caps, int cap)
{
	/* CAP_SYS_ADMIN stands for both of what was split from it in 5.8 */
	return caps & (UINT64_C(1) << cap) || caps & (UINT64_C(1) << CAP_SYS_ADMIN);
}

int
lab_kmon_may(char *why, size_t len)
{
	uint64_t caps = 0;
	int err = get(&caps);
	bool bpf, perfmon;

	if (err)
		return err;
	bpf = has(caps, CAP_BPF);
	perfmon = has(caps, CAP_PERFMON);
	if (bpf && perfmon)
		return 0;
	if (why && len)
		snprintf(why, len,
			"needs %s%s%s: run it as root, or give the file both with setcap "
			"cap_bpf,cap_perfmon+ep",
			bpf ? "" : "CAP_BPF", !bpf && !perfmon ? " and " : "",
			perfmon ? "" : "CAP_PERFMON");
	return -EPERM;
}

int
lab_kmon_drop_capabilities(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};

	/* a program that this one might start must not get them back either */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return syscall(SYS_capset, &h, none) ? -errno : 0;
}
