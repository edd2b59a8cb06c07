/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* What drivers call the buffers that they did not get. There is no standard: the names are those of ixgbe, igb,
 * e1000e, i40e, mlx5, bnxt, ena, gve, qede, sfc, atlantic and enic. */
#include <ctype.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lab_base.h"
#include "nic_private.h"

#define MOST_COUNTERS 65536 /* of a driver; more is taken for nonsense */

static void
lower(const char *name, char *out, size_t len)
{
	size_t i;

	for (i = 0; name[i] && i + 1 < len; i++)
		out[i] = (char)tolower((unsigned char)name[i]);
	out[i] = '\0';
}

static bool
holds_any(const char *name, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strstr(name, words[i]))
			return true;
	}
	return false;
}

enum lab_nic_counter_kind
lab_nic_counter_kind(const char *name)
{
	static const char *const failed[] = {"fail", "err"};
	static const char *const lost[] = {"no_buf", "nobuf", "out_of_buffer", "oom_discard",
		"nodesc", "no_desc", "rx_missed", "no_dma_resource", "buf_unav"};
	char low[LAB_NIC_DRIVER_LEN];

	lower(name, low, sizeof(low));
	if (!strncmp(low, "tx", 2) || strstr(low, "_tx") || strstr(low, " tx"))
		return LAB_NIC_COUNTER_NONE;
	if (strstr(low, "alloc") && holds_any(low, failed, LAB_ARRAY_SIZE(failed)))
		return LAB_NIC_COUNTER_ALLOC_FAIL;
	return holds_any(low, lost, LAB_ARRAY_SIZE(lost)) ? LAB_NIC_COUNTER_LOST
							  : LAB_NIC_COUNTER_NONE;
}

/* A name without its queue: no digits, no brackets in front. @return it had a number */
static bool
without_queue(const char *name, char *out, size_t len)
{
	bool number = false;
	size_t n = 0;

	for (; *name && n + 1 < len; name++) {
		if (isdigit((unsigned char)*name))
			number = true;
		else if (n > 0 || !strchr("[]: ", *name))
			out[n++] = *name;
	}
	out[n] = '\0';
	return number;
}

static bool
is_total_of(const char *total, const char *part)
{
	const char *word = strstr(total, "total_");
	size_t before;

	if (!strcmp(total, part))
		return true;
	if (word == NULL)
		return false;
	before = (size_t)(word - total);
	return !strncmp(total, part, before) && !strcmp(word + strlen("total_"), part + before);
}

bool
lab_nic_counter_is_part(const char *name, const char *const *all, size_t n)
{
	char part[LAB_NIC_DRIVER_LEN], other[LAB_NIC_DRIVER_LEN];

	if (!without_queue(name, part, sizeof(part)))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!without_queue(all[i], other, sizeof(other)) && is_total_of(all[i], part))
			return true;
	}
	return false;
}

/* -------------------------------------------------------------------- ethtool */

static int
ethtool(int fd, const char *name, void *data)
{
	struct ifreq r = {.ifr_data = data};

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	return ioctl(fd, SIOCETHTOOL, &r) ? -errno : 0;
}

static int
count(int fd, const char *name, unsigned int *n)
{
	/* one set is asked for: one number follows the structure */
	uint64_t room[(sizeof(struct ethtool_sset_info) + sizeof(__u32) + 7) / 8] = {0};
	struct ethtool_sset_info *q = (void *)room;
	__u32 size;
	int err;

	q->cmd = ETHTOOL_GSSET_INFO;
	q->sset_mask = 1ULL << ETH_SS_STATS;
	err = ethtool(fd, name, q);
	memcpy(&size, (const char *)room + sizeof(*q), sizeof(size));
	*n = err || !q->sset_mask ? 0 : size;
	if (*n > MOST_COUNTERS)
		return -E2BIG;
	return err == -EOPNOTSUPP ? 0 : err;
}

