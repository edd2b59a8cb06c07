/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lab_base.h"
#include "traffic_priv.h"

#define PERIOD_MAX_NS (1000000ull * LAB_NS_PER_S)
#define TEXT_MAX      1024

static const char *const kind_names[] = {"constant", "poisson", "onoff", "pcap"};

#define KIND(k) (1u << LAB_ARRIVAL_##k)
#define TIMED   (KIND(CONSTANT) | KIND(POISSON) | KIND(ONOFF))
#define ANY     (TIMED | KIND(PCAP))

/** The reader of one text. */
struct text {
	struct lab_arrival_config cfg;
	char *err;
	size_t len;
};

/* ------------------------------------------------------------------ values */

/** A decimal number at the start of s, with *end after it; digits only, so no "inf", "nan", "0x". */
static int
read_number(const char *s, double *out, const char **end)
{
	size_t n = strspn(s, "0123456789.");
	char *stop;

	if (n == 0 || (s[0] == '.' && n == 1) || (s[0] == '0' && (s[1] | 32) == 'x'))
		return -EINVAL;
	*out = strtod(s, &stop);
	*end = stop;
	return stop >= s + n && isfinite(*out) ? 0 : -EINVAL;
}

static int
read_scaled(struct text *t, const char *key, const char *s, double *out)
{
	const char *end;
	double scale = 1;

	if (read_number(s, out, &end) != 0)
		return fail(t->err, t->len, -EINVAL, "%s: '%s' is not a number", key, s);
	switch (*end) {
	case 'k':
		scale = 1e3;
		break;
	case 'M':
		scale = 1e6;
		break;
	case 'G':
		scale = 1e9;
		break;
	}
	*out *= scale;
	if (end[scale > 1] != '\0')
		return fail(t->err, t->len, -EINVAL, "%s: '%s': expected a number with k, M or G",
			key, s);
	return 0;
}

static int
read_time(struct text *t, const char *key, const char *s, uint64_t *out)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
	const char *end;
	double v;

	if (read_number(s, &v, &end) != 0)
		return fail(t->err, t->len, -EINVAL, "%s: '%s' is not a time", key, s);
	for (size_t i = 0; i < LAB_ARRAY_SIZE(units); i++) {
		if (strcmp(end, units[i].name) != 0)
			continue;
		if (v * units[i].ns > (double)PERIOD_MAX_NS)
			return fail(t->err, t->len, -EINVAL, "%s: over 1000000s", key);
		*out = (uint64_t)llround(v * units[i].ns);
		return 0;
	}
	return fail(t->err, t->len, -EINVAL, "%s: '%s': expected a unit, ns, us, ms or s", key, s);
}

static int
read_uint(struct text *t, const char *key, const char *s, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = s[0] >= '0' && s[0] <= '9' ? strtoull(s, &end, 10) : 0;
	if (!(s[0] >= '0' && s[0] <= '9') || *end != '\0' || errno != 0 || *out > max)
		return fail(t->err, t->len, -EINVAL, "%s: '%s' is not a whole number up to %llu",
			key, s, (unsigned long long)max);
	return 0;
}

static int
read_u32(struct text *t, const char *key, const char *s, uint32_t *out)
{
	uint64_t v = 0;
	int rc = read_uint(t, key, s, UINT32_MAX, &v);

	if (rc == 0)
		*out = (uint32_t)v;
	return rc;
}

/* -------------------------------------------------------------------- keys */

static int
set_rate(struct text *t, const char *key, const char *v)
{
	return read_scaled(t, key, v, &t->cfg.rate);
}

static int
set_on(struct text *t, const char *key, const char *v)
{
	return read_time(t, key, v, &t->cfg.on_ns);
}

static int
set_off(struct text *t, const char *key, const char *v)
{
	return read_time(t, key, v, &t->cfg.off_ns);
}

