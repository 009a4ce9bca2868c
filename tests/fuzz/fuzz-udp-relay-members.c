/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a list of members. Must hold: each line is nothing, an entry or bad; what an entry
 * that is one address or one id without a wildcard names, is allowed; a list without entries allows
 * nobody; and adding lines takes nothing away.
 */
#include "fuzz.h"

#include "members.h"

static const struct endpoint some[] = {
    {.ip = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}, .port = 1},
    {.ip = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 1, [14] = 2, [15] = 3}, .port = 2},
    {.ip = {[0] = 0x20, [1] = 0x01, [2] = 0x0d, [3] = 0xb8, [15] = 1}, .port = 3},
    {.ip = {[0] = 0xfe, [1] = 0x80, [15] = 1}, .scope = 2, .port = 4},
};
static const char *const ids[] = {"a", "alpha", "b*", "id:x", "\xc3\xa4"};

static size_t lines_of(const char *text, size_t size)
{
    size_t n = size && text[size - 1] != '\n';

    for (size_t i = 0; i < size; i++)
        n += text[i] == '\n';
    return n;
}

/* A line that is an address as we write it ourselves. */
static void check_one(const struct members *members, const char *line, size_t length)
{
    struct endpoint address;
    char text[64];

    if (!length || length >= sizeof(text))
        return;
    memcpy(text, line, length);
    text[length] = '\0';
    if (strlen(text) == length && ip_parse(text, &address) == 0)
        MUST(members_allow(members, &address, "whoever", 7));
}

static void check_lines(const struct members *members, const char *text, size_t size)
{
    const char *at = text, *end = text + size;

    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));

        check_one(members, at, (size_t)((stop ? stop : end) - at));
        at = stop ? stop + 1 : end;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + sizeof("\n192.0.2.99\nid:more-*\n"));
    struct members *members, *more;
    const struct members_fault *faults;
    size_t n, n_more;

    MUST(text);
    memcpy(text, data, size);
    members = members_parse(text, size);
    MUST(members);
    n = members_faults(members, &faults);
    MUST(members_entries(members) + members_bad(members) <= lines_of(text, size));
    MUST(n ==
         (members_bad(members) < MEMBERS_FAULTS_MAX ? members_bad(members) : MEMBERS_FAULTS_MAX));
    for (size_t i = 0; i < n; i++)
        MUST(faults[i].why && faults[i].line >= 1 && faults[i].line <= lines_of(text, size));
    (void)members_cut(members);
    if (size < MEMBERS_TEXT_MAX)
        check_lines(members, text, size);

    strcpy(text + size, "\n192.0.2.99\nid:more-*\n");
    n_more = size + strlen("\n192.0.2.99\nid:more-*\n");
    more = members_parse(text, n_more);
    for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
        for (size_t k = 0; k < sizeof(ids) / sizeof(ids[0]); k++) {
            bool allowed = members_allow(members, &some[i], ids[k], strlen(ids[k]));

            MUST(!allowed || members_entries(members));
            MUST(!allowed || members_allow(more, &some[i], ids[k], strlen(ids[k])));
        }
    members_free(members);
    members_free(more);
    free(text);
    return 0;
}
