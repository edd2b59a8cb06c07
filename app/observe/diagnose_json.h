/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef OBSERVE_DIAGNOSE_JSON_H
#define OBSERVE_DIAGNOSE_JSON_H

/** @file diagnose_json.h A diagnosis as JSON, which the tables for people are drawn from too. */

#include <jansson.h>

#include "lab_diagnose.h"

/** All of it, for programs. New reference; NULL when memory is short. */
json_t *diagnose_json(const struct lab_diag_report *r, const struct lab_diagnosis *d);

/** A diagnosis for people: the request, the verdict, the arithmetic, the blocks, the changes. */
void diagnose_print(const json_t *diagnosis, FILE *out);

#endif /* OBSERVE_DIAGNOSE_JSON_H */
