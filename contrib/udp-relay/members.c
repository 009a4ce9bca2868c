/* SPDX-License-Identifier: Apache-2.0 */
/* See members.h. */
#include "members.h"

#include "util/duration.h"
#include "util/glob.h"
#include "util/util.h"

#define BITS_MOST 128u

struct prefix {
    uint8_t ip[16];
    uint8_t bits;
};

struct name {
    const char *text;
    size_t size;
};

struct members {
    char *text;              /* the names are in it */
    struct prefix *prefixes; /* by bits, then by address */
    size_t n_prefixes, prefixes_capacity;
    size_t first[BITS_MOST + 2]; /* of those with so many bits; the last: n_prefixes */
    struct name *names;          /* sorted */
    size_t n_names, names_capacity;
    struct glob **globs;
    size_t n_globs, globs_capacity;
    size_t n_bad;
    struct members_fault faults[MEMBERS_FAULTS_MAX];
    bool cut;
};

/* ---- a line ---- */

static void mask(uint8_t ip[static 16], unsigned bits)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned kept = bits > i * 8 ? bits - i * 8 : 0;

        if (kept < 8)
            ip[i] &= (uint8_t)(0xff00u >> kept);
    }
}

/* Each returns NULL or why not. */
static const char *take_prefix(struct members *members, char *line)
{
    char *slash = strchr(line, '/');
    struct endpoint endpoint;
    struct prefix prefix = {.bits = BITS_MOST};
    uint64_t bits;
    const char *why, *end;
    bool v4;

    if (slash)
        *slash = '\0';
    if (ip_parse(line, &endpoint) < 0)
        return "is no address, CIDR or id:<glob>";
    v4 = !strchr(line, ':');
    if (slash) {
        end = number_parse(slash + 1, &bits, &why);
        if (!end || *end || bits > (v4 ? 32 : 128))
            return v4 ? "has a prefix length that is not 0 to 32"
                      : "has a prefix length that is not 0 to 128";
        prefix.bits = (uint8_t)(bits + (v4 ? 96 : 0));
    }
    memcpy(prefix.ip, endpoint.ip, 16);
    mask(prefix.ip, prefix.bits);
    if (memcmp(prefix.ip, endpoint.ip, 16) != 0)
        return "has bits set behind its prefix";
    members->prefixes = array_reserve(members->prefixes, &members->prefixes_capacity,
                                      members->n_prefixes + 1, sizeof(prefix));
    members->prefixes[members->n_prefixes++] = prefix;
    return NULL;
}

