/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026, the Labyrinth authors
 */
#ifndef APP_SIGNALS_H
#define APP_SIGNALS_H

/**
 * @file signals.h
 * SIGINT and SIGTERM: the first asks everything to come to its end, a second one forces.
 * The only state of the program outside of struct app is what the handler needs.
 */

#include <stdbool.h>
#include <stdint.h>

/** Install the handlers. @return 0 or a negative errno. */
int signals_init(void);
void signals_fini(void);

/** The signal that came, 0 if none. Any thread; cheap enough for a loop. */
int signals_pending(void);

/** Readable once a signal came, for poll(2). */
int signals_fd(void);

/** Sleep, or less if a signal comes. @return false if one came. */
bool signals_sleep(uint64_t ns);

/** Restore the terminal at a forced end too; NULL: nothing to restore. */
struct termios;
void signals_restore_terminal(const struct termios *t);

#endif /* APP_SIGNALS_H */