/* The names of all counters, one in each ETH_GSTRING_LEN bytes. NULL with errno. */
static struct ethtool_gstrings *
get_names(int fd, const char *name, unsigned int n)
{
	struct ethtool_gstrings *s = calloc(1, sizeof(*s) + (size_t)n * ETH_GSTRING_LEN + 1);
	int err;

	if (s == NULL)
		return NULL;
	s->cmd = ETHTOOL_GSTRINGS;
	s->string_set = ETH_SS_STATS;
	s->len = n;
	err = ethtool(fd, name, s);
	if (err == 0 && s->len == n)
		return s;
	free(s);
	errno = err ? -err : EAGAIN;
	return NULL;
}

static int
get_values(struct nic_driver *d, int fd, const char *name)
{
	struct ethtool_stats *s = d->buffer;
	int err;

	s->cmd = ETHTOOL_GSTATS;
	s->n_stats = d->total;
	err = ethtool(fd, name, s);
	/* the driver has other counters by now, e.g. of more queues: whatever it wrote is not ours */
	return err ? err : s->n_stats == d->total ? 0 : -EAGAIN;
}

static int
choose(struct nic_driver *d, const struct ethtool_gstrings *names)
{
	char(*copy)[ETH_GSTRING_LEN + 1] = calloc(d->total, sizeof(*copy));
	const char **all = calloc(d->total, sizeof(*all));
	int err = copy && all ? 0 : -ENOMEM;

	for (unsigned int i = 0; i < d->total && !err; i++) {
		memcpy(copy[i], names->data + (size_t)i * ETH_GSTRING_LEN, ETH_GSTRING_LEN);
		all[i] = copy[i];
	}
	for (unsigned int i = 0; i < d->total && !err; i++) {
		struct lab_nic_counter *c = &d->counter[d->nr];

		c->kind = lab_nic_counter_kind(all[i]);
		if (c->kind == LAB_NIC_COUNTER_NONE ||
			lab_nic_counter_is_part(all[i], all, d->total))
			continue;
		snprintf(c->name, sizeof(c->name), "%s", all[i]);
		d->index[d->nr++] = i;
	}
	free(copy);
	free(all);
	return err;
}

int
nic_driver_open(struct nic_driver *d, int fd, const char *name)
{
	struct ethtool_gstrings *names;
	int err;

	memset(d, 0, sizeof(*d));
	err = count(fd, name, &d->total);
	if (err || d->total == 0)
		return err;
	d->index = calloc(d->total, sizeof(*d->index));
	d->base = calloc(d->total, sizeof(*d->base));
	d->counter = calloc(d->total, sizeof(*d->counter));
	/* The kernel writes as many as the driver has by then, and not as many as are asked for. What is not written to
	 * takes no memory. */
	d->buffer = calloc(1, sizeof(struct ethtool_stats) + (size_t)MOST_COUNTERS * sizeof(__u64));
	if (!d->index || !d->base || !d->counter || !d->buffer)
		return -ENOMEM;
	names = get_names(fd, name, d->total);
	err = names ? choose(d, names) : -errno;
	free(names);
	return err;
}

void
nic_driver_restart(struct nic_driver *d, int fd, const char *name)
{
	const struct ethtool_stats *s = d->buffer;

	if (d->nr && get_values(d, fd, name))
		d->nr = 0; /* it does not tell its values: it has no counters for us */
	for (unsigned int i = 0; i < d->nr; i++) {
		d->base[i] = s->data[d->index[i]];
		d->counter[i].value = 0;
	}
}

int
nic_driver_read(struct nic_driver *d, int fd, const char *name)
{
	const struct ethtool_stats *s = d->buffer;
	int err = d->nr ? get_values(d, fd, name) : 0;

	for (unsigned int i = 0; i < d->nr && !err; i++)
		nic_follow(&d->counter[i].value, &d->base[i], s->data[d->index[i]]);
	return err;
}

void
nic_driver_close(struct nic_driver *d)
{
	free(d->index);
	free(d->base);
	free(d->counter);
	free(d->buffer);
	memset(d, 0, sizeof(*d));
}
