/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Captures of any bytes: what is accepted is whole, in order and in its bounds.
 */

#include <string.h>

#include "lab_base.h"
#include "lab_traffic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct lab_pcap *p)
{
	uint32_t sum = 0;

	lab_assert_always(p->nr_packets > 0 && p->stepped_back < p->nr_packets);
	for (size_t i = 0; i < p->nr_packets; i++) {
		const struct lab_pcap_packet *pkt = &p->packets[i];

		lab_assert_always(pkt->len > 0 && pkt->len <= LAB_FRAME_MAX);
		lab_assert_always(pkt->caplen <= pkt->len);
		lab_assert_always(pkt->offset + (size_t)pkt->caplen <= p->data_len);
		lab_assert_always(i == 0 ? pkt->t_ns == 0 : pkt->t_ns >= pkt[-1].t_ns);
		for (uint32_t k = 0; k < pkt->caplen; k++) /* for a sanitizer to look at */
			sum += p->data[pkt->offset + k];
	}
	__asm__ volatile("" ::"r"(sum));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FILE *f = size == 0 ? NULL : fmemopen((void *)(uintptr_t)data, size, "rb");
	struct lab_pcap p;
	char err[64] = "";

	if (f == NULL)
		return 0;
	if (lab_pcap_load_stream(&p, f, err, sizeof(err)) == 0)
		check(&p);
	else
		lab_assert_always(err[0] != '\0' && p.packets == NULL && p.data == NULL);
	lab_pcap_free(&p);
	return 0;
}
