/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef LAB_FRAG_WORDS_H
#define LAB_FRAG_WORDS_H

/* Inside lib/frag only: how both of its text formats are read, lines of words with one space between. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define WORDS_LINE_MAX 1024

/** Letters of the migratetypes as the kernel prints them. */
#define ZONE_LETTERS "UMEHCI"

/** A text that is being read. Set in, err and errlen; the rest is zero. */
struct words {
	FILE *in;
	unsigned long line;
	char text[WORDS_LINE_MAX];
	char *rest; /* what is left of the line */
	char *err;
	size_t errlen;
};

/** Say "line N: ..." in err. @return rc */
int words_fail(struct words *w, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** Read the next line. @return 0, -EINVAL, -EIO */
int words_line(struct words *w);

/** Take the next word. NULL: there is none, or two spaces, or one at the end. */
char *words_next(struct words *w);

bool words_parse(const char *s, uint64_t max, uint64_t *out);
int words_number(struct words *w, const char *what, uint64_t max, uint64_t *out);
int words_keyword(struct words *w, const char *key);
int words_end(struct words *w);

/** A line of a keyword and a number. */
int words_key(struct words *w, const char *key, uint64_t max, uint64_t *out);

/** A migratetype by its letter, one of the first nr. */
int words_letter(struct words *w, const char *s, unsigned int nr, unsigned int *mt);

#endif /* LAB_FRAG_WORDS_H */
