/* SPDX-License-Identifier: Apache-2.0 */
/* The journal's entries by their MESSAGE_ID, as records. */
#include "journal-read.h"

#include <dirent.h>
#include <errno.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "../out/message-ids.h"
#include "../util/format.h"
#include "../util/printable.h"
#include "entry.h"
#include "machines.h"

#define FIELDS_MAX 320u
/* Of one field: entry.c takes less of a text. */
#define FIELD_BYTES (128u * 1024)
#define NAME_BYTES  64u /* journald takes no longer ones */

struct journal_reader {
    sd_journal *journal;
    struct machines *machines; /* and units, of each run */
    bool backwards;
    uint64_t n_dropped, n_bad;
};

/* ---- what may be read ---- */

struct found {
    bool readable, denied;
};

/* Journals are in a directory, or in one for each machine under it. Returns 0 or -errno. */
static int find_journals(const char *directory, unsigned depth, struct found *found)
{
    DIR *files = opendir(directory);
    const struct dirent *file;

    if (!files) {
        int error = errno;

        found->denied |= error == EACCES;
        return -error;
    }
    while ((file = readdir(files))) {
        const char *end = strstr(file->d_name, ".journal");
        CLEANUP_FREE char *path = NULL;

        if (*file->d_name == '.')
            continue;
        path = string_format("%s/%s", directory, file->d_name);
        if (end && (!end[8] || !strcmp(end + 8, "~"))) {
            bool readable = access(path, R_OK) == 0;

            found->readable |= readable;
            /* Whoever may read only a journal of his own does not see pathdog's. */
            found->denied |= !readable && !strncmp(file->d_name, "system", 6);
        } else if (depth && file->d_type == DT_DIR) {
            (void)find_journals(path, depth - 1, found);
        }
    }
    closedir(files);
    return 0;
}

/* The library leaves out what it may not read, without a word. */
static int check_place(const struct journal_place *place)
{
    struct found found = {0};

    if (place->file)
        return access(place->file, R_OK) < 0 ? -errno : 0;
    if (place->directory) {
        int r = find_journals(place->directory, 1, &found);

        if (r < 0)
            return r;
    } else {
        (void)find_journals("/var/log/journal", 1, &found);
        (void)find_journals("/run/log/journal", 1, &found);
    }
    if (found.denied)
        return -EACCES;
    return found.readable ? 0 : -ENODATA;
}

int journal_reader_open(const struct journal_place *place, struct journal_reader **ret_reader)
{
    sd_journal *journal = NULL;
    int r = check_place(place);

    if (r < 0)
        return r;
    if (place->file)
        r = sd_journal_open_files(&journal, (const char *[]){place->file, NULL}, 0);
    else if (place->directory)
        r = sd_journal_open_directory(&journal, place->directory, 0);
    else
        r = sd_journal_open(&journal, SD_JOURNAL_LOCAL_ONLY);
    if (r < 0)
        return r;
    *ret_reader = memory_new(1, sizeof(**ret_reader));
    (*ret_reader)->journal = journal;
    (*ret_reader)->machines = machines_new();
    return 0;
}

struct journal_reader *journal_reader_free(struct journal_reader *reader)
{
    if (reader) {
        sd_journal_close(reader->journal);
        machines_free(reader->machines);
    }
    free(reader);
    return NULL;
}

/* ---- reading ---- */

static int match(sd_journal *journal, const char *name, const char *value)
{
    CLEANUP_FREE char *text = NULL;

    if (!value)
        return 0;
    text = string_format("%s=%s", name, value);
    return sd_journal_add_match(journal, text, 0);
}

/* Fields of one name are alternatives, and of several names all must fit. */
static int match_all(sd_journal *journal, const struct journal_wish *wish)
{
    static const char *const ids[] = {MESSAGE_ID_DECISION, MESSAGE_ID_OUTCOME, MESSAGE_ID_EFFECT,
                                      MESSAGE_ID_CAUSE,    MESSAGE_ID_UPLINK,  MESSAGE_ID_NODE,
                                      MESSAGE_ID_PEER,     MESSAGE_ID_NOTICE};
    /* causes always: they stand for decisions that the journal does not have */
    size_t n_ids = wish->everything ? ARRAY_SIZE(ids) : wish->uplinks ? 5 : 4;
    int r = 0;

    sd_journal_flush_matches(journal);
    for (size_t i = 0; r >= 0 && i < n_ids; i++)
        r = match(journal, "MESSAGE_ID", ids[i]);
    if (r >= 0)
        r = match(journal, "_SYSTEMD_UNIT", wish->unit);
    if (r >= 0)
        r = match(journal, "PATHDOG_RUN", wish->run);
    return r < 0 ? r : match(journal, "PATHDOG_PEER", wish->peer);
}

int journal_reader_start(struct journal_reader *reader, const struct journal_wish *wish,
                         uint64_t from_us, bool backwards)
{
    int r = match_all(reader->journal, wish);

    reader->backwards = backwards;
    if (r < 0)
        return r;
    if (from_us)
        return sd_journal_seek_realtime_usec(reader->journal, from_us);
    return backwards ? sd_journal_seek_tail(reader->journal)
                     : sd_journal_seek_head(reader->journal);
}

