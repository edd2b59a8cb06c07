/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef APP_HUGEFILES_H
#define APP_HUGEFILES_H

/** @file hugefiles.h EAL leaves its files in hugetlbfs at its end; here they are removed. */

/** Remember the files of this process's memory. Before rte_eal_cleanup(). */
void hugefiles_note(void);

/** Remove them. After rte_eal_cleanup(). */
void hugefiles_remove(void);

#endif /* APP_HUGEFILES_H */