static int
set_periods(struct text *t, const char *key, const char *v)
{
	t->cfg.fixed = strcmp(v, "fixed") == 0;
	if (!t->cfg.fixed && strcmp(v, "exp") != 0)
		return fail(t->err, t->len, -EINVAL, "%s: '%s' is neither exp nor fixed", key, v);
	return 0;
}

static int
set_size_range(struct text *t, const char *key, char *v)
{
	char *dash = strchr(v, '-');
	int rc;

	if (dash != NULL)
		*dash++ = '\0';
	t->cfg.size_kind = dash != NULL ? LAB_SIZE_RANGE : LAB_SIZE_FIXED;
	rc = read_u32(t, key, v, &t->cfg.size_min);
	t->cfg.size_max = t->cfg.size_min;
	if (rc == 0 && dash != NULL)
		rc = read_u32(t, key, dash, &t->cfg.size_max);
	return rc;
}

static int
set_size(struct text *t, const char *key, const char *v)
{
	char copy[32];

	if (strcmp(v, "imix") == 0 || strcmp(v, "pcap") == 0) {
		t->cfg.size_kind = v[0] == 'i' ? LAB_SIZE_IMIX : LAB_SIZE_PCAP;
		return 0;
	}
	if (strlen(v) >= sizeof(copy))
		return fail(t->err, t->len, -EINVAL, "%s: '%.40s' is too long", key, v);
	strcpy(copy, v);
	return set_size_range(t, key, copy);
}

static int
set_flows(struct text *t, const char *key, const char *v)
{
	return read_u32(t, key, v, &t->cfg.flows);
}

static int
set_zipf(struct text *t, const char *key, const char *v)
{
	return read_scaled(t, key, v, &t->cfg.zipf);
}

static int
set_count(struct text *t, const char *key, const char *v)
{
	double n = 0;

	if (strpbrk(v, ".eEkMG") == NULL)
		return read_uint(t, key, v, UINT64_MAX, &t->cfg.count);
	if (read_scaled(t, key, v, &n) != 0)
		return -EINVAL;
	if (n > 9e15 || n != floor(n))
		return fail(t->err, t->len, -EINVAL, "%s: '%s' is not a whole number", key, v);
	t->cfg.count = (uint64_t)n;
	return 0;
}

static int
set_seed(struct text *t, const char *key, const char *v)
{
	return read_uint(t, key, v, UINT64_MAX, &t->cfg.seed);
}

static int
set_file(struct text *t, const char *key, const char *v)
{
	if (strlen(v) >= sizeof(t->cfg.pcap_file))
		return fail(t->err, t->len, -EINVAL, "%s: longer than %zu bytes", key,
			sizeof(t->cfg.pcap_file) - 1);
	strcpy(t->cfg.pcap_file, v);
	return 0;
}

static int
set_speed(struct text *t, const char *key, const char *v)
{
	return read_scaled(t, key, v, &t->cfg.speed);
}

static int
set_loop(struct text *t, const char *key, const char *v)
{
	return read_u32(t, key, v, &t->cfg.loop);
}

static const struct key {
	const char *name;
	unsigned int kinds; /* that know it */
	int (*set)(struct text *t, const char *key, const char *value);
} keys[] = {
	{"rate", TIMED, set_rate},
	{"on", KIND(ONOFF), set_on},
	{"off", KIND(ONOFF), set_off},
	{"periods", KIND(ONOFF), set_periods},
	{"size", ANY, set_size},
	{"flows", ANY, set_flows},
	{"zipf", TIMED, set_zipf},
	{"count", ANY, set_count},
	{"seed", ANY, set_seed},
	{"file", KIND(PCAP), set_file},
	{"speed", KIND(PCAP), set_speed},
	{"loop", KIND(PCAP), set_loop},
};

