/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef DIRECT_FILE_H
#define DIRECT_FILE_H

/** @file direct_file.h A file that is written past the page cache: who records a machine short of memory must neither
 *  take it nor wait for it. */

#include <stdio.h>

/**
 * Create a file, or empty it. Where it cannot be written past the page cache it is written as usual.
 * What is written is in the file after fclose(), which tells of errors; there is no seeking.
 * @return NULL with errno
 */
FILE *direct_file_create(const char *path);

#endif /* DIRECT_FILE_H */
