/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */

#include "app.h"

uint64_t
app_seed(const struct app *app, uint64_t own, uint64_t index)
{
	uint64_t x = app->opt.seed;

	x = lab_splitmix64(&x) ^ own;
	x = lab_splitmix64(&x) ^ index;
	return lab_splitmix64(&x);
}

int
app_idle_ms(const struct app *app)
{
	uint64_t now;

	if (app->opt.stats_period_s == 0)
		return -1;
	now = vtime_wall_ns();
	return now >= app->idle_due_ns ? 0 : (int)((app->idle_due_ns - now) / 1000000 + 1);
}

void
app_idle(struct app *app)
{
	if (app->opt.stats_period_s == 0 || vtime_wall_ns() < app->idle_due_ns)
		return;
	app->idle_due_ns = vtime_wall_ns() + app->opt.stats_period_s * 1000000000ull;
	printf("\nPort statistics ====================================\n");
	ports_print_stats(app);
	fflush(stdout);
}
