/* SPDX-License-Identifier: Apache-2.0 */
/* RTTs and paths of peers over time, in bounded memory. */
#include "series.h"

#include <jansson.h>

#include "../util/hash.h"
#include "../util/json-write.h"

#define STEP_MIN_US UINT64_C(50000)

struct step {
    uint32_t min_us, max_us; /* max 0: no sample */
};

struct path_change {
    uint64_t time_us;
    char *local, *interface; /* NULL: not known */
};

struct line {
    char *peer;
    struct step *steps; /* SERIES_STEPS; NULL until the first sample */
    struct path_change *paths;
    size_t n_paths, capacity;
    uint64_t n_paths_more; /* not kept */
    uint64_t n_samples, n_decisions;
    uint32_t min_us, max_us;
};

/* A connection that is up. */
struct place {
    uint64_t conn;
    uint64_t samples, received; /* of the row before */
    uint32_t line;              /* from 1; 0: nothing is here */
};

struct series {
    uint64_t since_us, until_us;
    uint64_t from_us, step_us; /* from_us 0: nothing yet */
    uint64_t last_us;
    struct line *lines;
    size_t n_lines, lines_capacity;
    json_t *names; /* peer → index */
    uint64_t n_left_out;
    struct place *places;
    size_t n_places, places_size; /* a power of two */
};

struct series *series_new(uint64_t since_us, uint64_t until_us)
{
    struct series *series = memory_new(1, sizeof(*series));

    series->since_us = since_us;
    series->until_us = until_us;
    series->step_us = STEP_MIN_US;
    series->names = json_object();
    series->places_size = 64;
    series->places = memory_new(series->places_size, sizeof(*series->places));
    return series;
}

struct series *series_free(struct series *series)
{
    if (!series)
        return NULL;
    for (size_t i = 0; i < series->n_lines; i++) {
        struct line *line = &series->lines[i];

        for (size_t k = 0; k < line->n_paths; k++) {
            free(line->paths[k].local);
            free(line->paths[k].interface);
        }
        free(line->paths);
        free(line->steps);
        free(line->peer);
    }
    free(series->lines);
    free(series->places);
    json_decref(series->names);
    free(series);
    return NULL;
}

/* ---- which connection is whose ---- */

static size_t home_of(const struct series *series, uint64_t conn)
{
    return hash_bytes(HASH_START, &conn, sizeof(conn)) & (series->places_size - 1);
}

/* Where it is, or where it would be. */
static struct place *place_of(const struct series *series, uint64_t conn)
{
    size_t i = home_of(series, conn);

    while (series->places[i].line && series->places[i].conn != conn)
        i = (i + 1) & (series->places_size - 1);
    return &series->places[i];
}

static void places_grow(struct series *series)
{
    struct place *old = series->places;
    size_t size = series->places_size;

    series->places_size *= 2;
    series->places = memory_new(series->places_size, sizeof(*series->places));
    for (size_t i = 0; i < size; i++)
        if (old[i].line)
            *place_of(series, old[i].conn) = old[i];
    free(old);
}

/* Those behind it that would not be found any more move up. */
static void place_remove(struct series *series, uint64_t conn)
{
    struct place *place = place_of(series, conn);
    size_t hole = (size_t)(place - series->places), mask = series->places_size - 1;

    if (!place->line)
        return;
    for (size_t i = (hole + 1) & mask; series->places[i].line; i = (i + 1) & mask) {
        size_t home = home_of(series, series->places[i].conn);

        if (((i - home) & mask) >= ((i - hole) & mask)) {
            series->places[hole] = series->places[i];
            hole = i;
        }
    }
    series->places[hole].line = 0;
    series->n_places--;
}

/* The peer's, NULL where there are too many. */
static struct line *line_of(struct series *series, const char *peer)
{
    const json_t *index = json_object_get(series->names, peer);

    if (index)
        return &series->lines[json_integer_value(index)];
    if (series->n_lines == SERIES_PEERS) {
        series->n_left_out++;
        return NULL;
    }
    if (json_object_set_new(series->names, peer, json_integer((json_int_t)series->n_lines)) < 0)
        return NULL; /* no UTF-8: no name of a peer */
    series->lines = array_reserve(series->lines, &series->lines_capacity, series->n_lines + 1,
                                  sizeof(*series->lines));
    series->lines[series->n_lines] = (struct line){.peer = string_copy(peer)};
    return &series->lines[series->n_lines++];
}

/* ---- time ---- */

