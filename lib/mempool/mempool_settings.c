/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * The language of the settings: key=value.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <lab_base.h>

#include "mempool_private.h"

#define TEXT_MAX 1024

/* One key. Readers return false for a value that is not one; `right` says what would be. */
struct key {
	const char *name;
	unsigned int group;
	bool (*read)(const char *value, struct lab_mempool_settings *s);
	const char *right;
};

struct lab_mempool_settings
lab_mempool_settings_default(void)
{
	return (struct lab_mempool_settings){
		.min_free_kbytes = 0,
		.watermark_scale_factor = 10,
		.gfp = LAB_GFP_ATOMIC | __LAB_GFP_NOWARN,
		.pcp = -1,
		.allocator = -1,
		.linux_version = LAB_LINUX_6_12,
		.inject = {.times = -1, .interval = 1, .seed = 1},
	};
}

/* --------------------------------------------------------------- readers */

/* A whole number in [min, max], decimal or 0x; nothing before or after it. */
static bool
read_u64(const char *v, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;

	if (*v < '0' || *v > '9')
		return false;
	errno = 0;
	*out = strtoull(v, &end, 0);
	return errno == 0 && *end == '\0' && *out >= min && *out <= max;
}

static bool
read_bool(const char *v, bool *out)
{
	static const char *const yes[] = {"on", "1", "yes", "true"};
	static const char *const no[] = {"off", "0", "no", "false"};

	for (size_t i = 0; i < LAB_ARRAY_SIZE(yes); i++) {
		if (strcmp(v, yes[i]) == 0 || strcmp(v, no[i]) == 0) {
			*out = strcmp(v, yes[i]) == 0;
			return true;
		}
	}
	return false;
}

static bool
read_min_free(const char *v, struct lab_mempool_settings *s)
{
	uint64_t n;

	if (strcmp(v, "auto") == 0) {
		s->min_free_kbytes = -1;
		return true;
	}
	if (!read_u64(v, 0, LONG_MAX / 1024, &n))
		return false;
	s->min_free_kbytes = (long)n;
	return true;
}

#define READ_NUMBER(fn, field, least, most)                                                        \
	static bool fn(const char *v, struct lab_mempool_settings *s)                              \
	{                                                                                          \
		uint64_t n;                                                                        \
                                                                                                   \
		if (!read_u64(v, least, most, &n))                                                 \
			return false;                                                              \
		s->field = (__typeof__(s->field))n;                                                \
		return true;                                                                       \
	}

READ_NUMBER(read_scale, watermark_scale_factor, 1, 3000)
READ_NUMBER(read_boost, watermark_boost_factor, 0, 100000)
READ_NUMBER(read_lowmem, lowmem_reserve, 0, LONG_MAX / 4096)
READ_NUMBER(read_reserve, reserve_blocks, 0, LAB_RESERVE_MAX)
READ_NUMBER(read_order, order, 0, LAB_MAX_ORDER)
READ_NUMBER(read_ppm, inject.probability_ppm, 0, 1000000)
READ_NUMBER(read_interval, inject.interval, 1, UINT32_MAX)
READ_NUMBER(read_space, inject.space, 0, UINT32_MAX)
READ_NUMBER(read_inject_order, inject.min_order, 0, LAB_MAX_ORDER)
READ_NUMBER(read_seed, inject.seed, 0, UINT64_MAX)

static bool
read_pcp(const char *v, struct lab_mempool_settings *s)
{
	bool on;

	if (strcmp(v, "auto") == 0) {
		s->pcp = -1;
		return true;
	}
	if (!read_bool(v, &on))
		return false;
	s->pcp = on;
	return true;
}

static bool
read_allocator(const char *v, struct lab_mempool_settings *s)
{
	if (strcmp(v, "auto") == 0) {
		s->allocator = -1;
		return true;
	}
	for (int i = 0; i < LAB_NR_ALLOCATORS; i++) {
		if (strcmp(v, lab_allocator_name(i)) == 0) {
			s->allocator = i;
			return true;
		}
	}
	return false;
}

static bool
read_atomic_only(const char *v, struct lab_mempool_settings *s)
{
	return read_bool(v, &s->inject.atomic_only);
}

static bool
read_owners(const char *v, struct lab_mempool_settings *s)
{
	return read_bool(v, &s->owners);
}

static bool
read_guard(const char *v, struct lab_mempool_settings *s)
{
	bool on;

	if (strcmp(v, "abort") == 0) {
		s->guard = LAB_MEMPOOL_GUARD_ABORT;
		return true;
	}
	if (!read_bool(v, &on))
		return false;
	s->guard = on ? LAB_MEMPOOL_GUARD_ON : LAB_MEMPOOL_GUARD_OFF;
	return true;
}

