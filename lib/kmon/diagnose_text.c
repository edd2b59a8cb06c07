/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

/**
 * @file diagnose_text.c
 * Words of a kernel log, freed from what loggers, mailers and terminals put around them.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "diagnose.h"
#include "lab_base.h"

/* Behind this many bytes of a line "kernel:" is no logger's. */
#define PREFIX_MAX 160

/* ------------------------------------------------------------------- tokens */

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0';
}

bool
diag_token_next(const char **p, const char *end, struct diag_token *t)
{
	const char *s = *p;

	while (s < end && is_space(*s))
		s++;
	t->s = s;
	while (s < end && !is_space(*s))
		s++;
	t->len = (size_t)(s - t->s);
	*p = s;
	return t->len > 0;
}

bool
diag_token_is(const struct diag_token *t, const char *word)
{
	return t->len == strlen(word) && memcmp(t->s, word, t->len) == 0;
}

const char *
diag_token_after(const struct diag_token *t, const char *word)
{
	size_t n = strlen(word);

	return t->len > n && memcmp(t->s, word, n) == 0 ? t->s + n : NULL;
}

long
diag_number(const char *s, const char *end, const char **p)
{
	long v = 0;

	if (s >= end || !isdigit((unsigned char)*s))
		return LAB_DIAG_UNKNOWN;
	for (; s < end && isdigit((unsigned char)*s); s++)
		v = v > DIAG_MAX_FIGURE / 10 ? DIAG_MAX_FIGURE : v * 10 + (*s - '0');
	if (p != NULL)
		*p = s;
	return v > DIAG_MAX_FIGURE ? DIAG_MAX_FIGURE : v;
}

void
diag_copy(char *out, size_t size, const char *s, size_t len)
{
	size_t n = len < size ? len : size - 1;

	for (size_t i = 0; i < n; i++)
		out[i] = s[i] > ' ' && s[i] < 0x7f ? s[i] : s[i] == ' ' ? ' ' : '?';
	out[n] = '\0';
}

/* ----------------------------------------------------------------- prefixes */

static bool
starts_with_weekday(const char *s, size_t len)
{
	static const char days[][4] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

	for (size_t i = 0; i < LAB_ARRAY_SIZE(days); i++) {
		if (len > 3 && memcmp(s, days[i], 3) == 0 && s[3] == ' ')
			return true;
	}
	return false;
}

/** "3:  Binder:9343_3:22875", the CPU, the name and the number of who printed, as some vendors' kernels have it. */
static bool
is_process(const char *s, size_t len)
{
	size_t first = 0, last = len;

	while (first < len && isdigit((unsigned char)s[first]))
		first++;
	while (last > 0 && isdigit((unsigned char)s[last - 1]))
		last--;
	return first > 0 && last < len && first + 1 < last && s[first] == ':' && s[last - 1] == ':';
}

/** Is what stands between brackets a time, or the "C0" or "T123" of who printed? */
static bool
is_stamp(const char *s, size_t len)
{
	size_t digits = 0;

	while (len > 0 && *s == ' ')
		s++, len--;
	if (len == 0 || len > 40)
		return false;
	if (starts_with_weekday(s, len) || is_process(s, len))
		return true;
	if (*s == 'C' || *s == 'T' || *s == '+')
		s++, len--;
	for (size_t i = 0; i < len; i++) {
		if (isdigit((unsigned char)s[i]))
			digits++;
		else if (strchr(" .:-+TZ", s[i]) == NULL || s[i] == '\0')
			return false;
	}
	return digits > 0;
}

/** Bytes of "[ 12.345]" or "<4>" at s; 0: none. */
static size_t
stamp_length(const char *s, size_t len)
{
	const char *close;

	if (len > 2 && *s == '<') {
		size_t i = 1;

		while (i < len && i < 4 && isdigit((unsigned char)s[i]))
			i++;
		return i > 1 && i < len && s[i] == '>' ? i + 1 : 0;
	}
	if (len < 3 || *s != '[')
		return 0;
	close = memchr(s, ']', len);
	return close != NULL && is_stamp(s + 1, (size_t)(close - s) - 1) ? (size_t)(close - s) + 1
									 : 0;
}

/** Bytes up to and with the "kernel:" that a logger put; 0: none. */
static size_t
logger_length(const char *s, size_t len)
{
	static const char word[] = "kernel:";
	const size_t n = sizeof(word) - 1;
	const size_t max = len < PREFIX_MAX ? len : PREFIX_MAX;

	for (size_t i = 0; i + n <= max; i++) {
		if (memcmp(s + i, word, n) == 0 && (i == 0 || s[i - 1] == ' ') &&
			(i + n == len || s[i + n] == ' '))
			return i + n;
	}
	return 0;
}

/** Bytes at the start of a line that are not the kernel's. */
static size_t
prefix_length(const char *line, size_t len)
{
	size_t i = 0, n;

	for (;;) {
		while (i < len &&
			(line[i] == ' ' || line[i] == '\t' || line[i] == '>' || line[i] == '|'))
			i++;
		n = stamp_length(line + i, len - i);
		if (n == 0)
			n = logger_length(line + i, len - i);
		/* the prompt of a console that the kernel prints on */
		if (n == 0 && len - i > 2 && line[i] == '#' && line[i + 1] == ' ' &&
			stamp_length(line + i + 2, len - i - 2) > 0)
			n = 2;
		if (n == 0)
			return i;
		i += n;
	}
}