static int
set_key(struct text *t, char *pair, unsigned int *seen)
{
	char *value = strchr(pair, '=');

	if (value == NULL || value[1] == '\0')
		return fail(t->err, t->len, -EINVAL, "'%.40s': expected key=value", pair);
	*value++ = '\0';
	for (size_t i = 0; i < LAB_ARRAY_SIZE(keys); i++) {
		if (strcmp(pair, keys[i].name) != 0)
			continue;
		if ((keys[i].kinds & 1u << t->cfg.kind) == 0)
			return fail(t->err, t->len, -EINVAL, "%s has no key '%s'",
				kind_names[t->cfg.kind], pair);
		if (*seen & 1u << i)
			return fail(t->err, t->len, -EINVAL, "'%s' is given twice", pair);
		*seen |= 1u << i;
		return keys[i].set(t, pair, value);
	}
	return fail(t->err, t->len, -EINVAL, "no key '%.40s'", pair);
}

static int
set_kind(struct text *t, const char *name)
{
	for (size_t i = 0; i < LAB_ARRAY_SIZE(kind_names); i++) {
		if (strcmp(name, kind_names[i]) != 0)
			continue;
		t->cfg.kind = (enum lab_arrival_kind)i;
		if (t->cfg.kind == LAB_ARRIVAL_PCAP)
			t->cfg.size_kind = LAB_SIZE_PCAP;
		return 0;
	}
	return fail(
		t->err, t->len, -EINVAL, "'%.40s' is not constant, poisson, onoff or pcap", name);
}

void
lab_arrival_config_default(struct lab_arrival_config *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
	cfg->kind = LAB_ARRIVAL_POISSON;
	cfg->rate = 1e6;
	cfg->on_ns = 5000000;
	cfg->off_ns = 95000000;
	cfg->size_min = cfg->size_max = 64;
	cfg->flows = 16;
	cfg->seed = 1;
	cfg->speed = 1;
	cfg->loop = 1;
}

int
lab_arrival_parse(const char *text, struct lab_arrival_config *cfg, char *err, size_t len)
{
	struct text t = {.err = err, .len = len};
	char copy[TEXT_MAX], *rest, *pair;
	unsigned int seen = 0;
	int rc;

	if (strlen(text) >= sizeof(copy))
		return fail(err, len, -EINVAL, "longer than %zu characters", sizeof(copy) - 1);
	strcpy(copy, text);
	lab_arrival_config_default(&t.cfg);
	rest = strchr(copy, ':');
	if (rest != NULL)
		*rest++ = '\0';
	rc = set_kind(&t, copy);
	while (rc == 0 && rest != NULL) {
		pair = strsep(&rest, ",");
		rc = set_key(&t, pair, &seen);
	}
	if (rc == 0)
		rc = lab_arrival_check(&t.cfg, err, len);
	if (rc == 0)
		*cfg = t.cfg;
	return rc;
}

/* ---------------------------------------------------------- check, format */

static int
check_times(const struct lab_arrival_config *c, char *err, size_t len)
{
	if (c->kind == LAB_ARRIVAL_PCAP) {
		if (memchr(c->pcap_file, '\0', sizeof(c->pcap_file)) == NULL ||
			c->pcap_file[0] == '\0')
			return fail(err, len, -EINVAL, "pcap needs file=");
		if (!(c->speed >= 1e-6 && c->speed <= 1e9))
			return fail(err, len, -EINVAL, "speed must be from 1e-6 to 1e9");
		return 0;
	}
	if (!(c->rate >= 1e-3 && c->rate <= 1e9))
		return fail(err, len, -EINVAL, "rate must be from 0.001 to 1G packets a second");
	if (c->kind == LAB_ARRIVAL_ONOFF && (c->on_ns == 0 || c->on_ns > PERIOD_MAX_NS))
		return fail(err, len, -EINVAL, "on must be over 0 and at most 1000000s");
	if (c->kind == LAB_ARRIVAL_ONOFF && c->off_ns > PERIOD_MAX_NS)
		return fail(err, len, -EINVAL, "off must be at most 1000000s");
	return 0;
}