const char *
lab_guard_setting_name(enum lab_mempool_guard guard)
{
	static const char *const names[] = {"off", "on", "abort"};

	return names[guard];
}

static bool
read_times(const char *v, struct lab_mempool_settings *s)
{
	uint64_t n;

	if (strcmp(v, "-1") == 0) {
		s->inject.times = -1;
		return true;
	}
	if (!read_u64(v, 0, INT64_MAX, &n))
		return false;
	s->inject.times = (int64_t)n;
	return true;
}

/*
 * ZERO would wipe the objects that are initialised once; NOFAIL may wait for ever; a Normal zone serves
 * no DMA, and a page has one migratetype.
 */
static bool
read_gfp(const char *v, struct lab_mempool_settings *s)
{
	const lab_gfp_t never = __LAB_GFP_ZERO | __LAB_GFP_NOFAIL | __LAB_GFP_DMA | __LAB_GFP_DMA32;
	const lab_gfp_t types = __LAB_GFP_MOVABLE | __LAB_GFP_RECLAIMABLE;
	lab_gfp_t gfp;

	if (lab_gfp_parse(v, &gfp) != 0 || (gfp & never) != 0 || (gfp & types) == types)
		return false;
	s->gfp = gfp;
	return true;
}

static bool
read_linux(const char *v, struct lab_mempool_settings *s)
{
	if (strcmp(v, "6.1") != 0 && strcmp(v, "6.12") != 0)
		return false;
	s->linux_version = v[3] == '\0' ? LAB_LINUX_6_1 : LAB_LINUX_6_12;
	return true;
}

static const char *const background_names[] = {
	[LAB_MEMPOOL_BACKGROUND_OFF] = "off",
	[LAB_MEMPOOL_BACKGROUND_SERVICE] = "service",
	[LAB_MEMPOOL_BACKGROUND_THREAD] = "thread",
	[LAB_MEMPOOL_BACKGROUND_PROGRAM] = "program",
};

const char *
lab_mempool_background_name(enum lab_mempool_background b)
{
	return (unsigned int)b < LAB_ARRAY_SIZE(background_names) ? background_names[b] : NULL;
}

static bool
read_background(const char *v, struct lab_mempool_settings *s)
{
	for (size_t i = 0; i < LAB_ARRAY_SIZE(background_names); i++) {
		if (strcmp(v, background_names[i]) == 0) {
			s->background = (enum lab_mempool_background)i;
			return true;
		}
	}
	return false;
}

static const struct key keys[] = {
	{"min_free_kbytes", LAB_KEYS_GATE, read_min_free, "kB, or \"auto\""},
	{"watermark_scale_factor", LAB_KEYS_GATE, read_scale, "1 to 3000"},
	{"boost", LAB_KEYS_GATE, read_boost, "0 to 100000"},
	{"lowmem_reserve", LAB_KEYS_GATE, read_lowmem, "a number of pages"},
	{"reserve_blocks", LAB_KEYS_GATE, read_reserve, "0 to 256 blocks"},
	{"allocator", LAB_KEYS_CREATION, read_allocator, "buddy, labyrinth or auto"},
	{"pcp", LAB_KEYS_GATE, read_pcp, "on or off, or auto"},
	{"order", LAB_KEYS_CREATION, read_order, "0 to 10"},
	{"gfp", LAB_KEYS_GATE, read_gfp,
		"flags such as ATOMIC|NOWARN, without ZERO, NOFAIL and DMA, of one migratetype"},
	{"linux", LAB_KEYS_CREATION, read_linux, "6.1 or 6.12"},
	{"background", LAB_KEYS_CREATION, read_background, "off, service, thread or program"},
	{"inject_ppm", LAB_KEYS_INJECT, read_ppm, "0 to 1000000"},
	{"inject_interval", LAB_KEYS_INJECT, read_interval, "1 to 4294967295"},
	{"inject_times", LAB_KEYS_INJECT, read_times, "-1 or a number of refusals"},
	{"inject_space", LAB_KEYS_INJECT, read_space, "0 to 4294967295"},
	{"inject_min_order", LAB_KEYS_INJECT, read_inject_order, "0 to 10"},
	{"inject_atomic_only", LAB_KEYS_INJECT, read_atomic_only, "on or off"},
	{"inject_seed", LAB_KEYS_INJECT, read_seed, "a number"},
	{"owners", LAB_KEYS_WATCH, read_owners, "on or off"},
	{"guard", LAB_KEYS_WATCH, read_guard, "off, on or abort"},
};

