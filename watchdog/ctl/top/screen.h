/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal, by ncurses: shows a canvas, and reads keys. There is one at a time. */
#ifndef TOP_SCREEN_H
#define TOP_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "canvas.h"

/* Sets the locale, and takes the terminal. Returns 0; else -1, and `why` says what is missing, and
 * the terminal is as it was. */
int screen_open(bool colour, char *why, unsigned size);
void screen_close(void);

/* Does the locale have more than ASCII? */
bool screen_utf8(void);

void screen_size(int *ret_rows, int *ret_cols);
/* The terminal has another size. */
void screen_resize(void);

/* `cursor`: its column in the last row, -1: none. */
void screen_show(const struct canvas *canvas, int cursor, bool colour);
/* All of it is drawn again by the next screen_show. */
void screen_spoil(void);

/* The next key that was pressed, as enum top_key and characters; KEY_OF_NONE: none. */
uint32_t screen_key(void);

#endif
