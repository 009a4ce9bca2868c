/* SPDX-License-Identifier: Apache-2.0 */
/* Request lines. Every line written here is valid JSON, whatever the texts are. */
#include "requests.h"

/* Texts are cut here, so that a line stays far below 1 MiB however much of it
 * must be escaped. */
#define REASON_MAX_BYTES 4096
#define NAME_MAX_BYTES   1024

#define LINE_BEGIN "{\"jsonrpc\":\"2.0\",\"id\":"

static void text_append(struct buffer *out, const char *text, size_t max)
{
    buffer_json(out, text, strnlen(text, max));
}

void hello_append(struct buffer *out, uint64_t id, const char *client)
{
    buffer_text(out, LINE_BEGIN);
    buffer_u64(out, id);
    buffer_text(out, ",\"method\":\"hello\",\"params\":{\"protocol\":[1],\"client\":");
    text_append(out, client, NAME_MAX_BYTES);
    buffer_text(out, "}}\n");
}

void subscribe_append(struct buffer *out, uint64_t id)
{
    buffer_text(out, LINE_BEGIN);
    buffer_u64(out, id);
    buffer_text(out, ",\"method\":\"subscribe\"}\n");
}

void conns_append(struct buffer *out, uint64_t id, const char *method, const uint64_t *conns,
                  size_t n_conns)
{
    buffer_text(out, LINE_BEGIN);
    buffer_u64(out, id);
    buffer_text(out, ",\"method\":\"");
    buffer_text(out, method);
    buffer_text(out, "\"");
    if (conns) {
        buffer_text(out, ",\"params\":{\"conns\":[");
        for (size_t i = 0; i < n_conns; i++) {
            if (i)
                buffer_append(out, ",", 1);
            buffer_u64(out, conns[i]);
        }
        buffer_text(out, "]}");
    }
    buffer_text(out, "}\n");
}

static void place_append(struct buffer *out, const char *name, const char *value)
{
    if (!value)
        return;
    buffer_text(out, ",\"");
    buffer_text(out, name);
    buffer_text(out, "\":");
    text_append(out, value, NAME_MAX_BYTES);
}

void probe_path_append(struct buffer *out, uint64_t id, const struct action_probe_path *probe)
{
    buffer_text(out, LINE_BEGIN);
    buffer_u64(out, id);
    buffer_text(out, ",\"method\":\"probe_path\",\"params\":{\"conn\":");
    buffer_u64(out, probe->conn);
    buffer_text(out, ",\"timeout_ms\":");
    buffer_u64(out, probe->timeout_ms);
    place_append(out, "interface", probe->interface);
    buffer_text(out, "}}\n");
}

void cancel_append(struct buffer *out, uint64_t id)
{
    buffer_text(out, "{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{\"id\":");
    buffer_u64(out, id);
    buffer_text(out, "}}\n");
}

/* All but the numbers; the id's digits are filled in for each line. */
static void head_prepare(struct move_writer *writer, size_t id_length)
{
    struct buffer *head = &writer->head;

    writer->id_length = id_length;
    buffer_take(head, head->length);
    buffer_text(head, LINE_BEGIN);
    memset(buffer_space(head, id_length), '0', id_length);
    buffer_added(head, id_length);
    buffer_text(head, ",\"method\":\"");
    buffer_text(head, writer->reconnect ? "reconnect_peer" : "migrate_peer");
    buffer_text(head, "\",\"params\":{\"conn\":");
}

static void tail_prepare(struct move_writer *writer, uint32_t features)
{
    const struct action_move *move = &writer->like;
    struct buffer *tail = &writer->tail;

    buffer_take(tail, tail->length);
    buffer_text(tail, ",\"timeout_ms\":");
    buffer_u64(tail, move->timeout_ms);
    if (features & NODE_BIND) {
        place_append(tail, "interface", move->interface);
        place_append(tail, "local", move->local);
    }
    if (!writer->reconnect && features & NODE_RELAY)
        place_append(tail, "via", move->via);
    if (writer->reconnect && move->keep_old && features & NODE_MAKE_BEFORE_BREAK)
        buffer_text(tail, ",\"keep_old\":true");
    if (move->reason) {
        buffer_text(tail, ",\"reason\":");
        buffer_json(tail, move->reason->s, min_u64(move->reason->length, REASON_MAX_BYTES));
    }
    buffer_text(tail, "}}\n");
}

static bool is_alike(const struct move_writer *writer, const struct action_move *move,
                     bool reconnect)
{
    const struct action_move *like = &writer->like;

    return writer->tail.length && like->reason == move->reason &&
           like->timeout_ms == move->timeout_ms && like->interface == move->interface &&
           like->local == move->local && like->via == move->via &&
           like->keep_old == move->keep_old && writer->reconnect == reconnect;
}

void move_append(struct buffer *out, uint64_t id, const struct action *action, uint32_t features,
                 struct move_writer *writer)
{
    const struct action_move *move = &action->move;
    bool reconnect = action->type == ACTION_RECONNECT;
    size_t id_length = decimal_length(id), conn_length = decimal_length(move->conn);
    char *line;

    if (!is_alike(writer, move, reconnect)) {
        writer->like = *move;
        writer->reconnect = reconnect;
        writer->id_length = 0;
        tail_prepare(writer, features);
    }
    if (writer->id_length != id_length)
        head_prepare(writer, id_length);
    line = buffer_space(out, writer->head.length + conn_length + writer->tail.length);
    memcpy(line, buffer_bytes(&writer->head), writer->head.length);
    decimal_fill(line + sizeof(LINE_BEGIN) - 1, id_length, id);
    line += writer->head.length;
    decimal_fill(line, conn_length, move->conn);
    memcpy(line + conn_length, buffer_bytes(&writer->tail), writer->tail.length);
    buffer_added(out, writer->head.length + conn_length + writer->tail.length);
}

void move_writer_clear(struct move_writer *writer)
{
    buffer_clear(&writer->head);
    buffer_clear(&writer->tail);
    *writer = (struct move_writer){0};
}
