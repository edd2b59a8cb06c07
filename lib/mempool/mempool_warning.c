/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Early warnings of the pools' zones, brought from whatever context raised them to the log and to
 * telemetry. The thread that crossed a mark may be in a signal handler or hold an application's lock: all
 * that it does here is write to an eventfd. A thread that waits for it says the rest.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_mempool.h>

#include "mempool_tel.h"

/* One a process, with its thread: made when its first zone is, for good. -1: none. */
static int event_fd = -1;
static pthread_once_t event_once = PTHREAD_ONCE_INIT;
/* Zones that this process hears of. With the last of them may go EAL, which a late event must not ask for pools. */
static unsigned int nr_watched;

static uint64_t
pool_warnings(const struct rte_mempool *mp, struct lab_warnings *newest)
{
	uint64_t count = 0;

	memset(newest, 0, sizeof(*newest));
	for (unsigned int i = 0; i < lab_mempool_nr_zones(mp); i++) {
		struct lab_warnings w;

		lab_zone_warnings(lab_mempool_zone_at(mp, i), &w);
		count += w.count;
		if (w.count > 0 && w.last_ns >= newest->last_ns)
			*newest = w;
	}
	return count;
}

/* ------------------------------------------------------------------- log */

/* Who asked for no marks and no warnings uses pools up as a matter of course. */
static bool
is_of_interest(struct lab_pool *p)
{
	bool is;

	rte_spinlock_lock(&p->lock);
	is = p->settings.min_free_kbytes != 0 || !(p->settings.gfp & __LAB_GFP_NOWARN);
	rte_spinlock_unlock(&p->lock);
	return is;
}

static void
log_one(struct rte_mempool *mp, void *arg)
{
	struct lab_pool *p = lab_pool_of(mp);
	struct lab_warnings w;
	uint64_t count;

	(void)arg;
	if (p == NULL || !is_of_interest(p))
		return;
	count = pool_warnings(mp, &w);
	if (count == __atomic_load_n(&p->warnings_logged, __ATOMIC_RELAXED) ||
		!lab_pool_may_log(&p->next_early_tsc))
		return;
	__atomic_store_n(&p->warnings_logged, count, __ATOMIC_RELAXED);
	LAB_LOG(WARNING,
		"pool %s: down to %lu free pages, the low mark; warning %" PRIu64
		" (see /labyrinth/warnings)",
		mp->name, w.last_free, count);
}

static void *
tell(void *arg)
{
	int fd = *(const int *)arg;
	uint64_t events;

	while (read(fd, &events, sizeof(events)) == (ssize_t)sizeof(events) || errno == EINTR) {
		lab_mempool_telemetry_lock();
		if (__atomic_load_n(&nr_watched, __ATOMIC_RELAXED) > 0)
			rte_mempool_walk(log_one, NULL);
		lab_mempool_telemetry_unlock();
	}
	return NULL;
}

/* It sleeps for as long as nothing is short, and takes no signal from the application. */
static int
thread_start(void)
{
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ret = pthread_create(&thread, &attr, tell, &event_fd);
	if (ret == 0)
		pthread_setname_np(thread, "lab-warning");
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret;
}

static void
event_make(void)
{
	event_fd = eventfd(0, EFD_CLOEXEC);
	if (event_fd >= 0 && thread_start() == 0)
		return;
	LAB_LOG(NOTICE, "early warnings are not logged: no eventfd or thread; telemetry has them");
	if (event_fd >= 0)
		close(event_fd);
	event_fd = -1;
}

/* Any context: errno is the interrupted code's. The counter never fills, as somebody reads it. */
static void
warned(void *arg, const struct lab_warning *w)
{
	const uint64_t one = 1;
	int err = errno;

	(void)arg;
	(void)w;
	if (event_fd >= 0 && write(event_fd, &one, sizeof(one)) < 0)
		errno = err;
}

void
lab_pool_watch_zone(struct lab_pool_zone *z)
{
	pthread_once(&event_once, event_make);
	z->watcher = getpid();
	__atomic_add_fetch(&nr_watched, 1, __ATOMIC_RELAXED);
	lab_zone_set_warning(z->zone, warned, NULL);
}

void
lab_pool_unwatch_zone(struct lab_pool_zone *z)
{
	if (z->watcher == getpid())
		__atomic_sub_fetch(&nr_watched, 1, __ATOMIC_RELAXED);
	z->watcher = 0;
}

/* ------------------------------------------------------------- telemetry */

int
lab_tel_warnings(const struct lab_tel_target *t, struct rte_tel_data *d)
{
	struct lab_zone *zone = lab_tel_target_zone(t, d);
	struct lab_warnings w, newest;
	struct lab_zone_info info;

	if (zone == NULL)
		return 0;
	lab_zone_warnings(zone, &w);
	lab_zone_info_get(zone, &info);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_string(d, "pool", t->mp->name);
	lab_tel_dict_u64(d, "pool_count", pool_warnings(t->mp, &newest));
	lab_tel_dict_u64(d, "count", w.count);
	lab_tel_dict_u64(d, "last_ns", w.last_ns);
	lab_tel_dict_u64(d, "last_free", w.last_free);
	rte_tel_data_add_dict_string(d, "armed", w.armed ? "yes" : "no");
	lab_tel_dict_u64(d, "free", info.nr_free);
	lab_tel_dict_u64(d, "min", info.wmark.min + info.boost);
	lab_tel_dict_u64(d, "low", info.wmark.low + info.boost);
	lab_tel_dict_u64(d, "high", info.wmark.high + info.boost);
	return 0;
}