int journal_reader_any(struct journal_reader *reader, const struct journal_wish *wish)
{
    int r = journal_reader_start(reader, wish, 0, true);

    return r < 0 ? r : sd_journal_previous(reader->journal);
}

static size_t fields_read(sd_journal *journal, struct entry_field *fields, char **ret_bytes)
{
    const char *data;
    size_t length, n = 0, used = 0, room = 0;

    *ret_bytes = NULL;
    /* What is given is good only until the next one is asked for. */
    SD_JOURNAL_FOREACH_DATA(journal, *(const void **)&data, length)
    {
        const char *equals = memchr(data, '=', length);

        if (!equals || n == FIELDS_MAX || (size_t)(equals - data) > NAME_BYTES)
            continue;
        length = min_u64(length, FIELD_BYTES);
        *ret_bytes = array_reserve(*ret_bytes, &room, used + length, 1);
        memcpy(*ret_bytes + used, data, length);
        fields[n++] = (struct entry_field){.n_name = (size_t)(equals - data),
                                           .n_value = length - (size_t)(equals - data) - 1};
        used += length;
    }
    used = 0;
    for (size_t i = 0; i < n; i++) {
        fields[i].name = *ret_bytes + used;
        fields[i].value = fields[i].name + fields[i].n_name + 1;
        used += fields[i].n_name + 1 + fields[i].n_value;
    }
    return n;
}

/* To be freed; NULL where it is not there, or no text. */
static char *value_of(const struct entry_field *fields, size_t n, const char *name)
{
    const struct entry_field *field = entry_find(fields, n, name);

    return field && text_is_printable(field->value, field->n_value)
               ? memory_check(strndup(field->value, field->n_value))
               : NULL;
}

static void note_run(struct journal_reader *reader, const json_t *record,
                     const struct entry_field *fields, size_t n)
{
    CLEANUP_FREE char *machine = value_of(fields, n, "_MACHINE_ID");
    CLEANUP_FREE char *host = value_of(fields, n, "_HOSTNAME");
    CLEANUP_FREE char *unit = value_of(fields, n, "_SYSTEMD_UNIT");

    machines_note(reader->machines, json_string_value(json_object_get(record, "run")), machine,
                  host, unit);
}

static json_t *entry_read(struct journal_reader *reader)
{
    struct entry_field fields[FIELDS_MAX];
    const struct entry_field *dropped;
    CLEANUP_FREE char *bytes = NULL;
    size_t n = fields_read(reader->journal, fields, &bytes);
    json_t *record = entry_record(fields, n);

    reader->n_dropped = 0;
    if (!record) {
        reader->n_bad++;
        return NULL;
    }
    note_run(reader, record, fields, n);
    dropped = entry_find(fields, n, "PATHDOG_LOG_DROPPED");
    for (size_t i = 0; dropped && i < dropped->n_value && i < 18; i++)
        if (dropped->value[i] >= '0' && dropped->value[i] <= '9')
            reader->n_dropped = reader->n_dropped * 10 + (uint64_t)(dropped->value[i] - '0');
    return record;
}

int journal_reader_next(struct journal_reader *reader, json_t **ret_record, uint64_t *ret_got_us)
{
    int r =
        reader->backwards ? sd_journal_previous(reader->journal) : sd_journal_next(reader->journal);

    if (r <= 0)
        return r;
    r = sd_journal_get_realtime_usec(reader->journal, ret_got_us);
    if (r < 0)
        *ret_got_us = 0;
    *ret_record = entry_read(reader);
    return 1;
}

int journal_reader_wait(struct journal_reader *reader)
{
    int r = sd_journal_wait(reader->journal, UINT64_MAX);

    return r < 0 ? r : 0;
}

int journal_reader_unit(struct journal_reader *reader, const char *run, char **ret_unit)
{
    const void *data;
    size_t length, n_name = strlen("_SYSTEMD_UNIT=");
    int r = journal_reader_any(reader, &(struct journal_wish){.everything = true, .run = run});

    *ret_unit = NULL;
    if (r <= 0)
        return r;
    if (sd_journal_get_data(reader->journal, "_SYSTEMD_UNIT", &data, &length) == 0) {
        *ret_unit = memory_check(strndup((const char *)data + n_name, length - n_name));
        length = strlen(*ret_unit); /* it may have a NUL */
        if (length < 9 || strcmp(*ret_unit + length - 8, ".service") != 0) {
            free(*ret_unit);
            *ret_unit = NULL;
        }
    }
    return 1;
}

const json_t *journal_reader_units(const struct journal_reader *reader)
{
    return reader ? machines_units(reader->machines) : NULL;
}

const json_t *journal_reader_machines(const struct journal_reader *reader)
{
    return reader ? machines_names(reader->machines) : NULL;
}

uint64_t journal_reader_oldest(struct journal_reader *reader)
{
    uint64_t from_us = 0;

    return sd_journal_get_cutoff_realtime_usec(reader->journal, &from_us, NULL) > 0 ? from_us : 0;
}

uint64_t journal_reader_dropped(const struct journal_reader *reader)
{
    return reader->n_dropped;
}

uint64_t journal_reader_bad(const struct journal_reader *reader)
{
    return reader->n_bad;
}
