/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "words.h"

int
words_fail(struct words *w, int rc, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (w->err == NULL || w->errlen == 0)
		return rc;
	n = snprintf(w->err, w->errlen, "line %lu: ", w->line);
	va_start(ap, fmt);
	if (n >= 0 && (size_t)n < w->errlen)
		vsnprintf(w->err + n, w->errlen - (size_t)n, fmt, ap);
	va_end(ap);
	return rc;
}

/* -------------------------------------------------------------------- words */

int
words_line(struct words *w)
{
	size_t len = 0;
	int c;

	w->line++;
	while ((c = getc_unlocked(w->in)) != EOF && c != '\n') {
		if (c < ' ' || c > '~')
			return words_fail(
				w, -EINVAL, "byte 0x%02x in a text file", (unsigned int)c);
		if (len == sizeof(w->text) - 1)
			return words_fail(w, -EINVAL, "longer than %d bytes", WORDS_LINE_MAX - 1);
		w->text[len++] = (char)c;
	}
	w->text[len] = '\0';
	w->rest = w->text;
	if (c == EOF && ferror(w->in))
		return words_fail(w, -EIO, "the file cannot be read");
	if (c == EOF)
		return words_fail(w, -EINVAL, "the file ends here");
	return 0;
}

/** Take the next word. NULL: there is none, or two spaces, or one at the end. */
char *
words_next(struct words *w)
{
	char *s = w->rest;

	if (s == NULL || *s == '\0' || *s == ' ')
		return NULL;
	w->rest = strchr(s, ' ');
	if (w->rest != NULL)
		*w->rest++ = '\0';
	return s;
}

bool
words_parse(const char *s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (s == NULL || *s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9' || v > max / 10)
			return false;
		v = v * 10 + (uint64_t)(*s - '0');
	}
	if (v > max)
		return false;
	*out = v;
	return true;
}

int
words_number(struct words *w, const char *what, uint64_t max, uint64_t *out)
{
	if (words_parse(words_next(w), max, out))
		return 0;
	return words_fail(w, -EINVAL, "%s: expected a number up to %" PRIu64, what, max);
}

int
words_keyword(struct words *w, const char *key)
{
	const char *s = words_next(w);

	if (s != NULL && strcmp(s, key) == 0)
		return 0;
	return words_fail(w, -EINVAL, "expected '%s', found '%.20s'", key, s != NULL ? s : "");
}

int
words_end(struct words *w)
{
	return w->rest == NULL ? 0 : words_fail(w, -EINVAL, "more words than expected");
}

/** A line of a keyword and a number. */
int
words_key(struct words *w, const char *key, uint64_t max, uint64_t *out)
{
	int rc = words_line(w);

	rc = rc != 0 ? rc : words_keyword(w, key);
	rc = rc != 0 ? rc : words_number(w, key, max, out);
	return rc != 0 ? rc : words_end(w);
}

int
words_letter(struct words *w, const char *s, unsigned int nr, unsigned int *mt)
{
	const char *p = s != NULL && s[0] != '\0' ? strchr(ZONE_LETTERS, s[0]) : NULL;

	if (p == NULL || s[1] != '\0' || (unsigned int)(p - ZONE_LETTERS) >= nr)
		return words_fail(w, -EINVAL, "expected a migratetype of %.*s, found '%.20s'",
			(int)nr, ZONE_LETTERS, s != NULL ? s : "");
	*mt = (unsigned int)(p - ZONE_LETTERS);
	return 0;
}
