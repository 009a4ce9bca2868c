/* SPDX-License-Identifier: Apache-2.0 */
/* The rig of the protocol's tests: what is told and what is written, kept to be compared. */
#include "protocol-rig.h"

#include "codec/codec.h"

struct rig rig;

static void on_event(void *userdata, struct event *event)
{
    static const char head[] = "{\"t\":0,\"rt\":0,\"event\":";
    struct buffer line = {0};

    event_encode(&line, event);
    assert_memory_equal(buffer_bytes(&line), head, sizeof(head) - 1);
    buffer_take(&line, sizeof(head) - 1);
    buffer_append(&rig.reported, buffer_bytes(&line), line.length - 2); /* without }LF */
    buffer_text(&rig.reported, "\n");
    buffer_clear(&line);
    if (rig.reply)
        protocol_send(rig.protocol, rig.now_us, rig.reply, 1);
}

void expect(const char *lines)
{
    buffer_append(&rig.reported, "", 1);
    assert_string_equal(buffer_bytes(&rig.reported), lines);
    buffer_take(&rig.reported, rig.reported.length);
}

void expect_first(const char *lines)
{
    size_t length = strlen(lines);

    assert_true(rig.reported.length >= length);
    assert_memory_equal(buffer_bytes(&rig.reported), lines, length);
    buffer_take(&rig.reported, length);
}

void expect_sent(const char *lines)
{
    struct buffer *out = protocol_output(rig.protocol);

    buffer_append(out, "", 1);
    assert_string_equal(buffer_bytes(out), lines);
    buffer_take(out, out->length);
}

void expect_notice(const char *kind, unsigned count)
{
    char head[128], tail[32];
    const char *line;

    snprintf(head, sizeof(head), "\"notice\",\"level\":\"warning\",\"what\":\"%s\",\"text\":\"",
             kind);
    snprintf(tail, sizeof(tail), "\"count\":%u\n", count);
    buffer_append(&rig.reported, "", 1);
    line = buffer_bytes(&rig.reported);
    if (strncmp(line, head, strlen(head)) || !strstr(line, tail) ||
        strchr(line, '\n') != line + strlen(line) - 1)
        fail_msg("not one %s notice of %u, but: %s", kind, count, line);
    buffer_take(&rig.reported, rig.reported.length);
}

int input(const char *text)
{
    return protocol_input(rig.protocol, rig.now_us, text, strlen(text));
}

void line(const char *text)
{
    assert_int_equal(input(text), 0);
    assert_int_equal(input("\n"), 0);
}

void open_at(uint64_t netns)
{
    const struct protocol_config config = {
        .client = "pathdog/0.1.0", .netns = netns, .sample_interval_us = 5 * SECOND};

    assert_int_equal(protocol_new(&config, on_event, NULL, &rig.protocol), 0);
    rig.now_us = 100 * SECOND;
    protocol_open(rig.protocol, rig.now_us, 1000);
}

int setup_closed(void **state)
{
    memset(&rig, 0, sizeof(rig));
    open_at(0);
    return 0;
}

int setup(void **state)
{
    setup_closed(state);
    line("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1,\"node\":\"n\",\"boot\":\"b\","
         "\"features\":[\"reconnect\",\"bind\",\"relay\",\"probe\",\"probe_path\","
         "\"make_before_break\"]}}");
    line("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"peers\":0}}");
    expect("\"node_up\",\"node\":\"n\",\"boot\":\"b\","
           "\"features\":[\"reconnect\",\"bind\",\"relay\",\"probe\",\"probe_path\","
           "\"make_before_break\"],"
           "\"prefer_reconnect\":false,\"max_in_flight\":0,\"uid\":1000\n\"snapshot\"\n");
    expect_sent(HELLO_LINE SUBSCRIBE_LINE);
    return 0;
}

int teardown(void **state)
{
    protocol_free(rig.protocol);
    buffer_clear(&rig.reported);
    return 0;
}

struct text *reason(const char *text)
{
    struct text *reason = memory_new(1, sizeof(*reason) + strlen(text) + 1);

    reason->length = (uint32_t)strlen(text);
    memcpy(reason->s, text, strlen(text));
    return reason;
}

void send_one(struct action action)
{
    protocol_send(rig.protocol, rig.now_us, &action, 1);
}