/* Two steps become one, of all peers. */
static void fold(struct series *series)
{
    series->step_us *= 2;
    for (size_t i = 0; i < series->n_lines; i++) {
        struct step *steps = series->lines[i].steps;

        for (size_t k = 0; steps && k < SERIES_STEPS; k++) {
            struct step one = {0}, other = {0};

            if (k < SERIES_STEPS / 2) {
                one = steps[2 * k];
                other = steps[2 * k + 1];
            }
            steps[k].max_us = one.max_us > other.max_us ? one.max_us : other.max_us;
            steps[k].min_us = !one.max_us                 ? other.min_us
                              : !other.max_us             ? one.min_us
                              : one.min_us < other.min_us ? one.min_us
                                                          : other.min_us;
        }
    }
}

/* Is it of the time that is wanted? Then `*ret_step` is where. */
static bool when(struct series *series, uint64_t time_us, size_t *ret_step)
{
    if (time_us < series->since_us || time_us > series->until_us)
        return false;
    if (!series->from_us)
        series->from_us = time_us;
    /* the wall clock may have been set back */
    series->last_us = max_u64(series->last_us, time_us);
    while (sub_u64(time_us, series->from_us) / series->step_us >= SERIES_STEPS)
        fold(series);
    *ret_step = (size_t)(sub_u64(time_us, series->from_us) / series->step_us);
    return true;
}

/* ---- what happens ---- */

/* Where there are too many, the last one of all takes the place of the last one that is kept. */
static void take_path(struct line *line, uint64_t time_us, const char *local, const char *interface)
{
    struct path_change *last = line->n_paths ? &line->paths[line->n_paths - 1] : NULL;
    struct path_change change;

    if (!local || (last && string_equal(last->local, local) &&
                   (!interface || string_equal(last->interface, interface))))
        return;
    change = (struct path_change){time_us, string_copy(local), string_copy(interface)};
    if (line->n_paths == SERIES_PATHS) {
        line->n_paths_more++;
        free(line->paths[SERIES_PATHS - 1].local);
        free(line->paths[SERIES_PATHS - 1].interface);
        line->paths[SERIES_PATHS - 1] = change;
        return;
    }
    line->paths =
        array_reserve(line->paths, &line->capacity, line->n_paths + 1, sizeof(*line->paths));
    line->paths[line->n_paths++] = change;
}

static void take_up(struct series *series, const struct event_peer_up *up, uint64_t time_us)
{
    struct line *line = line_of(series, up->peer);
    struct place *place;

    if (!line)
        return;
    if (2 * series->n_places >= series->places_size)
        places_grow(series);
    place = place_of(series, up->conn);
    series->n_places += !place->line;
    *place = (struct place){.conn = up->conn,
                            .samples = PD_UNKNOWN,
                            .received = PD_UNKNOWN,
                            .line = (uint32_t)(line - series->lines) + 1};
    take_path(line, time_us, up->local, up->interface);
}

/* Was it heard since the row before? An SRTT that stands still says nothing. */
static bool is_fresh(struct place *place, const struct pd_row *row)
{
    uint64_t samples = row->v[PD_RTT_SAMPLES], received = row->v[PD_BYTES_RECEIVED];
    bool fresh = true;

    if (samples != PD_UNKNOWN)
        fresh = samples != place->samples;
    else if (received != PD_UNKNOWN)
        fresh = received != place->received;
    place->samples = samples;
    place->received = received;
    return fresh;
}

static void take_row(struct series *series, const struct sample_row *row, size_t at)
{
    struct place *place = place_of(series, row->conn);
    uint64_t rtt_us = row->row.v[PD_LATEST_RTT_US];
    struct line *line;
    struct step *step;

    if (rtt_us == PD_UNKNOWN)
        rtt_us = row->row.v[PD_SRTT_US];
    if (!place->line || !is_fresh(place, &row->row) || rtt_us == PD_UNKNOWN || !rtt_us)
        return;
    rtt_us = min_u64(rtt_us, UINT32_MAX);
    line = &series->lines[place->line - 1];
    if (!line->steps)
        line->steps = memory_new(SERIES_STEPS, sizeof(*line->steps));
    step = &line->steps[at];
    if (!step->max_us || rtt_us < step->min_us)
        step->min_us = (uint32_t)rtt_us;
    if (rtt_us > step->max_us)
        step->max_us = (uint32_t)rtt_us;
    if (!line->n_samples++ || rtt_us < line->min_us)
        line->min_us = (uint32_t)rtt_us;
    if (rtt_us > line->max_us)
        line->max_us = (uint32_t)rtt_us;
}

