/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_FRAG_H
#define LAB_FRAG_H
#endif
