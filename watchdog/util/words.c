/* SPDX-License-Identifier: Apache-2.0 */
/* Splits a command line. See words.h. */
#include "words.h"

#include "util.h"

struct splitter {
    const char *at;
    char *out; /* where the present word is written */
    const char *error;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* From behind the opening quote to behind the closing one. */
static void quoted_take(struct splitter *splitter, char quote)
{
    const char *s = splitter->at;

    for (; *s && *s != quote; s++) {
        if (quote == '"' && s[0] == '\\' && (s[1] == '"' || s[1] == '\\'))
            s++;
        *splitter->out++ = *s;
    }
    if (!*s)
        splitter->error = quote == '"' ? "a \" has no second one" : "a ' has no second one";
    splitter->at = *s ? s + 1 : s;
}

/* One word, and the NUL behind it. */
static void word_take(struct splitter *splitter)
{
    while (*splitter->at && !is_blank(*splitter->at) && !splitter->error) {
        char c = *splitter->at++;

        if (c == '\'' || c == '"') {
            quoted_take(splitter, c);
            continue;
        }
        if (c == '\\') {
            c = *splitter->at;
            if (!c) {
                splitter->error = "a backslash at the end";
                return;
            }
            splitter->at++;
        }
        *splitter->out++ = c;
    }
    *splitter->out++ = '\0';
}

char **words_split(const char *text, const char **ret_error)
{
    size_t room = (WORDS_MAX + 1) * sizeof(char *), n = 0;
    char **words = memory_new(1, room + strlen(text) + 1);
    struct splitter splitter = {.at = text, .out = (char *)words + room};

    for (;;) {
        while (is_blank(*splitter.at))
            splitter.at++;
        if (!*splitter.at || splitter.error)
            break;
        if (n == WORDS_MAX) {
            splitter.error = "more than 64 words";
            break;
        }
        words[n++] = splitter.out;
        word_take(&splitter);
    }
    if (!splitter.error && !n)
        splitter.error = "is empty";
    if (!splitter.error && words[0][0] != '/')
        splitter.error = "the program is not an absolute path";
    *ret_error = splitter.error;
    if (!splitter.error)
        return words;
    free(words);
    return NULL;
}
