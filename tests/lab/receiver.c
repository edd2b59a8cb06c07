/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 *
 * The receiver in the kernel lab's guest: a UDP socket with a large buffer that is drained now and then. Between
 * two drains the packets lie in the kernel's memory, so that the driver that must refill its ring meets an empty zone.
 * A buffer larger than the machine ends in the OOM killer when the receiver does not get its turn.
 *
 *     lab-receiver PORT IDLE_SECONDS DRAIN_MS BUFFER_MIB
 *
 * Ends when something has come and then nothing for IDLE_SECONDS, or after a minute; prints {"received":
 * datagrams, "bytes": n}.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#define LONGEST 60.0 /* seconds */

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static int
open_socket(unsigned short port, int mib)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
	/* the kernel doubles it, for its own structures */
	int fd = socket(AF_INET, SOCK_DGRAM, 0), bytes = mib << 19;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0 ||
		bind(fd, (struct sockaddr *)&any, sizeof(any)) != 0) {
		perror("lab-receiver");
		exit(1);
	}
	return fd;
}

/** @return datagrams taken */
static unsigned long
drain(int fd, unsigned long *bytes)
{
	static char buf[65536];
	unsigned long datagrams = 0;
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) >= 0) {
		datagrams++;
		*bytes += (unsigned long)n;
	}
	return datagrams;
}

int
main(int argc, char **argv)
{
	unsigned long datagrams = 0, bytes = 0, n;
	struct timespec pause = {0};
	double start, last, idle;
	int fd;

	if (argc != 5) {
		fprintf(stderr, "Usage: lab-receiver PORT IDLE_SECONDS DRAIN_MS BUFFER_MIB\n");
		return 2;
	}
	fd = open_socket((unsigned short)atoi(argv[1]), atoi(argv[4]));
	idle = atof(argv[2]);
	pause.tv_sec = atol(argv[3]) / 1000;
	pause.tv_nsec = atol(argv[3]) % 1000 * 1000000L;
	start = last = now();
	while (now() < start + LONGEST && (datagrams == 0 || now() < last + idle)) {
		nanosleep(&pause, NULL);
		n = drain(fd, &bytes);
		datagrams += n;
		if (n > 0)
			last = now();
	}
	printf("{\"received\": %lu, \"bytes\": %lu}\n", datagrams, bytes);
	return 0;
}
