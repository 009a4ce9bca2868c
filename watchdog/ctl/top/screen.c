/* SPDX-License-Identifier: Apache-2.0 */
#define NCURSES_WIDECHAR 1
#include "screen.h"

#include <curses.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <unistd.h>

#include "model.h"

#define ESCAPE_MS 100 /* a lone Esc, and not the beginning of what a key sends */

enum {
    PAIR_GOOD = 1,
    PAIR_LOOK,
    PAIR_BAD,
    PAIR_ALARM,
    PAIR_HEAD,
};

/* Over ssh a locale may be named that this machine does not have: then what counts is whether the
 * terminal's is UTF-8. */
static void locale_set(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    const char *name = NULL;

    if (setlocale(LC_CTYPE, ""))
        return;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names) && !(name && *name); i++)
        name = getenv(names[i]);
    if (name && (strcasestr(name, "UTF-8") || strcasestr(name, "utf8")))
        setlocale(LC_CTYPE, "C.UTF-8");
}

bool screen_utf8(void)
{
    return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

static void colours(void)
{
    start_color();
    use_default_colors();
    init_pair(PAIR_GOOD, COLOR_GREEN, -1);
    init_pair(PAIR_LOOK, COLOR_YELLOW, -1);
    init_pair(PAIR_BAD, COLOR_RED, -1);
    init_pair(PAIR_ALARM, COLOR_WHITE, COLOR_RED);
    init_pair(PAIR_HEAD, COLOR_CYAN, -1);
}

/* A terminal that was not told that its keys are asked for, or did not listen, sends these. */
static void keys(void)
{
    static const struct {
        const char *sequence;
        int key;
    } more[] = {{"\033[A", KEY_UP},    {"\033[B", KEY_DOWN}, {"\033OA", KEY_UP},
                {"\033OB", KEY_DOWN},  {"\033[H", KEY_HOME}, {"\033[F", KEY_END},
                {"\033[1~", KEY_HOME}, {"\033[4~", KEY_END}, {"\033[5~", KEY_PPAGE},
                {"\033[6~", KEY_NPAGE}};

    keypad(stdscr, TRUE);
    for (size_t i = 0; i < sizeof(more) / sizeof(*more); i++)
        define_key(more[i].sequence, more[i].key);
}

int screen_open(bool colour, char *why, unsigned size)
{
    const char *term = getenv("TERM");
    SCREEN *screen;

    if (!term || !*term) {
        snprintf(why, size, "the environment variable TERM is not set: it names the terminal");
        return -1;
    }
    locale_set();
    screen = newterm(NULL, stdout, stdin);
    if (!screen) {
        snprintf(why, size, "TERM=%s: no such terminal is known here (ncurses-term has more)",
                 term);
        return -1;
    }
    if (!cursor_address) {
        endwin();
        delscreen(screen);
        snprintf(why, size, "TERM=%s: this terminal cannot put text anywhere on the screen", term);
        return -1;
    }
    set_term(screen);
    set_escdelay(ESCAPE_MS);
    cbreak();
    noecho();
    nonl();
    keys();
    nodelay(stdscr, TRUE);
    if (colour && has_colors())
        colours();
    return 0;
}

void screen_close(void)
{
    erase();
    curs_set(1);
    refresh();
    endwin();
}

void screen_size(int *ret_rows, int *ret_cols)
{
    getmaxyx(stdscr, *ret_rows, *ret_cols);
}

void screen_resize(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col)
        resizeterm(size.ws_row, size.ws_col);
    clearok(curscr, TRUE);
}

void screen_spoil(void)
{
    clearok(curscr, TRUE);
}

