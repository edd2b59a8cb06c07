/* SPDX-License-Identifier: BSD-3-Clause */
#include "lab_frag.h"
