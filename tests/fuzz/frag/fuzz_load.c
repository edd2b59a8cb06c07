/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* Any bytes as a saved zone: loading refuses them and changes nothing, or takes them and the zone is
 * valid and what it saves loads again. */
#include <string.h>
#include <sys/mman.h>

#include "lab_base.h"
#include "lab_frag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PAGES 2048UL

static struct lab_tenants *
tenants(void)
{
	static struct lab_tenants *t;
	struct lab_zone_config cfg = lab_zone_config_default(PAGES);
	struct lab_zone *zone;

	if (t != NULL)
		return t;
	/* Frames that fault when they are touched. */
	cfg.base = mmap(NULL, PAGES * LAB_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	lab_assert_always(cfg.base != MAP_FAILED);
	lab_assert_always(lab_zone_create(&zone, &cfg) == 0);
	lab_assert_always(lab_tenants_create(&t, zone, 0) == 0);
	return t;
}

struct text {
	char *bytes;
	size_t len;
};

static struct text
save(struct lab_tenants *t)
{
	struct text text = {0};
	FILE *out = open_memstream(&text.bytes, &text.len);

	lab_assert_always(out != NULL && lab_age_save(t, out) == 0);
	fclose(out);
	return text;
}

/** Lines may be cut otherwise than in the input; what is saved loads and saves to the same bytes. */
static void
check_round_trip(struct lab_tenants *t)
{
	struct text first = save(t), second;
	FILE *in = fmemopen(first.bytes, first.len, "r");

	lab_assert_always(in != NULL && lab_age_load(t, in, NULL, 0) == 0);
	fclose(in);
	second = save(t);
	lab_assert_always(
		first.len == second.len && memcmp(first.bytes, second.bytes, first.len) == 0);
	free(first.bytes);
	free(second.bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lab_tenants *t = tenants();
	struct lab_tenants_info before, after;
	char err[160] = "", why[160] = "";
	FILE *in;
	int rc;

	if (size == 0)
		return 0;
	in = fmemopen((void *)(uintptr_t)data, size, "r");
	lab_assert_always(in != NULL);
	lab_tenants_info_get(t, &before);
	rc = lab_age_load(t, in, err, sizeof(err));
	fclose(in);
	lab_tenants_info_get(t, &after);
	if (rc != 0) {
		lab_assert_always(strncmp(err, "line ", 5) == 0);
		lab_assert_always(memcmp(&before, &after, sizeof(before)) == 0);
		return 0;
	}
	if (!lab_zone_is_valid(lab_tenants_zone(t), why, sizeof(why))) {
		fprintf(stderr, "not valid: %s\n", why);
		abort();
	}
	check_round_trip(t);
	return 0;
}
