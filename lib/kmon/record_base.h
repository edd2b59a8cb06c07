/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef RECORD_BASE_H
#define RECORD_BASE_H

/**
 * @file record_base.h
 * Inside lib/kmon only: where the kernel's table of pages begins, from the addresses of pages that this process touched. Others'
 * pages are among them.
 */

#include <stdint.h>

#define RECORD_TOUCHED       64   /**< pages that are touched for it */
#define RECORD_ADDRESSES_MAX 4096 /**< most addresses that are looked at */

/** Addresses of pages that were handed out meanwhile. */
struct record_seen {
	uint64_t address[RECORD_ADDRESSES_MAX];
	unsigned int nr;
};

/** The table's beginning by which most of the frames have their page among the addresses.
 *  @param frame numbers of the pages touched, RECORD_TOUCHED; 0: hidden. @param size of a struct page, bytes
 *  @return 0: there is none */
uint64_t record_base_by_frames(
	const struct record_seen *s, const uint64_t *frame, unsigned int size);

/** On x86-64 the table begins at a multiple of 1 GiB: where all pages lie in one such step, at its beginning.
 *  @param end bytes of the table up to the zone's end. @return 0: that does not tell */
uint64_t record_base_by_step(const struct record_seen *s, uint64_t end);

#endif /* RECORD_BASE_H */