void series_event(struct series *series, const struct event *event)
{
    uint64_t time_us = event->realtime_us;
    struct place *place;
    size_t step = 0;
    bool wanted = when(series, time_us, &step);

    switch (event->type) {
    case EVENT_PEER_UP:
        take_up(series, &event->peer_up, time_us);
        break;
    case EVENT_PEER_DOWN:
        place_remove(series, event->peer_down.conn);
        break;
    case EVENT_PEER_PATH:
        place = place_of(series, event->peer_path.conn);
        if (place->line)
            take_path(&series->lines[place->line - 1], time_us, event->peer_path.local,
                      event->peer_path.interface);
        break;
    case EVENT_SAMPLES:
        for (size_t i = 0; wanted && i < event->samples.n_rows; i++)
            take_row(series, &event->samples.rows[i], step);
        break;
    default:
        break;
    }
}

void series_record(struct series *series, const struct record *record)
{
    const json_t *index;
    struct line *line;

    if (record->type != RECORD_DECISION && record->type != RECORD_OUTCOME)
        return;
    index = json_object_get(series->names, record->type == RECORD_DECISION
                                               ? record->decision.subject.peer->s
                                               : record->outcome.subject.peer->s);
    if (!index)
        return;
    line = &series->lines[json_integer_value(index)];
    if (record->type == RECORD_DECISION)
        line->n_decisions++;
    else if (record->outcome.local_after)
        take_path(line, record->time_us, record->outcome.local_after->s, NULL);
}

/* ---- the lines ---- */

static int compare(const void *a, const void *b)
{
    const struct line *one = *(const struct line *const *)a,
                      *other = *(const struct line *const *)b;

    if (one->n_decisions != other->n_decisions)
        return one->n_decisions < other->n_decisions ? 1 : -1;
    if (one->max_us != other->max_us)
        return one->max_us < other->max_us ? 1 : -1;
    return strcmp(one->peer, other->peer);
}

/* Each step with samples as [number, min, max]. */
static void write_steps(const struct line *line, struct buffer *out)
{
    put_open(out, "rtt_us", "[");
    for (size_t i = 0; line->steps && i < SERIES_STEPS; i++) {
        if (!line->steps[i].max_us)
            continue;
        put_open(out, NULL, "[");
        put_u64(out, NULL, i);
        put_u64(out, NULL, line->steps[i].min_us);
        put_u64(out, NULL, line->steps[i].max_us);
        put_close(out, "]");
    }
    put_close(out, "]");
}

/* What is beyond the range of JSON's readers is a time of no clock. */
static uint64_t in_range(uint64_t time_us)
{
    return min_u64(time_us, INT64_MAX);
}

static void write_line(const struct series *series, const struct line *line, struct buffer *out)
{
    buffer_text(out, "{");
    put_text(out, "series", "peer");
    put_text(out, "peer", line->peer);
    put_u64(out, "from_us", in_range(series->from_us));
    put_u64(out, "step_us", in_range(series->step_us));
    put_u64(out, "samples", line->n_samples);
    write_steps(line, out);
    put_open(out, "paths", "[");
    for (size_t i = 0; i < line->n_paths; i++) {
        put_open(out, NULL, "[");
        put_u64(out, NULL, in_range(line->paths[i].time_us));
        put_text(out, NULL, line->paths[i].local);
        put_text(out, NULL, line->paths[i].interface);
        put_close(out, "]");
    }
    put_close(out, "]");
    put_u64(out, "paths_left_out", line->n_paths_more);
    put_close(out, "}");
    buffer_append(out, "\n", 1);
}

void series_write(const struct series *series, struct buffer *out)
{
    const struct line **sorted = memory_new(series->n_lines, sizeof(struct line *));

    for (size_t i = 0; i < series->n_lines; i++)
        sorted[i] = &series->lines[i];
    qsort(sorted, series->n_lines, sizeof(struct line *), compare);
    for (size_t i = 0; i < series->n_lines && i < SERIES_SHOWN; i++)
        write_line(series, sorted[i], out);
    free(sorted);
    buffer_text(out, "{");
    put_text(out, "series", "all");
    put_u64(out, "from_us", in_range(series->from_us));
    put_u64(out, "until_us", in_range(series->last_us));
    put_u64(out, "peers", series->n_lines);
    put_u64(out, "left_out", series->n_left_out);
    put_close(out, "}");
    buffer_append(out, "\n", 1);
}