/** Copy a line; rsyslog's "#012", a new line within a message, becomes a space. @return bytes written */
static size_t
copy_line(char *out, const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (s[i] == '#' && i + 3 < len && memcmp(s + i, "#012", 4) == 0) {
			out[n++] = ' ';
			i += 3;
		} else {
			out[n++] = s[i] == '\0' ? ' ' : s[i];
		}
	}
	return n;
}

char *
diag_clean(const char *text, size_t len, size_t *out_len)
{
	char *out = malloc(len + 1);
	size_t n = 0;

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < len;) {
		const char *nl = memchr(text + i, '\n', len - i);
		size_t line = nl != NULL ? (size_t)(nl - text) - i : len - i;
		size_t skip = prefix_length(text + i, line);

		n += copy_line(out + n, text + i + skip, line - skip);
		i += line;
		if (i < len) {
			out[n++] = '\n';
			i++;
		}
	}
	out[n] = '\0';
	*out_len = n;
	return out;
}

/* -------------------------------------------------------------------- names */

static const char *const zone_names[LAB_DIAG_NR_TYPES] = {
	[LAB_DIAG_DMA] = "DMA",
	[LAB_DIAG_DMA32] = "DMA32",
	[LAB_DIAG_NORMAL] = "Normal",
	[LAB_DIAG_HIGHMEM] = "HighMem",
	[LAB_DIAG_MOVABLE] = "Movable",
	[LAB_DIAG_DEVICE] = "Device",
};

const char *
lab_diag_zone_name(enum lab_diag_zone_type type)
{
	return (unsigned int)type < LAB_DIAG_NR_TYPES ? zone_names[type] : NULL;
}

int
diag_zone_type(const char *name, size_t len)
{
	for (int i = 0; i < LAB_DIAG_NR_TYPES; i++) {
		if (strlen(zone_names[i]) == len && memcmp(zone_names[i], name, len) == 0)
			return i;
	}
	return -1;
}

int
diag_type_letter(char c)
{
	switch (c) {
	case 'U':
	case 'R':
		return LAB_MIGRATE_UNMOVABLE;
	case 'M':
		return LAB_MIGRATE_MOVABLE;
	case 'E':
		return LAB_MIGRATE_RECLAIMABLE;
	case 'H':
		return LAB_MIGRATE_HIGHATOMIC;
	case 'C':
		return LAB_MIGRATE_CMA;
	case 'I':
		return LAB_MIGRATE_ISOLATE;
	default:
		return -1;
	}
}

bool
diag_version(const char *s, size_t len, int version[3])
{
	const char *end = s + len, *p;
	long a = diag_number(s, end, &p), b, c;

	if (a < 2 || a > 99 || p >= end || *p != '.')
		return false;
	b = diag_number(p + 1, end, &p);
	if (b < 0 || b > 999 || (p < end && *p != '.' && *p != '-' && *p != '+'))
		return false;
	c = p < end && *p == '.' ? diag_number(p + 1, end, &p) : LAB_DIAG_UNKNOWN;
	version[0] = (int)a;
	version[1] = (int)b;
	version[2] = c >= 0 && c <= 9999 ? (int)c : -1;
	return true;
}

bool
diag_read_release(struct lab_diag_report *r, const char *s, size_t len)
{
	int version[3];

	if (!diag_version(s, len, version))
		return false;
	r->major = version[0];
	r->minor = version[1];
	r->patch = version[2];
	diag_copy(r->kernel, sizeof(r->kernel), s, len);
	return true;
}

/* ------------------------------------------------------------------- report */

static const struct lab_diag_zone unknown_zone = {
	.free = LAB_DIAG_UNKNOWN,
	.min = LAB_DIAG_UNKNOWN,
	.low = LAB_DIAG_UNKNOWN,
	.high = LAB_DIAG_UNKNOWN,
	.boost = LAB_DIAG_UNKNOWN,
	.present = LAB_DIAG_UNKNOWN,
	.managed = LAB_DIAG_UNKNOWN,
	.free_cma = LAB_DIAG_UNKNOWN,
	.reserved_highatomic = LAB_DIAG_UNKNOWN,
	.free_highatomic = LAB_DIAG_UNKNOWN,
	.free_pcp = LAB_DIAG_UNKNOWN,
};

void
lab_diag_report_init(struct lab_diag_report *r)
{
	memset(r, 0, sizeof(*r));
	r->major = r->minor = r->patch = r->cpu = r->order = -1;
	r->page_kb = 4;
	r->min_free_kbytes = r->watermark_scale_factor = LAB_DIAG_UNKNOWN;
	for (unsigned int i = 0; i < LAB_DIAG_NR_TYPES; i++)
		r->ratio[i] = LAB_DIAG_UNKNOWN;
}

struct lab_diag_zone *
diag_zone_get(struct lab_diag_report *r, int node, enum lab_diag_zone_type type)
{
	struct lab_diag_zone *z;

	for (unsigned int i = 0; i < r->nr_zones; i++) {
		if (r->zones[i].node == node && r->zones[i].type == type)
			return &r->zones[i];
	}
	if (r->nr_zones == LAB_DIAG_MAX_ZONES) {
		r->lost_zones++;
		return NULL;
	}
	z = &r->zones[r->nr_zones++];
	*z = unknown_zone;
	z->node = node;
	z->type = type;
	return z;
}
