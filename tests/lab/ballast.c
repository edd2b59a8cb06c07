/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Takes memory away in the kernel lab's guest. How much leaves a burst none depends on how fast the machine is, so it
 * is taken step by step: while nothing has been refused, and unless others would suffer.
 *
 *     lab-ballast HISTOGRAM SPARE_KB LEAST_KB STEP_MS
 *
 * HISTOGRAM is the tracing instance's, of refused allocations by order and flags. Memory is taken at once down to
 * SPARE_KB of MemAvailable, then "ready" is printed, and then every STEP_MS a little more, down to LEAST_KB, until an
 * atomic allocation of order 0 was refused. What was taken is held until the program is ended.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define STEP_KB        256
#define HIGH           0x20UL
#define DIRECT_RECLAIM 0x400UL

/** A small file as a text. */
static const char *
text_of(const char *path)
{
	static char text[65536];
	FILE *f = fopen(path, "r");
	size_t n = f != NULL ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (f != NULL)
		fclose(f);
	text[n] = '\0';
	return text;
}

static long
available_kb(void)
{
	const char *at = strstr(text_of("/proc/meminfo"), "MemAvailable:");

	return at != NULL ? atol(at + strlen("MemAvailable:")) : 0;
}

static bool
is_refused(const char *histogram)
{
	const char *at = text_of(histogram);

	while ((at = strstr(at, "{ order:")) != NULL) {
		unsigned long flags;
		int order;

		if (sscanf(at, "{ order: %d, gfp_flags: %lx", &order, &flags) == 2 && order == 0 &&
			(flags & (HIGH | DIRECT_RECLAIM)) == HIGH)
			return true;
		at++;
	}
	return false;
}

/** Pages that are written, and so cannot be given back without swap. @return kB, 0 if there are none */
static long
take(long kb)
{
	char *p = mmap(
		NULL, (size_t)kb << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 0;
	memset(p, 1, (size_t)kb << 10);
	return kb;
}

int
main(int argc, char **argv)
{
	long spare, least, step_ms, taken = 0, at_once;
	bool refused = false;

	if (argc != 5) {
		fprintf(stderr, "Usage: lab-ballast HISTOGRAM SPARE_KB LEAST_KB STEP_MS\n");
		return 2;
	}
	spare = atol(argv[2]);
	least = atol(argv[3]);
	step_ms = atol(argv[4]);
	while (available_kb() > spare && (at_once = take(STEP_KB)) > 0)
		taken += at_once;
	printf("ready %ld\n", taken);
	fflush(stdout);
	for (;;) {
		usleep((useconds_t)step_ms * 1000);
		if (!refused && is_refused(argv[1])) {
			refused = true;
			printf("refused %ld\n", taken);
			fflush(stdout);
		}
		if (!refused && available_kb() > least)
			taken += take(STEP_KB);
	}
}
