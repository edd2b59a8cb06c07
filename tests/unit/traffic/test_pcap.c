/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * Captures: loading good and bad ones, and arrivals at their times. No EAL.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <pcap/pcap.h>

#include "lab_base.h"
#include "lab_traffic.h"

/** A capture under construction, byte by byte in the format of pcap-savefile(5). */
struct file {
	uint8_t bytes[1 << 16];
	size_t len;
	bool swapped;
};

static void
put32(struct file *f, uint32_t v)
{
	if (f->swapped)
		v = __builtin_bswap32(v);
	memcpy(f->bytes + f->len, &v, 4);
	f->len += 4;
}

static void
put_header(struct file *f, uint32_t magic, uint32_t snaplen, uint32_t link)
{
	put32(f, magic);
	if (f->swapped) { /* two 16-bit fields */
		f->bytes[f->len++] = 0;
		f->bytes[f->len++] = 2;
		f->bytes[f->len++] = 0;
		f->bytes[f->len++] = 4;
	} else {
		put32(f, 4u << 16 | 2u);
	}
	put32(f, 0);
	put32(f, 0);
	put32(f, snaplen);
	put32(f, link);
}

static void
put_packet(struct file *f, uint32_t sec, uint32_t frac, uint32_t caplen, uint32_t len)
{
	struct lab_stamp s = {.kind = LAB_STAMP_DATA, .flow = sec % 7, .seq = frac};
	uint8_t frame[LAB_FRAME_MAX] = {0};

	put32(f, sec);
	put32(f, frac);
	put32(f, caplen);
	put32(f, len);
	lab_stamp_frame(frame, LAB_FRAME_MAX, &s);
	memcpy(f->bytes + f->len, frame, caplen);
	f->len += caplen;
}

static int
load(const struct file *f, size_t len, struct lab_pcap *p, char err[200])
{
	FILE *in = fmemopen((void *)(uintptr_t)f->bytes, len ? len : 1, "rb");

	assert_non_null(in);
	err[0] = '\0';
	return lab_pcap_load_stream(p, in, err, 200);
}

#define MICRO 0xa1b2c3d4u
#define NANO  0xa1b23c4du

static void
test_formats(void **state)
{
	for (int i = 0; i < 4; i++) {
		static struct file f;
		uint32_t unit = i & 1 ? 1 : 1000;
		struct lab_pcap p;
		char err[200];

		memset(&f, 0, sizeof(f));
		f.swapped = i & 2;
		put_header(&f, i & 1 ? NANO : MICRO, 100, DLT_EN10MB);
		put_packet(&f, 1000, 999999, 60, 60);
		put_packet(&f, 1001, 5, 100, 1514); /* snaplen cuts it */
		put_packet(&f, 1001, 4, 60, 60);    /* steps back */
		put_packet(&f, 1002, 999999, 0, 64);
		if (load(&f, f.len, &p, err) != 0)
			fail_msg("%s", err);
		assert_int_equal(p.nr_packets, 4);
		assert_int_equal(p.packets[0].t_ns, 0);
		assert_int_equal(p.packets[1].t_ns, 1000000000ull + 5 * unit - 999999ull * unit);
		assert_int_equal(p.packets[2].t_ns, p.packets[1].t_ns);
		assert_int_equal(p.packets[3].t_ns, 2000000000ull);
		assert_int_equal(p.stepped_back, 1);
		assert_int_equal(p.packets[1].len, 1514);
		assert_int_equal(p.packets[1].caplen, 100);
		assert_int_equal(p.packets[1].offset, 60);
		assert_int_equal(p.data_len, 220);
		lab_pcap_free(&p);
	}
}

static void
test_refused(void **state)
{
	static struct file f;
	struct lab_pcap p;
	char err[200];

	put_header(&f, MICRO, 65535, DLT_RAW);
	put_packet(&f, 1, 0, 60, 60);
	assert_int_equal(load(&f, f.len, &p, err), -EPROTONOSUPPORT);
	assert_non_null(strstr(err, "RAW is not Ethernet"));
	f.len = 0;
	put_header(&f, MICRO, 65535, DLT_EN10MB);
	assert_int_equal(load(&f, f.len, &p, err), -ENODATA);
	f.len = 0;
	put_header(&f, 0x12345678, 65535, DLT_EN10MB);
	assert_int_equal(load(&f, f.len, &p, err), -EBADMSG);
	f.len = 0;
	put_header(&f, MICRO, 65535, DLT_EN10MB);
	put_packet(&f, 1, 0, 60, LAB_FRAME_MAX + 1);
	assert_int_equal(load(&f, f.len, &p, err), -EBADMSG);
	assert_non_null(strstr(err, "packet 1"));
	f.len = 0;
	put_header(&f, MICRO, 65535, DLT_EN10MB);
	put_packet(&f, 1, 0, 0, 0);
	assert_int_equal(load(&f, f.len, &p, err), -EBADMSG);
	assert_null(p.packets);
	assert_int_equal(lab_pcap_load(&p, "/nonexistent/x.pcap", err, sizeof(err)), -ENOENT);
	assert_non_null(strstr(err, "/nonexistent/x.pcap"));
	assert_true(lab_pcap_load(&p, "/", err, sizeof(err)) < 0);
	assert_true(lab_pcap_load(&p, "/dev/null", NULL, 0) < 0);
}