static int
check_sizes(const struct lab_arrival_config *c, char *err, size_t len)
{
	if ((unsigned int)c->size_kind > LAB_SIZE_PCAP)
		return fail(err, len, -EINVAL, "no such kind of size");
	if (c->size_kind == LAB_SIZE_PCAP && c->kind != LAB_ARRIVAL_PCAP)
		return fail(err, len, -EINVAL, "size=pcap is for kind pcap");
	if (c->size_kind != LAB_SIZE_FIXED && c->size_kind != LAB_SIZE_RANGE)
		return 0;
	if (c->size_min < LAB_FRAME_MIN || c->size_min > LAB_FRAME_MAX)
		return fail(err, len, -EINVAL, "size must be from %u to %u", LAB_FRAME_MIN,
			LAB_FRAME_MAX);
	if (c->size_kind == LAB_SIZE_RANGE &&
		(c->size_max < c->size_min || c->size_max > LAB_FRAME_MAX))
		return fail(err, len, -EINVAL, "size: %u-%u is not a range up to %u", c->size_min,
			c->size_max, LAB_FRAME_MAX);
	return 0;
}

int
lab_arrival_check(const struct lab_arrival_config *c, char *err, size_t len)
{
	int rc;

	if ((unsigned int)c->kind > LAB_ARRIVAL_PCAP)
		return fail(err, len, -EINVAL, "no such kind of arrivals");
	rc = check_times(c, err, len);
	if (rc == 0)
		rc = check_sizes(c, err, len);
	if (rc != 0)
		return rc;
	if (c->flows == 0 || c->flows > LAB_FLOWS_MAX)
		return fail(err, len, -EINVAL, "flows must be from 1 to %u", LAB_FLOWS_MAX);
	if (!(c->zipf >= 0 && c->zipf <= 10))
		return fail(err, len, -EINVAL, "zipf must be from 0 to 10");
	return 0;
}

static void
format_size(const struct lab_arrival_config *c, char *out, size_t len)
{
	if (c->size_kind == LAB_SIZE_IMIX)
		snprintf(out, len, "imix");
	else if (c->size_kind == LAB_SIZE_PCAP)
		snprintf(out, len, "pcap");
	else if (c->size_kind == LAB_SIZE_RANGE)
		snprintf(out, len, "%u-%u", c->size_min, c->size_max);
	else
		snprintf(out, len, "%u", c->size_min);
}

/** The shortest text of a double that reads back the same. */
static void
format_double(double v, char *out, size_t len)
{
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(out, len, "%.*g", digits, v);
		if (strtod(out, NULL) == v)
			return;
	}
}

static void
format_times(const struct lab_arrival_config *c, char *out, size_t len)
{
	char d[32];

	format_double(c->kind == LAB_ARRIVAL_PCAP ? c->speed : c->rate, d, sizeof(d));
	if (c->kind == LAB_ARRIVAL_PCAP)
		snprintf(out, len, "file=%.255s,speed=%s,loop=%u", c->pcap_file, d, c->loop);
	else if (c->kind == LAB_ARRIVAL_ONOFF)
		snprintf(out, len, "rate=%s,on=%lluns,off=%lluns,periods=%s", d,
			(unsigned long long)c->on_ns, (unsigned long long)c->off_ns,
			c->fixed ? "fixed" : "exp");
	else
		snprintf(out, len, "rate=%s", d);
}

int
lab_arrival_format(const struct lab_arrival_config *c, char *out, size_t len)
{
	char times[400], size[32], zipf[40] = "", count[40] = "", d[32];

	format_times(c, times, sizeof(times));
	format_size(c, size, sizeof(size));
	format_double(c->zipf, d, sizeof(d));
	if (c->zipf > 0 && c->kind != LAB_ARRIVAL_PCAP)
		snprintf(zipf, sizeof(zipf), ",zipf=%s", d);
	if (c->count != 0)
		snprintf(count, sizeof(count), ",count=%llu", (unsigned long long)c->count);
	return snprintf(out, len, "%s:%s,size=%s,flows=%u%s%s,seed=%llu", kind_names[c->kind],
		times, size, c->flows, zipf, count, (unsigned long long)c->seed);
}
