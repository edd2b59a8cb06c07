/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* The text form of a configuration: "churn,occupancy=0.9,unusable=600@2,seed=1". */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "age.h"

#define MAX_ROUNDS 100000U
#define MAX_LIFE   1e6
#define MAX_WEIGHT 1e9
#define MAX_ITEM   256

void
spec_error(char *err, size_t len, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL || len == 0)
		return;
	va_start(ap, fmt);
	vsnprintf(err, len, fmt, ap);
	va_end(ap);
}

struct lab_age_config
lab_age_config_default(enum lab_age_model model)
{
	const struct age_model *m = age_model(model);
	struct lab_age_config cfg = {
		.model = model,
		.seed = 1,
		.occupancy = 0.5,
		.occupancy_tolerance = 0.005,
		.unusable = LAB_AGE_NO_UNUSABLE,
		.unusable_tolerance = 10,
		.order = LAB_PAGEBLOCK_ORDER,
		.rounds = 7,
		.round_share = 0.1,
		.unmovable = 0.2,
		.reclaimable = 0.1,
		.order_weight = {1},
		.short_life = 2,
		.long_life = 50,
		.long_share = 0.1,
		.steer = true,
	};

	if (m != NULL)
		m->defaults(&cfg);
	return cfg;
}

/* -------------------------------------------------------------------- check */

/** A number of the configuration that must lie in a closed interval; NaN never does. */
struct limit {
	const char *name;
	size_t offset;
	double min, max;
};

#define LIMIT(field, low, high)                                                                    \
	{                                                                                          \
#field, offsetof(struct lab_age_config, field), low, high                          \
	}

static const struct limit limits[] = {
	LIMIT(occupancy, 0, 1),
	LIMIT(occupancy_tolerance, 0, 1),
	LIMIT(round_share, 0, 1),
	LIMIT(unmovable, 0, 1),
	LIMIT(reclaimable, 0, 1),
	LIMIT(short_life, 1e-3, MAX_LIFE),
	LIMIT(long_life, 1e-3, MAX_LIFE),
	LIMIT(long_share, 0, 1),
};

static int
check_doubles(const struct lab_age_config *cfg, char *err, size_t len)
{
	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(limits); i++) {
		const struct limit *l = &limits[i];
		double v;

		memcpy(&v, (const char *)cfg + l->offset, sizeof(v));
		if (v >= l->min && v <= l->max)
			continue;
		spec_error(err, len, "%s: %g is not in %g to %g", l->name, v, l->min, l->max);
		return -EINVAL;
	}
	return 0;
}

static int
check_weights(const struct lab_age_config *cfg, char *err, size_t len)
{
	double sum = 0;

	for (int o = 0; o < LAB_NR_ORDERS; o++) {
		double w = cfg->order_weight[o];

		if (!(w >= 0 && w <= MAX_WEIGHT)) {
			spec_error(err, len, "orders: weight %g of order %d is not in 0 to %g", w,
				o, MAX_WEIGHT);
			return -EINVAL;
		}
		sum += w;
	}
	if (sum > 0)
		return 0;
	spec_error(err, len, "orders: no order has a weight");
	return -EINVAL;
}

static int
check_integers(const struct lab_age_config *cfg, char *err, size_t len)
{
	if (cfg->unusable != LAB_AGE_NO_UNUSABLE && (cfg->unusable < 0 || cfg->unusable > 1000))
		spec_error(err, len, "unusable: %d is not in 0 to 1000", cfg->unusable);
	else if (cfg->unusable_tolerance < 0 || cfg->unusable_tolerance > 1000)
		spec_error(err, len, "unusable_tolerance: %d is not in 0 to 1000",
			cfg->unusable_tolerance);
	else if (cfg->order > LAB_MAX_ORDER)
		spec_error(err, len, "order: %u is over %d", cfg->order, LAB_MAX_ORDER);
	else if (cfg->rounds > MAX_ROUNDS)
		spec_error(err, len, "rounds: %u is over %u", cfg->rounds, MAX_ROUNDS);
	else if (cfg->unmovable + cfg->reclaimable > 1)
		spec_error(err, len, "unmovable and reclaimable: %g is more than all",
			cfg->unmovable + cfg->reclaimable);
	else
		return 0;
	return -EINVAL;
}

int
lab_age_check(const struct lab_age_config *cfg, char *err, size_t errlen)
{
	const struct age_model *m = age_model(cfg->model);

	if (m == NULL) {
		spec_error(err, errlen, "model: no model number %d", (int)cfg->model);
		return -EINVAL;
	}
	if (check_doubles(cfg, err, errlen) != 0 || check_weights(cfg, err, errlen) != 0 ||
		check_integers(cfg, err, errlen) != 0)
		return -EINVAL;
	if (m->check != NULL && m->check(cfg, err, errlen) != 0)
		return -EINVAL;
	return 0;
}

/* ------------------------------------------------------------------- values */

