/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#include "record_base.h"

#define TABLE_STEP (UINT64_C(1) << 30)

/** How many of the frames have their page among the addresses, if the table begins there? */
static unsigned int
votes(const struct record_seen *s, const uint64_t *frame, unsigned int size, uint64_t base)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < RECORD_TOUCHED; i++)
		for (unsigned int k = 0; k < s->nr; k++)
			if (s->address[k] == base + frame[i] * size) {
				n++;
				break;
			}
	return n;
}

uint64_t
record_base_by_frames(const struct record_seen *s, const uint64_t *frame, unsigned int size)
{
	for (unsigned int i = 0; i < 8 && frame[i] != 0; i++)
		for (unsigned int k = 0; k < s->nr; k++) {
			uint64_t base = s->address[k] - frame[i] * size;

			if (votes(s, frame, size, base) >= RECORD_TOUCHED * 3 / 4)
				return base;
		}
	return 0;
}

uint64_t
record_base_by_step(const struct record_seen *s, uint64_t end)
{
#if defined(__x86_64__)
	uint64_t base = s->nr > 0 ? s->address[0] & ~(TABLE_STEP - 1) : 0;

	for (unsigned int k = 0; k < s->nr; k++)
		if ((s->address[k] & ~(TABLE_STEP - 1)) != base)
			return 0;
	return end <= TABLE_STEP ? base : 0;
#else
	return 0;
#endif
}
