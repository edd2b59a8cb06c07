/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "nic_private.h"

/* Of the netdev family, which the headers of older systems do not have. */
#define NETDEV_QSTATS_GET    12
#define QSTATS_IFINDEX       1
#define QSTATS_RX_ALLOC_FAIL 12
#define QSTATS_RX_HW_DROPS   13

#define BUFFER_LEN 32768

/* The kernel makes room for as much as is asked for, of high order if it can: a page is enough for figures, less what
 * the skb adds to it. */
static size_t
first_length(void)
{
	long page = sysconf(_SC_PAGESIZE);

	return (page < 8192 ? 4096 : 8192) - 320;
}

int
nic_netlink_open(struct nic_netlink *nl, int protocol)
{
	struct timeval patience = {.tv_sec = 2};
	int one = 1;

	nl->seq = 0;
	nl->length = first_length();
	nl->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (nl->fd < 0)
		return -errno;
	setsockopt(nl->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	/* a filter that this kernel does not know must be an error, not everything */
	setsockopt(nl->fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof(one));
	return 0;
}

void
nic_netlink_close(struct nic_netlink *nl)
{
	if (nl->fd >= 0)
		close(nl->fd);
	nl->fd = -1;
}

/* A request with room for one small attribute. */
struct request {
	struct nlmsghdr n;
	union {
		struct if_stats_msg stats;
		struct genlmsghdr genl;
	};
	char attribute[NLA_HDRLEN + 16];
};

static int
ask(struct nic_netlink *nl, struct request *r, unsigned int type, unsigned int flags, size_t len)
{
	r->n.nlmsg_len = NLMSG_LENGTH(len);
	r->n.nlmsg_type = type;
	r->n.nlmsg_flags = NLM_F_REQUEST | flags;
	r->n.nlmsg_seq = ++nl->seq;
	nl->dump = flags & NLM_F_DUMP;
	return send(nl->fd, r, r->n.nlmsg_len, 0) < 0 ? -errno : 0;
}

typedef void (*message_fn)(const struct nlmsghdr *n, void *arg);

/* The next message of a datagram. NLMSG_NEXT() would count below 0 behind a last one that is not padded. */
static const struct nlmsghdr *
next_message(const struct nlmsghdr *n, size_t *left)
{
	size_t step = NLMSG_ALIGN(n->nlmsg_len);

	*left = *left > step ? *left - step : 0;
	return (const void *)((const char *)n + step);
}

/* One datagram. @return 1 when the answer is complete, 0 when more comes, -errno */
static int
take(const struct nic_netlink *nl, const char *buf, size_t len, message_fn fn, void *arg)
{
	const struct nlmsghdr *n = (const void *)buf;

	for (; NLMSG_OK(n, len); n = next_message(n, &len)) {
		if (n->nlmsg_seq != nl->seq)
			continue;
		if (n->nlmsg_type == NLMSG_DONE)
			return 1;
		if (n->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *e = NLMSG_DATA(n);

			if (n->nlmsg_len < NLMSG_LENGTH(sizeof(*e)))
				return -EPROTO;
			return e->error ? e->error : 1;
		}
		fn(n, arg);
		/* not every family marks the parts of a dump as such: its end is */
		if (!nl->dump)
			return 1;
	}
	return 0;
}

static int
answer(struct nic_netlink *nl, message_fn fn, void *arg)
{
	static _Thread_local char buf[BUFFER_LEN] __attribute__((aligned(8)));
	bool cut = false;
	int rc = 0;

	while (rc == 0) {
		ssize_t len = recv(nl->fd, buf, nl->length, MSG_TRUNC);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -errno;
		if ((size_t)len > nl->length) { /* the next ones will be whole */
			len = (ssize_t)nl->length;
			nl->length = sizeof(buf);
			cut = true;
		}
		rc = take(nl, buf, (size_t)len, fn, arg);
	}
	return rc < 0 ? rc : cut ? -EMSGSIZE : 0;
}

/* Attributes behind a header of `skip` bytes. */
static const struct nlattr *
first_attr(const struct nlmsghdr *n, size_t skip, size_t *left)
{
	size_t all = n->nlmsg_len, before = NLMSG_HDRLEN + NLMSG_ALIGN(skip);

	*left = all > before ? all - before : 0;
	return (const void *)((const char *)n + before);
}

static bool
attr_ok(const struct nlattr *a, size_t left)
{
	return left >= sizeof(*a) && a->nla_len >= sizeof(*a) && a->nla_len <= left;
}

static const struct nlattr *
next_attr(const struct nlattr *a, size_t *left)
{
	size_t step = NLA_ALIGN(a->nla_len);

	*left = *left > step ? *left - step : 0;
	return (const void *)((const char *)a + step);
}

#define FOREACH_ATTR(a, n, skip, left)                                                             \
	for (a = first_attr(n, skip, &left); attr_ok(a, left); a = next_attr(a, &left))

static size_t
attr_size(const struct nlattr *a)
{
	return a->nla_len - NLA_HDRLEN;
}

static const void *
attr_data(const struct nlattr *a)
{
	return (const char *)a + NLA_HDRLEN;
}

/* Numbers of the newer families have 4 bytes where that is enough, else 8. */
static uint64_t
attr_uint(const struct nlattr *a)
{
	uint32_t small;
	uint64_t v = 0;

	if (attr_size(a) >= sizeof(v)) {
		memcpy(&v, attr_data(a), sizeof(v));
		return v;
	}
	if (attr_size(a) < sizeof(small))
		return 0;
	memcpy(&small, attr_data(a), sizeof(small));
	return small;
}

/* -------------------------------------------------------------------- stats64 */

struct stats_call {
	nic_stats_fn fn;
	void *arg;
};

static void
on_stats(const struct nlmsghdr *n, void *arg)
{
	const struct if_stats_msg *m = NLMSG_DATA(n);
	const struct stats_call *call = arg;
	const struct nlattr *a;
	size_t left;

	if (n->nlmsg_type != RTM_NEWSTATS || n->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return;
	FOREACH_ATTR(a, n, sizeof(*m), left)
	{
		struct rtnl_link_stats64 s = {0};

		if ((a->nla_type & NLA_TYPE_MASK) != IFLA_STATS_LINK_64)
			continue;
		memcpy(&s, attr_data(a), attr_size(a) < sizeof(s) ? attr_size(a) : sizeof(s));
		call->fn(m->ifindex, &s, call->arg);
	}
}

int
nic_netlink_take_stats(
	const struct nic_netlink *nl, const void *buf, size_t len, nic_stats_fn fn, void *arg)
{
	struct stats_call call = {fn, arg};

	return take(nl, buf, len, on_stats, &call);
}

int
nic_netlink_stats(struct nic_netlink *nl, int ifindex, nic_stats_fn fn, void *arg)
{
	struct request r = {.stats = {.family = AF_UNSPEC,
				    .ifindex = (__u32)ifindex,
				    .filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64)}};
	struct stats_call call = {fn, arg};
	int err = ask(nl, &r, RTM_GETSTATS, ifindex ? 0 : NLM_F_DUMP, sizeof(r.stats));

	return err ? err : answer(nl, on_stats, &call);
}

/* --------------------------------------------------------------------- qstats */

static void
on_family(const struct nlmsghdr *n, void *arg)
{
	unsigned int *family = arg;
	const struct nlattr *a;
	size_t left;

	if (n->nlmsg_type != GENL_ID_CTRL)
		return;
	FOREACH_ATTR(a, n, GENL_HDRLEN, left)
	{
		uint16_t id;

		if ((a->nla_type & NLA_TYPE_MASK) != CTRL_ATTR_FAMILY_ID ||
			attr_size(a) < sizeof(id))
			continue;
		memcpy(&id, attr_data(a), sizeof(id));
		*family = id;
	}
}

int
nic_netlink_find_netdev(struct nic_netlink *nl)
{
	static const char name[] = "netdev";
	struct request r = {.genl = {.cmd = CTRL_CMD_GETFAMILY, .version = 1}};
	struct nlattr *a = (void *)((char *)&r.genl + GENL_HDRLEN);
	int err;

	a->nla_type = CTRL_ATTR_FAMILY_NAME;
	a->nla_len = NLA_HDRLEN + sizeof(name);
	memcpy((char *)a + NLA_HDRLEN, name, sizeof(name));
	nl->family = 0;
	err = ask(nl, &r, GENL_ID_CTRL, 0, GENL_HDRLEN + NLA_ALIGN(a->nla_len));
	if (!err)
		err = answer(nl, on_family, &nl->family);
	return err ? err : nl->family ? 0 : -ENOENT;
}

struct qstats_call {
	nic_qstats_fn fn;
	void *arg;
	unsigned int family;
};

static void
on_qstats(const struct nlmsghdr *n, void *arg)
{
	const struct qstats_call *call = arg;
	struct nic_qstats q = {0};
	const struct nlattr *a;
	size_t left;

	if (n->nlmsg_type != call->family)
		return;
	FOREACH_ATTR(a, n, GENL_HDRLEN, left)
	{
		switch (a->nla_type & NLA_TYPE_MASK) {
		case QSTATS_IFINDEX:
			q.ifindex = (int)attr_uint(a);
			break;
		case QSTATS_RX_ALLOC_FAIL:
			q.has_alloc_fail = true;
			q.alloc_fail = attr_uint(a);
			break;
		case QSTATS_RX_HW_DROPS:
			q.has_hw_drops = true;
			q.hw_drops = attr_uint(a);
			break;
		}
	}
	call->fn(&q, call->arg);
}

int
nic_netlink_take_qstats(
	const struct nic_netlink *nl, const void *buf, size_t len, nic_qstats_fn fn, void *arg)
{
	struct qstats_call call = {fn, arg, nl->family};

	return take(nl, buf, len, on_qstats, &call);
}

int
nic_netlink_qstats(struct nic_netlink *nl, nic_qstats_fn fn, void *arg)
{
	struct request r = {.genl = {.cmd = NETDEV_QSTATS_GET, .version = 1}};
	struct qstats_call call = {fn, arg, nl->family};
	int err = ask(nl, &r, nl->family, NLM_F_DUMP, GENL_HDRLEN);

	return err ? err : answer(nl, on_qstats, &call);
}