static bool
parse_double(const char *text, double *out)
{
	char *end;
	double v;

	if (!isdigit((unsigned char)*text) && *text != '.')
		return false;
	v = strtod(text, &end);
	if (*end != '\0' || !isfinite(v))
		return false;
	*out = v;
	return true;
}

static bool
parse_u64(const char *text, uint64_t *out)
{
	char *end;
	uint64_t v;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	v = strtoull(text, &end, 0);
	if (*end != '\0' || errno != 0)
		return false;
	*out = v;
	return true;
}

static bool
parse_uint(const char *text, unsigned int *out)
{
	uint64_t v;

	if (!parse_u64(text, &v) || v > INT32_MAX)
		return false;
	*out = (unsigned int)v;
	return true;
}

static bool
parse_bool(const char *text, bool *out)
{
	bool on = strcmp(text, "on") == 0 || strcmp(text, "1") == 0;

	if (!on && strcmp(text, "off") != 0 && strcmp(text, "0") != 0)
		return false;
	*out = on;
	return true;
}

/** "600@2", "600" or "off". */
static bool
parse_unusable(char *text, struct lab_age_config *cfg)
{
	char *at = strchr(text, '@');
	unsigned int v, order = cfg->order;

	if (strcmp(text, "off") == 0) {
		cfg->unusable = LAB_AGE_NO_UNUSABLE;
		return true;
	}
	if (at != NULL) {
		*at = '\0';
		if (!parse_uint(at + 1, &order))
			return false;
	}
	if (!parse_uint(text, &v))
		return false;
	cfg->unusable = (int)v;
	cfg->order = order;
	return true;
}

/** "0:32/1:8/3:1"; orders that are not named have no weight. */
static bool
parse_orders(char *text, struct lab_age_config *cfg)
{
	double weight[LAB_NR_ORDERS] = {0};
	char *save = NULL;

	for (char *p = strtok_r(text, "/", &save); p != NULL; p = strtok_r(NULL, "/", &save)) {
		char *colon = strchr(p, ':');
		unsigned int order;

		if (colon == NULL)
			return false;
		*colon = '\0';
		if (!parse_uint(p, &order) || order > LAB_MAX_ORDER || weight[order] != 0 ||
			!parse_double(colon + 1, &weight[order]))
			return false;
	}
	memcpy(cfg->order_weight, weight, sizeof(weight));
	return true;
}

/* --------------------------------------------------------------------- keys */

enum kind { KIND_DOUBLE, KIND_UINT, KIND_U64, KIND_BOOL, KIND_UNUSABLE, KIND_ORDERS };

struct key {
	const char *name;
	enum kind kind;
	size_t offset;
	const char *form; /* what a value looks like, for the errors */
};

#define KEY(text, type, field, what)                                                               \
	{                                                                                          \
		text, type, offsetof(struct lab_age_config, field), what                           \
	}

static const struct key keys[] = {
	KEY("seed", KIND_U64, seed, "an unsigned number"),
	KEY("occupancy", KIND_DOUBLE, occupancy, "a number from 0 to 1"),
	KEY("tolerance", KIND_DOUBLE, occupancy_tolerance, "a number from 0 to 1"),
	KEY("unusable", KIND_UNUSABLE, unusable, "INDEX@ORDER with an index of 0 to 1000, or off"),
	KEY("unusable_tolerance", KIND_UINT, unusable_tolerance, "a number from 0 to 1000"),
	KEY("order", KIND_UINT, order, "an order"),
	KEY("rounds", KIND_UINT, rounds, "a number"),
	KEY("round_share", KIND_DOUBLE, round_share, "a number from 0 to 1"),
	KEY("unmovable", KIND_DOUBLE, unmovable, "a number from 0 to 1"),
	KEY("reclaimable", KIND_DOUBLE, reclaimable, "a number from 0 to 1"),
	KEY("orders", KIND_ORDERS, order_weight, "ORDER:WEIGHT/ORDER:WEIGHT/..."),
	KEY("short_life", KIND_DOUBLE, short_life, "a number of rounds"),
	KEY("long_life", KIND_DOUBLE, long_life, "a number of rounds"),
	KEY("long_share", KIND_DOUBLE, long_share, "a number from 0 to 1"),
	KEY("steer", KIND_BOOL, steer, "on or off"),
	KEY("touch", KIND_BOOL, touch, "on or off"),
};

static bool
set_value(const struct key *k, char *value, struct lab_age_config *cfg)
{
	void *field = (char *)cfg + k->offset;

	switch (k->kind) {
	case KIND_DOUBLE:
		return parse_double(value, field);
	case KIND_UINT:
		return parse_uint(value, field);
	case KIND_U64:
		return parse_u64(value, field);
	case KIND_BOOL:
		return parse_bool(value, field);
	case KIND_UNUSABLE:
		return parse_unusable(value, cfg);
	case KIND_ORDERS:
		return parse_orders(value, cfg);
	}
	return false;
}

