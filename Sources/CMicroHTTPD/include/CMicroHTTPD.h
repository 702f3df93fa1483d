// libmicrohttpd, opened while the program runs and only when somebody wants pages: a worker needs none of it.
#ifndef QUINTET_CMICROHTTPD_H
#define QUINTET_CMICROHTTPD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

typedef struct quintet_http_server quintet_http_server;

// What a request is answered with. `body` comes from malloc and is freed once it is sent.
typedef struct {
    unsigned status;
    const char *content_type;  // copied
    void *body;
    size_t byte_count;
} quintet_http_answer;

// Called on the server's own thread, one request at a time.
typedef quintet_http_answer (*quintet_http_handler)(void *context, const char *method, const char *path);

// NULL where the library is missing or the address is taken: `error` then says why, of the two which one.
quintet_http_server *quintet_http_start(
    const struct sockaddr *address, socklen_t address_byte_count, quintet_http_handler handler, void *context,
    char *error, size_t error_byte_count);

// The port it listens at.
uint16_t quintet_http_port(const quintet_http_server *server);

// Ends its thread; the handler is not called any more afterwards.
void quintet_http_stop(quintet_http_server *server);

#endif