/* ------------------------------------------------------------------ text */

/* Set one key in *s and its group in *groups; on error neither changes. */
int
lab_settings_set(const char *key, const char *value, struct lab_mempool_settings *s,
	unsigned int *groups, char *err, size_t err_len)
{
	for (size_t i = 0; i < LAB_ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].name, key) != 0)
			continue;
		if (!keys[i].read(value, s)) {
			snprintf(err, err_len, "%s=%.40s is not valid: it takes %s", key, value,
				keys[i].right);
			return -EINVAL;
		}
		*groups |= keys[i].group;
		return 0;
	}
	snprintf(err, err_len, "unknown key \"%.40s\"; see docs/mempool-driver.md", key);
	return -EINVAL;
}

static char *
trim(char *s)
{
	size_t n;

	s += strspn(s, " \t\n");
	n = strlen(s);
	while (n > 0 && strchr(" \t\n", s[n - 1]) != NULL)
		s[--n] = '\0';
	return s;
}

/* One item of a text; an empty one is fine. */
static int
parse_item(
	char *item, struct lab_mempool_settings *s, unsigned int *groups, char *err, size_t err_len)
{
	char *eq;

	item = trim(item);
	if (*item == '\0')
		return 0;
	eq = strchr(item, '=');
	if (eq == NULL) {
		snprintf(err, err_len, "\"%.40s\" is not key=value", item);
		return -EINVAL;
	}
	*eq = '\0';
	return lab_settings_set(trim(item), trim(eq + 1), s, groups, err, err_len);
}

/* As lab_mempool_settings_parse(), and which groups of keys the text named. */
int
lab_settings_parse(const char *text, struct lab_mempool_settings *s, unsigned int *groups,
	char *err, size_t err_len)
{
	struct lab_mempool_settings new = *s;
	unsigned int named = 0;
	char copy[TEXT_MAX], *item, *rest = copy;

	if (strlen(text) >= sizeof(copy)) {
		snprintf(err, err_len, "a text of more than %d bytes", TEXT_MAX - 1);
		return -EINVAL;
	}
	strcpy(copy, text);
	while ((item = strsep(&rest, ",")) != NULL) {
		int ret = parse_item(item, &new, &named, err, err_len);

		if (ret != 0)
			return ret;
	}
	*s = new;
	*groups |= named;
	return 0;
}

int
lab_mempool_settings_parse(
	const char *text, struct lab_mempool_settings *s, char *err, size_t err_len)
{
	unsigned int groups = 0;

	return lab_settings_parse(text, s, &groups, err, err != NULL ? err_len : 0);
}

/* What "auto" means for a pool whose ops stand for an allocator. */
void
lab_settings_resolve(struct lab_mempool_settings *s, int allocator)
{
	if (s->allocator < 0)
		s->allocator = allocator;
	if (s->pcp < 0)
		s->pcp = s->allocator == LAB_ALLOCATOR_LABYRINTH;
}

/* gfp as a number: always readable back, whatever its bits. */
int
lab_mempool_settings_format(const struct lab_mempool_settings *s, char *buf, size_t len)
{
	const struct lab_inject *in = &s->inject;
	char kbytes[24] = "auto";

	if (s->min_free_kbytes >= 0)
		snprintf(kbytes, sizeof(kbytes), "%ld", s->min_free_kbytes);
	return snprintf(buf, len,
		"min_free_kbytes=%s,watermark_scale_factor=%u,boost=%u,lowmem_reserve=%lu,reserve_"
		"blocks=%u,"
		"allocator=%s,"
		"pcp=%s,"
		"order=%u,gfp=0x%x,linux=%s,background=%s,inject_ppm=%u,inject_interval=%u,"
		"inject_times=%" PRId64 ",inject_space=%u,inject_min_order=%u,"
		"inject_atomic_only=%s,inject_seed=%" PRIu64 ",owners=%s,guard=%s",
		kbytes, s->watermark_scale_factor, s->watermark_boost_factor, s->lowmem_reserve,
		s->reserve_blocks, s->allocator < 0 ? "auto" : lab_allocator_name(s->allocator),
		s->pcp < 0 ? "auto"
		: s->pcp   ? "on"
			   : "off",
		s->order, s->gfp, s->linux_version == LAB_LINUX_6_1 ? "6.1" : "6.12",
		lab_mempool_background_name(s->background), in->probability_ppm, in->interval,
		in->times, in->space, in->min_order, in->atomic_only ? "on" : "off", in->seed,
		s->owners ? "on" : "off", lab_guard_setting_name(s->guard));
}