static int
parse_item(char *item, struct lab_age_config *cfg, char *err, size_t errlen)
{
	char *eq = strchr(item, '=');
	char value[MAX_ITEM];

	if (eq == NULL) {
		spec_error(err, errlen, "'%s': expected key=value", item);
		return -EINVAL;
	}
	*eq = '\0';
	/* The parsers cut what they read; the error names it whole. */
	snprintf(value, sizeof(value), "%s", eq + 1);
	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(keys); i++) {
		if (strcmp(item, keys[i].name) != 0)
			continue;
		if (set_value(&keys[i], value, cfg))
			return 0;
		spec_error(err, errlen, "%s: '%s' is not %s", item, eq + 1, keys[i].form);
		return -EINVAL;
	}
	spec_error(err, errlen, "no key '%s'", item);
	return -EINVAL;
}

static int
parse_model(const char *item, struct lab_age_config *cfg, char *err, size_t errlen)
{
	const char *name = strncmp(item, "model=", 6) == 0 ? item + 6 : item;

	for (int m = 0; m < LAB_NR_AGE_MODELS; m++)
		if (strcmp(name, lab_age_model_name((enum lab_age_model)m)) == 0) {
			*cfg = lab_age_config_default((enum lab_age_model)m);
			return 0;
		}
	spec_error(err, errlen, "no model '%s': churn, scatter, lifetimes or adversary", name);
	return -EINVAL;
}

/** Copy the next item of the text into buf. @return its length with the comma, 0: too long. */
static size_t
next_item(const char *text, char buf[MAX_ITEM])
{
	size_t len = strcspn(text, ",");

	if (len >= MAX_ITEM)
		return 0;
	memcpy(buf, text, len);
	buf[len] = '\0';
	return len + 1;
}

int
lab_age_parse(const char *text, struct lab_age_config *cfg, char *err, size_t errlen)
{
	struct lab_age_config c;
	char item[MAX_ITEM];
	size_t pos = 0, len = strlen(text);
	bool first = true;
	int rc;

	do {
		size_t n = next_item(text + pos, item);

		if (n == 0) {
			spec_error(err, errlen, "an item is longer than %d bytes", MAX_ITEM - 1);
			return -EINVAL;
		}
		rc = first ? parse_model(item, &c, err, errlen) : parse_item(item, &c, err, errlen);
		if (rc != 0)
			return rc;
		first = false;
		pos += n;
	} while (pos <= len);
	if (lab_age_check(&c, err, errlen) != 0)
		return -EINVAL;
	*cfg = c;
	return 0;
}

/* ------------------------------------------------------------------- format */

/** Append as far as there is room. @return the length so far, as if there were. */
static size_t __attribute__((format(printf, 4, 5)))
append(char *buf, size_t len, size_t pos, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(pos < len ? buf + pos : NULL, pos < len ? len - pos : 0, fmt, ap);
	va_end(ap);
	return pos + (size_t)n;
}

/** In as few digits as read back to the same number. */
static size_t
append_double(char *buf, size_t len, size_t pos, double v)
{
	char text[32];

	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	return append(buf, len, pos, "%s", text);
}

static size_t
append_orders(char *buf, size_t len, size_t pos, const struct lab_age_config *cfg)
{
	const char *sep = "";

	for (int o = 0; o < LAB_NR_ORDERS; o++) {
		if (cfg->order_weight[o] <= 0)
			continue;
		pos = append(buf, len, pos, "%s%d:", sep, o);
		pos = append_double(buf, len, pos, cfg->order_weight[o]);
		sep = "/";
	}
	return pos;
}

static size_t
append_value(
	char *buf, size_t len, size_t pos, const struct key *k, const struct lab_age_config *cfg)
{
	const void *field = (const char *)cfg + k->offset;

	switch (k->kind) {
	case KIND_DOUBLE:
		return append_double(buf, len, pos, *(const double *)field);
	case KIND_UINT:
		return append(buf, len, pos, "%u", *(const unsigned int *)field);
	case KIND_U64:
		return append(buf, len, pos, "%llu", (unsigned long long)*(const uint64_t *)field);
	case KIND_BOOL:
		return append(buf, len, pos, "%s", *(const bool *)field ? "on" : "off");
	case KIND_ORDERS:
		return append_orders(buf, len, pos, cfg);
	case KIND_UNUSABLE:
		break;
	}
	if (cfg->unusable == LAB_AGE_NO_UNUSABLE)
		return append(buf, len, pos, "off");
	return append(buf, len, pos, "%d@%u", cfg->unusable, cfg->order);
}

int
lab_age_format(const struct lab_age_config *cfg, char *buf, size_t len)
{
	const char *name = lab_age_model_name(cfg->model);
	size_t pos = append(buf, len, 0, "%s", name != NULL ? name : "?");

	for (unsigned int i = 0; i < LAB_ARRAY_SIZE(keys); i++) {
		pos = append(buf, len, pos, ",%s=", keys[i].name);
		pos = append_value(buf, len, pos, &keys[i], cfg);
	}
	return (int)pos;
}