static const char *take_id(struct members *members, const char *pattern)
{
    struct glob *glob;

    if (!*pattern)
        return "has no id";
    if (!strpbrk(pattern, "*?[\\")) {
        members->names = array_reserve(members->names, &members->names_capacity,
                                       members->n_names + 1, sizeof(struct name));
        members->names[members->n_names++] = (struct name){pattern, strlen(pattern)};
        return NULL;
    }
    if (members->n_globs == MEMBERS_GLOBS_MAX)
        return "is one glob too many (1024 at most)";
    glob = glob_new(pattern);
    if (glob_is_too_long(glob)) {
        glob_free(glob);
        return "is too long a glob (255 bytes at most)";
    }
    members->globs = array_reserve(members->globs, &members->globs_capacity, members->n_globs + 1,
                                   sizeof(struct glob *));
    members->globs[members->n_globs++] = glob;
    return NULL;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Without white space at both ends and without a comment. The line is terminated. */
static char *trim(char *line)
{
    char *end;

    while (is_space(*line))
        line++;
    for (end = line; *end; end++)
        if (*end == '#' && (end == line || is_space(end[-1])))
            break;
    while (end > line && is_space(end[-1]))
        end--;
    *end = '\0';
    return line;
}

/* Returns false where it is bad. `line` is changed, and has its NUL at `size`. */
static bool take_line(struct members *members, char *line, size_t size, unsigned number)
{
    struct members_fault fault = {.line = number};
    size_t shown = min_u64(size, sizeof(fault.text) - 1);

    memcpy(fault.text, line, shown);
    if (size > MEMBERS_LINE_MAX)
        fault.why = "is longer than 512 bytes";
    else if (memchr(line, '\0', size))
        fault.why = "has a NUL byte";
    else {
        line = trim(line);
        if (!*line)
            return true;
        if (!strncmp(line, "id:", 3))
            fault.why = take_id(members, trim(line + 3));
        else
            fault.why = take_prefix(members, line);
    }
    if (!fault.why)
        return true;
    if (members->n_bad < MEMBERS_FAULTS_MAX)
        members->faults[members->n_bad] = fault;
    members->n_bad++;
    return false;
}

/* ---- a list ---- */

static int prefix_order(const void *a, const void *b)
{
    const struct prefix *one = a, *other = b;

    if (one->bits != other->bits)
        return one->bits < other->bits ? -1 : 1;
    return memcmp(one->ip, other->ip, 16);
}

static int name_order(const void *a, const void *b)
{
    const struct name *one = a, *other = b;
    size_t shorter = min_u64(one->size, other->size);
    int order = memcmp(one->text, other->text, shorter);

    return order ? order : one->size < other->size ? -1 : one->size > other->size;
}

struct members *members_parse(const char *text, size_t size)
{
    struct members *members = memory_new(1, sizeof(*members));
    unsigned number = 0;
    size_t at = 0;

    members->text = memory_new(size + 1, 1);
    memcpy(members->text, text, size);
    while (at < size) {
        char *line = members->text + at, *end = memchr(line, '\n', size - at);
        size_t length = end ? (size_t)(end - line) : size - at;

        line[length] = '\0';
        members->cut = !take_line(members, line, length, ++number) && !end;
        at += length + 1;
    }
    if (members->n_prefixes)
        qsort(members->prefixes, members->n_prefixes, sizeof(struct prefix), prefix_order);
    if (members->n_names)
        qsort(members->names, members->n_names, sizeof(struct name), name_order);
    for (size_t bits = 0, i = 0; bits < ARRAY_SIZE(members->first); bits++) {
        while (i < members->n_prefixes && members->prefixes[i].bits < bits)
            i++;
        members->first[bits] = i;
    }
    return members;
}

struct members *members_free(struct members *members)
{
    if (!members)
        return NULL;
    for (size_t i = 0; i < members->n_globs; i++)
        glob_free(members->globs[i]);
    free(members->globs);
    free(members->names);
    free(members->prefixes);
    free(members->text);
    free(members);
    return NULL;
}

size_t members_entries(const struct members *members)
{
    return members->n_prefixes + members->n_names + members->n_globs;
}

size_t members_bad(const struct members *members)
{
    return members->n_bad;
}

size_t members_faults(const struct members *members, const struct members_fault **ret)
{
    *ret = members->faults;
    return min_u64(members->n_bad, MEMBERS_FAULTS_MAX);
}

bool members_cut(const struct members *members)
{
    return members->cut;
}

/* ---- asking ---- */

static bool address_is_member(const struct members *members, const struct endpoint *from)
{
    /* What is written as IPv6 does not speak of IPv4, but for ::ffff:0:0/96 and in it. */
    for (unsigned bits = endpoint_is_ipv4(from) ? 96 : 0; bits <= BITS_MOST; bits++) {
        size_t first = members->first[bits], n = members->first[bits + 1] - first;
        struct prefix wanted = {.bits = (uint8_t)bits};

        if (!n)
            continue;
        memcpy(wanted.ip, from->ip, 16);
        mask(wanted.ip, bits);
        if (bsearch(&wanted, members->prefixes + first, n, sizeof(wanted), prefix_order))
            return true;
    }
    return false;
}

bool members_allow(const struct members *members, const struct endpoint *from, const char *id,
                   size_t id_size)
{
    const struct name wanted = {id, id_size};
    char text[256];

    if (address_is_member(members, from))
        return true;
    if (members->n_names &&
        bsearch(&wanted, members->names, members->n_names, sizeof(struct name), name_order))
        return true;
    /* A glob knows where a name ends by its NUL: a name that has one inside could seem another. */
    if (id_size >= sizeof(text) || memchr(id, '\0', id_size))
        return false;
    memcpy(text, id, id_size);
    text[id_size] = '\0';
    for (size_t i = 0; i < members->n_globs; i++)
        if (glob_matches(members->globs[i], text))
            return true;
    return false;
}
