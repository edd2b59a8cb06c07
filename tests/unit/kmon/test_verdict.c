/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
/* What labyrinth-observe says about the drops, for figures of which the answer is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "watch.h"

static struct lab_corr_result corr;

static struct watch_verdict
judged(struct watch_verdict v, enum lab_corr_verdict verdict, double preceded, double baseline)
{
	corr = (struct lab_corr_result){
		.verdict = verdict, .drops_preceded = {.value = preceded, .baseline = baseline}};
	v.corr = &corr;
	watch_judge(&v);
	assert_int_equal(v.by_reason + v.together + v.undecided + v.unexplained, v.drops);
	return v;
}

static void
assert_says(const struct watch_verdict *v, const char *words)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	watch_say(v, out);
	fclose(out);
	if (strstr(text, words) == NULL)
		fail_msg("'%s' is not in: %s", words, text);
	free(text);
}

static void
test_nothing_dropped(void **state)
{
	struct watch_verdict v =
		judged((struct watch_verdict){.failures = 7}, LAB_CORR_NO_DROPS, 0, 0);

	(void)state;
	assert_int_equal(v.unexplained, 0);
	assert_says(&v, "No packet was seen to be dropped; 7 atomic");
}

static void
test_nothing_failed(void **state)
{
	struct watch_verdict v = judged(
		(struct watch_verdict){.drops = 100, .nameless = 30}, LAB_CORR_NO_FAILURES, 0, 0);

	(void)state;
	assert_int_equal(v.unexplained, 100);
	assert_says(&v, "Memory does not explain the drops: 100 packets");
}

/* Of 1000 drops 600 have another reason, 50 are the kernel's own NOMEM, and 350 a NIC lost without a word. */
static const struct watch_verdict mixed = {
	.drops = 1000, .failures = 40, .by_reason = 50, .nameless = 350};

static void
test_link(void **state)
{
	struct watch_verdict v = judged(mixed, LAB_CORR_LINK, 0.9, 0.1);

	(void)state;
	assert_int_equal(v.together, 280); /* 0.8 of 350 */
	assert_int_equal(v.undecided, 0);
	assert_int_equal(v.unexplained, 670);
	assert_says(
		&v, "explains 50 of the drops by the kernel's own word, and 280 by going together");
	assert_says(&v, "670 it does not explain");
}

/* A link of which shifted copies do as well explains nothing. */
static void
test_link_below_its_baseline(void **state)
{
	struct watch_verdict v = judged(mixed, LAB_CORR_LINK, 0.2, 0.5);

	(void)state;
	assert_int_equal(v.together, 0);
	assert_int_equal(v.unexplained, 950);
}

static void
test_no_link(void **state)
{
	static const enum lab_corr_verdict verdicts[] = {LAB_CORR_NO_LINK, LAB_CORR_LINK_BY_LOAD};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct watch_verdict v = judged(mixed, verdicts[i], 0.9, 0.1);

		assert_int_equal(v.together + v.undecided, 0);
		assert_int_equal(v.unexplained, 950);
		assert_says(&v, "950 it does not explain. Of those with no stated reason:");
	}
}

static void
test_too_few_bursts(void **state)
{
	struct watch_verdict v = judged(mixed, LAB_CORR_TOO_FEW_BURSTS, 0.9, 0.1);

	(void)state;
	assert_int_equal(v.together, 0);
	assert_int_equal(v.undecided, 350);
	assert_int_equal(v.unexplained, 600);
	assert_says(&v, "350 more have no stated reason and cannot be judged:");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_dropped),
		cmocka_unit_test(test_nothing_failed),
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_link_below_its_baseline),
		cmocka_unit_test(test_no_link),
		cmocka_unit_test(test_too_few_bursts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
