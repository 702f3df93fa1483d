// libmicrohttpd, opened while the program runs and only when somebody wants pages: a worker needs none of it.
#ifndef QUINTET_CMICROHTTPD_H
#define QUINTET_CMICROHTTPD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

typedef struct quintet_http_server quintet_http_server;

// One request while it is answered.
typedef struct quintet_http_request quintet_http_request;

// What a server is like.
typedef struct {
    unsigned connections_max;
    unsigned connections_per_address_max;
    unsigned timeout_seconds;
    // What is sent with a request is kept up to this; more is refused with 413.
    size_t body_byte_count_max;
    // Each connection has a thread, so that an answer may wait; otherwise one thread serves all, one at a time.
    int has_threads;
    // PEM texts for TLS; NULL: plain HTTP.
    const char *certificate;
    const char *key;
} quintet_http_settings;

// Called on one of the server's threads. It calls `quintet_http_answer` or `quintet_http_stream`, then
// `quintet_http_add` for headers, and returns the status.
typedef unsigned (*quintet_http_handler)(
    void *context, quintet_http_request *request, const char *method, const char *path);

// What a stream says next: at most `byte_count` bytes; it may wait. Negative: the stream has ended.
typedef ssize_t (*quintet_http_reader)(void *stream, char *bytes, size_t byte_count);
typedef void (*quintet_http_releaser)(void *stream);

// Of a request: NULL where there is none. Valid until the handler returns.
const char *quintet_http_header(const quintet_http_request *request, const char *name);
const char *quintet_http_query(const quintet_http_request *request, const char *name);
const void *quintet_http_body(const quintet_http_request *request, size_t *byte_count);

// The bytes are copied.
void quintet_http_answer(quintet_http_request *request, const void *bytes, size_t byte_count);
// Of a server with threads only. `releaser` is called once, whatever happens.
void quintet_http_stream(
    quintet_http_request *request, void *stream, quintet_http_reader reader, quintet_http_releaser releaser,
    unsigned timeout_seconds);
void quintet_http_add(quintet_http_request *request, const char *name, const char *value);

// NULL where the library is missing or the address is taken: `error` then says why, of the two which one.
quintet_http_server *quintet_http_start(
    const struct sockaddr *address, socklen_t address_byte_count, const quintet_http_settings *settings,
    quintet_http_handler handler, void *context, char *error, size_t error_byte_count);

// Whether the library is on this machine.
int quintet_http_is_here(void);

// The port it listens at.
uint16_t quintet_http_port(const quintet_http_server *server);

// Ends its threads; the handler is not called any more afterwards. Streams that wait have to end by themselves.
void quintet_http_stop(quintet_http_server *server);

#endif
