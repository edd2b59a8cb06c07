/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_STATS_H
#define LAB_STATS_H
#endif
