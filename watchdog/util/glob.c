/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A glob of m places is an automaton with the states 0 to m: in state i, the first i places have
 * matched. A set of states is a set of bits, so that one step for a byte moves all states at once:
 * those whose next place takes the byte go one up, those before which a star stands may also stay.
 * There is nothing to go back to, and so nothing that a glob could make slow.
 */
#include "glob.h"

#include <stdint.h>

#include "util.h"

#define WORD_BITS  64u
#define WORDS_MAX  ((GLOB_PLACES_MAX + WORD_BITS) / WORD_BITS)
#define BYTES      256u
#define CLASS_SIZE 8u

struct glob {
    unsigned n_places, n_words;
    bool too_long;
    uint64_t stays[WORDS_MAX]; /* states before whose place a star stands */
    uint64_t any[WORDS_MAX];   /* states that are reached by every byte: `?` */
    uint64_t reached[];        /* [byte][word]: states that are reached by that byte */
};

/* Which bytes a place takes. */
struct bytes {
    uint64_t bits[BYTES / WORD_BITS];
};

static void bytes_add(struct bytes *set, unsigned first, unsigned last)
{
    for (unsigned byte = first; byte <= last; byte++)
        set->bits[byte / WORD_BITS] |= UINT64_C(1) << byte % WORD_BITS;
}

/* ---- brackets ---- */

