/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef REPORT_HTML_H
#define REPORT_HTML_H

#include "report.h"

/* The page is drawn from the report's JSON, which lab_report_validate() has passed. */

/** Text for an element or an attribute in double quotes; NULL prints nothing. */
void html_text(FILE *out, const char *text);
/** A member that is text; nothing when it is not there. */
void html_member(FILE *out, const json_t *o, const char *key);

/** Two or three digits and a unit: 950, 1.2k, 35M. buf of REPORT_NUM_LEN. */
const char *html_short(double v, char *buf);
/** The next of 1, 2, 5, 10, ... times a power of ten that is at least v (1 for v <= 0). */
double html_nice(double v);

double html_number(const json_t *o, const char *key);

/** What the arms' charts share, so that they can be compared: the end of each axis. */
struct html_scale {
	double seconds;
	double top[3]; /* load, failures, drops: per interval */
};

extern const char *const html_roles[3];
struct html_scale html_scale_of(const json_t *arms);

void svg_time(FILE *out, const json_t *arm, const struct html_scale *scale);
void svg_lags(FILE *out, const json_t *correlation);
void svg_frag(FILE *out, const json_t *arms);

/** Colour of the i-th arm. */
const char *html_colour(size_t i);

#endif /* REPORT_HTML_H */