/* Cut off anywhere: between two packets it is a shorter capture, elsewhere an error that says where. */
static void
test_truncated(void **state)
{
	static struct file f;
	struct lab_pcap p;
	char err[200];

	put_header(&f, NANO, 65535, DLT_EN10MB);
	for (uint32_t i = 0; i < 3; i++)
		put_packet(&f, i, 0, 60, 60);
	for (size_t len = 1; len < f.len; len++) {
		bool whole = len >= 24 + 76 && (len - 24) % 76 == 0;
		int rc = load(&f, len, &p, err);

		if (whole) {
			assert_int_equal(rc, 0);
			assert_int_equal(p.nr_packets, (len - 24) / 76);
			lab_pcap_free(&p);
		} else {
			assert_int_equal(rc, len == 24 ? -ENODATA : -EBADMSG);
			assert_true(len <= 100 || strstr(err, len < 176 ? "after 1" : "after 2"));
			assert_null(p.packets);
		}
	}
}

static void
test_hashes(void **state)
{
	static struct file f;
	struct lab_pcap p;
	char err[200];

	put_header(&f, NANO, 65535, DLT_EN10MB);
	for (uint32_t i = 0; i < 700; i++)
		put_packet(&f, i, 0, 60, 60);
	assert_int_equal(load(&f, f.len, &p, err), 0);
	for (uint32_t i = 0; i < 700; i++) {
		/* One flow, one hash; seven flows, seven hashes. */
		assert_int_equal(p.packets[i].hash, p.packets[i % 7].hash);
		for (uint32_t j = 0; j < i % 7; j++)
			assert_int_not_equal(p.packets[i].hash, p.packets[j].hash);
	}
	lab_pcap_free(&p);
}

/* ---------------------------------------------------------------- arrivals */

static char path[] = "/tmp/lab_test_pcap_XXXXXX";

static void
write_file(const struct file *f)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, f->bytes, f->len), (ssize_t)f->len);
	close(fd);
}

static void
test_timing(void **state)
{
	static struct file f;
	static const uint64_t at[] = {0, 1000, 5000, 9000};
	struct lab_arrival_config cfg;
	struct lab_arrivals *a;
	struct lab_arrival x;
	char text[128], err[200];

	put_header(&f, NANO, 65535, DLT_EN10MB);
	for (int i = 0; i < 4; i++)
		put_packet(&f, 7, 500 + (uint32_t)at[i], 42, i ? 42 : 1000);
	write_file(&f);
	snprintf(text, sizeof(text), "pcap:file=%s,speed=2,loop=3,flows=5", path);
	assert_int_equal(lab_arrival_parse(text, &cfg, err, sizeof(err)), 0);
	assert_int_equal(lab_arrivals_create(&a, &cfg, err, sizeof(err)), 0);
	for (uint64_t pass = 0; pass < 3; pass++) {
		for (int i = 0; i < 4; i++) {
			assert_true(lab_arrivals_next(a, &x));
			/* A pass lasts 9000 ns and a mean gap of 3001, at twice the speed. */
			assert_in_range(x.t_ns, pass * 12001 / 2 + at[i] / 2,
				pass * 12001 / 2 + at[i] / 2 + 1);
			assert_int_equal(x.index, i);
			assert_int_equal(x.len, i ? LAB_FRAME_MIN : 1000);
			assert_true(x.flow < 5);
		}
	}
	assert_false(lab_arrivals_next(a, &x));
	lab_arrivals_destroy(a);
	snprintf(text, sizeof(text), "pcap:file=%s,loop=0,size=9000,count=100000", path);
	assert_int_equal(lab_arrival_parse(text, &cfg, err, sizeof(err)), 0);
	assert_int_equal(lab_arrivals_create(&a, &cfg, err, sizeof(err)), 0);
	for (uint64_t i = 0; i < 100000; i++) {
		assert_true(lab_arrivals_next(a, &x));
		assert_int_equal(x.t_ns, i / 4 * 12001 + at[i % 4]);
		assert_int_equal(x.len, 9000);
	}
	assert_false(lab_arrivals_next(a, &x));
	lab_arrivals_destroy(a);
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_hashes),
		cmocka_unit_test(test_timing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