/* ASCII only, as in the C locale. */
static const struct {
    char name[CLASS_SIZE];
    uint8_t ranges[4][2]; /* ended by {0, 0}, but for the first */
} classes[] = {
    {"alnum", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
    {"alpha", {{'A', 'Z'}, {'a', 'z'}}},
    {"blank", {{'\t', '\t'}, {' ', ' '}}},
    {"cntrl", {{0, 0x1f}, {0x7f, 0x7f}}},
    {"digit", {{'0', '9'}}},
    {"graph", {{'!', '~'}}},
    {"lower", {{'a', 'z'}}},
    {"print", {{' ', '~'}}},
    {"punct", {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
    {"space", {{'\t', '\r'}, {' ', ' '}}},
    {"upper", {{'A', 'Z'}}},
    {"xdigit", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
};

/* "[:alpha:]" at `at`. Returns what follows it, NULL: there is no class. `*ret_exists`: is it one
 * of the table? */
static const char *class_read(const char *at, struct bytes *set, bool *ret_exists)
{
    const char *name = at + 2, *end = name;

    if (at[0] != '[' || at[1] != ':')
        return NULL;
    while (*end >= 'a' && *end <= 'z')
        end++;
    if (end[0] != ':' || end[1] != ']')
        return NULL;
    *ret_exists = false;
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
        size_t length = strlen(classes[i].name);

        if ((size_t)(end - name) != length || strncmp(name, classes[i].name, length) != 0)
            continue;
        for (size_t k = 0; k < 4 && (!k || classes[i].ranges[k][1]); k++)
            bytes_add(set, classes[i].ranges[k][0], classes[i].ranges[k][1]);
        *ret_exists = true;
    }
    return end + 2;
}

/* One byte, "\x", "[=x=]" or "[.x.]". Returns what follows it, NULL: the pattern ends. */
static const char *member_read(const char *at, unsigned char *ret)
{
    if (at[0] == '[' && (at[1] == '=' || at[1] == '.') && at[2] && at[3] == at[1] && at[4] == ']') {
        *ret = (unsigned char)at[2];
        return at + 5;
    }
    if (*at == '\\')
        at++;
    *ret = (unsigned char)*at;
    return *at ? at + 1 : NULL;
}

/* What follows the '['. Returns what follows its ']', NULL: there is none. As in glibc, a class
 * that does not exist ends what the bracket takes, also where it is negated. */
static const char *bracket_read(const char *at, struct bytes *ret)
{
    bool negated = *at == '!' || *at == '^', known = true, exists = true;
    struct bytes set = {0}, unused = {0};
    const char *first = at += negated;

    while (at == first || *at != ']') {
        const char *next = class_read(at, known ? &set : &unused, &exists);
        unsigned char low, high;

        known = known && exists;
        if (next) {
            at = next;
            continue;
        }
        at = member_read(at, &low);
        high = low;
        if (at && at[0] == '-' && at[1] && at[1] != ']')
            at = member_read(at + 1, &high);
        if (!at)
            return NULL;
        if (known)
            bytes_add(&set, low, high); /* nothing where high is the lower one */
    }
    for (size_t i = 0; negated && i < ARRAY_SIZE(set.bits); i++)
        set.bits[i] = known ? ~set.bits[i] : 0;
    *ret = set;
    return at + 1;
}

/* ---- compiling ---- */

enum place {
    PLACE_STAR,
    PLACE_ANY,
    PLACE_BYTES,
    PLACE_NEVER, /* a '\' with nothing behind it */
};

/* Reads what is at `*at`, which is not its end, and goes behind it. */
static enum place place_read(const char **at, struct bytes *ret)
{
    unsigned char byte = (unsigned char)*(*at)++;
    const char *end;

    *ret = (struct bytes){0};
    if (byte == '*')
        return PLACE_STAR;
    if (byte == '?')
        return PLACE_ANY;
    if (byte == '[') {
        end = bracket_read(*at, ret);
        if (end) {
            *at = end;
            return PLACE_BYTES;
        } /* without a ']' it means itself */
    } else if (byte == '\\') {
        byte = (unsigned char)**at;
        if (!byte)
            return PLACE_NEVER;
        (*at)++;
    }
    bytes_add(ret, byte, byte);
    return PLACE_BYTES;
}

/* No further than to one too many. */
static unsigned places_count(const char *pattern)
{
    struct bytes set;
    unsigned n = 0;

    while (*pattern && n <= GLOB_PLACES_MAX)
        n += place_read(&pattern, &set) != PLACE_STAR;
    return n;
}

/* The state that is reached by those bytes. */
static void state_set(struct glob *glob, unsigned state, const struct bytes *set)
{
    for (size_t i = 0; i < ARRAY_SIZE(set->bits); i++)
        for (uint64_t bits = set->bits[i]; bits; bits &= bits - 1) {
            size_t byte = i * WORD_BITS + (size_t)__builtin_ctzll(bits);

            glob->reached[byte * glob->n_words + state / WORD_BITS] |= UINT64_C(1)
                                                                       << state % WORD_BITS;
        }
}

struct glob *glob_new(const char *pattern)
{
    unsigned n_places = places_count(pattern), state = 0;
    bool too_long = n_places > GLOB_PLACES_MAX;
    unsigned n_words = too_long ? 0 : n_places / WORD_BITS + 1;
    struct glob *glob = memory_new(1, sizeof(*glob) + sizeof(uint64_t) * BYTES * n_words);
    struct bytes set;

    glob->n_places = n_places;
    glob->n_words = n_words;
    glob->too_long = too_long;
    while (!too_long && *pattern)
        switch (place_read(&pattern, &set)) {
        case PLACE_STAR:
            glob->stays[state / WORD_BITS] |= UINT64_C(1) << state % WORD_BITS;
            break;
        case PLACE_ANY:
            state++;
            glob->any[state / WORD_BITS] |= UINT64_C(1) << state % WORD_BITS;
            break;
        case PLACE_BYTES:
            state_set(glob, ++state, &set);
            break;
        case PLACE_NEVER:
            state++; /* which nothing reaches */
            break;
        }
    return glob;
}

struct glob *glob_free(struct glob *glob)
{
    free(glob);
    return NULL;
}

bool glob_is_too_long(const struct glob *glob)
{
    return glob->too_long;
}

/* ---- matching ---- */

static bool matches_short(const struct glob *glob, const char *name)
{
    uint64_t states = 1, any = glob->any[0], stays = glob->stays[0];

    for (; *name && states; name++)
        states = (states << 1 & (glob->reached[(unsigned char)*name] | any)) | (states & stays);
    return states >> glob->n_places & 1;
}

bool glob_matches(const struct glob *glob, const char *name)
{
    uint64_t states[WORDS_MAX] = {1};

    if (glob->too_long)
        return false;
    if (glob->n_words == 1)
        return matches_short(glob, name);
    for (; *name; name++) {
        const uint64_t *reached = glob->reached + (unsigned char)*name * glob->n_words;
        uint64_t carry = 0, left = 0;

        for (unsigned i = 0; i < glob->n_words; i++) {
            uint64_t before = states[i];

            states[i] =
                ((before << 1 | carry) & (reached[i] | glob->any[i])) | (before & glob->stays[i]);
            carry = before >> (WORD_BITS - 1);
            left |= states[i];
        }
        if (!left)
            return false;
    }
    return states[glob->n_places / WORD_BITS] >> glob->n_places % WORD_BITS & 1;
}

bool glob_matches_once(const char *pattern, const char *name)
{
    struct glob *glob = glob_new(pattern);
    bool matches = glob_matches(glob, name);

    glob_free(glob);
    return matches;
}

/* ---- several ---- */

struct globs *globs_new(const char *words)
{
    struct globs *globs = memory_new(1, sizeof(*globs));
    CLEANUP_FREE char *copy = string_copy(words);
    char *rest = copy, *word;
    size_t capacity = 0;

    while ((word = strsep(&rest, " \t"))) {
        if (!*word)
            continue;
        globs->globs = array_reserve(globs->globs, &capacity, globs->n + 1, sizeof(struct glob *));
        globs->globs[globs->n++] = glob_new(word);
    }
    return globs;
}

bool globs_too_long(const struct globs *globs)
{
    for (size_t i = 0; i < globs->n; i++)
        if (globs->globs[i]->too_long)
            return true;
    return false;
}

bool globs_match(const struct globs *globs, const char *name)
{
    for (size_t i = 0; i < globs->n; i++)
        if (glob_matches(globs->globs[i], name))
            return true;
    return false;
}

struct globs *globs_free(struct globs *globs)
{
    if (!globs)
        return NULL;
    for (size_t i = 0; i < globs->n; i++)
        glob_free(globs->globs[i]);
    free(globs->globs);
    free(globs);
    return NULL;
}