/* Without colours, what is bad stands out all the same. */
static attr_t attributes(uint8_t style, bool colour, short *ret_pair)
{
    static const struct {
        attr_t attributes;
        short pair;
        attr_t without; /* colours */
    } styles[STYLE_COUNT] = {
        [STYLE_PLAIN] = {A_NORMAL, 0, A_NORMAL},
        [STYLE_DIM] = {A_DIM, 0, A_DIM},
        [STYLE_BOLD] = {A_BOLD, 0, A_BOLD},
        [STYLE_GOOD] = {A_NORMAL, PAIR_GOOD, A_NORMAL},
        [STYLE_LOOK] = {A_NORMAL, PAIR_LOOK, A_BOLD},
        [STYLE_BAD] = {A_BOLD, PAIR_BAD, A_BOLD | A_UNDERLINE},
        [STYLE_TITLE] = {A_REVERSE, 0, A_REVERSE},
        [STYLE_ALARM] = {A_BOLD, PAIR_ALARM, A_REVERSE | A_BOLD},
        [STYLE_HEAD] = {A_BOLD, PAIR_HEAD, A_BOLD},
    };
    uint8_t place = style & (uint8_t)~STYLE_SELECTED;
    attr_t selected = style & STYLE_SELECTED ? A_REVERSE : A_NORMAL;

    if (place >= STYLE_COUNT)
        place = STYLE_PLAIN;
    if (selected) { /* a bar of one colour, on which what is bold still is */
        *ret_pair = 0;
        return selected | (styles[place].attributes & A_BOLD);
    }
    *ret_pair = colour ? styles[place].pair : 0;
    return colour ? styles[place].attributes : styles[place].without;
}

static void show_cell(const struct canvas *canvas, int row, int col, bool colour)
{
    const struct cell *cell = canvas_at(canvas, row, col);
    wchar_t text[2 + CELL_MARKS] = {(wchar_t)cell->c};
    cchar_t wide;
    attr_t attrs;
    short pair;

    if (!cell->c) /* the second half */
        return;
    attrs = attributes(cell->style, colour, &pair);
    if (!canvas->utf8) {
        attr_set(attrs, pair, NULL);
        mvaddch(row, col, (chtype)cell->c);
        return;
    }
    for (size_t i = 0; i < CELL_MARKS; i++)
        text[1 + i] = (wchar_t)cell->marks[i];
    if (setcchar(&wide, text, attrs, pair, NULL) == OK)
        mvadd_wch(row, col, &wide);
}

void screen_show(const struct canvas *canvas, int cursor, bool colour)
{
    erase();
    for (int row = 0; row < canvas->rows; row++)
        for (int col = 0; col < canvas->cols; col++)
            show_cell(canvas, row, col, colour && has_colors());
    if (cursor >= 0)
        move(canvas->rows - 1, cursor);
    curs_set(cursor >= 0);
    refresh();
}

static uint32_t key_of(wint_t code)
{
    switch (code) {
    case KEY_UP:
        return KEY_OF_UP;
    case KEY_DOWN:
        return KEY_OF_DOWN;
    case KEY_PPAGE:
        return KEY_OF_PAGE_UP;
    case KEY_NPAGE:
        return KEY_OF_PAGE_DOWN;
    case KEY_HOME:
        return KEY_OF_HOME;
    case KEY_END:
        return KEY_OF_END;
    case KEY_ENTER:
        return KEY_OF_ENTER;
    case KEY_BACKSPACE:
    case KEY_DC:
        return KEY_OF_BACKSPACE;
    default:
        return ' ' - 1; /* a key that does nothing */
    }
}

uint32_t screen_key(void)
{
    wint_t code;
    int r = get_wch(&code);

    if (r == ERR)
        return KEY_OF_NONE;
    if (r == KEY_CODE_YES)
        return key_of(code);
    switch (code) {
    case '\r':
    case '\n':
        return KEY_OF_ENTER;
    case 033:
        return KEY_OF_ESCAPE;
    case 010:
    case 0177:
        return KEY_OF_BACKSPACE;
    case '\t':
        return KEY_OF_TAB;
    case 014:
        return KEY_OF_REDRAW;
    default:
        return (uint32_t)code;
    }
}
