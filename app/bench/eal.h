/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef BENCH_EAL_H
#define BENCH_EAL_H

/** Start EAL with argc arguments, or with those that suit nearly everybody if there is none: ordinary
 *  memory, two cores, no device. Problems are printed. @return 0 or more, or -1. */
int eal_start(int argc, char **argv);

#endif /* BENCH_EAL_H */
