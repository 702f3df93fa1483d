#include "CMicroHTTPD.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Whoever asks for metrics is a machine or two: more would be somebody who wants to use up what there is.
enum { connections_max = 64, connections_per_address_max = 16, timeout_seconds = 10, connection_byte_count = 32768 };

// Debian 12's and Ubuntu's library; the interface has been the same since its version 0.9.71.
static const char *const library_name = "libmicrohttpd.so.12";

struct quintet_http_server {
    void *library;
    struct MHD_Daemon *daemon;
    uint16_t port;
    quintet_http_handler handler;
    void *context;
    __typeof__(MHD_start_daemon) *start_daemon;
    __typeof__(MHD_stop_daemon) *stop_daemon;
    __typeof__(MHD_get_daemon_info) *get_daemon_info;
    __typeof__(MHD_create_response_from_buffer) *create_response;
    __typeof__(MHD_destroy_response) *destroy_response;
    __typeof__(MHD_add_response_header) *add_response_header;
    __typeof__(MHD_queue_response) *queue_response;
};

static enum MHD_Result answer(
    void *closure, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
    const char *upload, size_t *upload_byte_count, void **request)
{
    quintet_http_server *server = closure;
    (void)version;
    (void)upload;
    // First it tells that a request has come, then what was sent with it, then that this was all.
    if (*request == NULL) {
        *request = server;
        return MHD_YES;
    }
    if (*upload_byte_count > 0) {
        *upload_byte_count = 0;
        return MHD_YES;
    }
    quintet_http_answer made = server->handler(server->context, method, url);
    struct MHD_Response *response = server->create_response(made.byte_count, made.body, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(made.body);
        return MHD_NO;
    }
    server->add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, made.content_type);
    server->add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    server->add_response_header(response, "X-Content-Type-Options", "nosniff");
    enum MHD_Result result = server->queue_response(connection, made.status, response);
    server->destroy_response(response);
    return result;
}

// What MHD says of its own goes nowhere: the caller has its own words.
static void ignore(void *closure, const char *format, va_list values)
{
    (void)closure;
    (void)format;
    (void)values;
}

static int load(quintet_http_server *server)
{
    server->library = dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
    if (server->library == NULL) return 0;
#define LOAD(member, name) (*(void **)&server->member = dlsym(server->library, #name)) != NULL
    return LOAD(start_daemon, MHD_start_daemon) && LOAD(stop_daemon, MHD_stop_daemon)
        && LOAD(get_daemon_info, MHD_get_daemon_info) && LOAD(create_response, MHD_create_response_from_buffer)
        && LOAD(destroy_response, MHD_destroy_response) && LOAD(add_response_header, MHD_add_response_header)
        && LOAD(queue_response, MHD_queue_response);
#undef LOAD
}

static void discard(quintet_http_server *server)
{
    if (server->library != NULL) dlclose(server->library);
    free(server);
}

quintet_http_server *quintet_http_start(
    const struct sockaddr *address, socklen_t address_byte_count, quintet_http_handler handler, void *context,
    char *error, size_t error_byte_count)
{
    quintet_http_server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        snprintf(error, error_byte_count, "there is no memory left");
        return NULL;
    }
    if (!load(server)) {
        const char *why = dlerror();
        snprintf(error, error_byte_count, "the library for it is missing (%s): apt-get install libmicrohttpd12",
            why != NULL ? why : library_name);
        discard(server);
        return NULL;
    }
    server->handler = handler;
    server->context = context;
    struct sockaddr_storage copy = {0};
    memcpy(&copy, address, address_byte_count < sizeof copy ? address_byte_count : sizeof copy);
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ITC;
    if (address->sa_family == AF_INET6) flags |= MHD_USE_IPv6 | MHD_USE_DUAL_STACK;
    errno = 0;
    server->daemon = server->start_daemon(
        flags, 0, NULL, NULL, answer, server, MHD_OPTION_EXTERNAL_LOGGER, ignore, NULL, MHD_OPTION_SOCK_ADDR,
        (struct sockaddr *)&copy, MHD_OPTION_CONNECTION_LIMIT, (unsigned)connections_max,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)connections_per_address_max, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)timeout_seconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)connection_byte_count, MHD_OPTION_END);
    if (server->daemon == NULL) {
        snprintf(error, error_byte_count, "%s", errno != 0 ? strerror(errno) : "the address cannot be used");
        discard(server);
        return NULL;
    }
    const union MHD_DaemonInfo *info = server->get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT);
    server->port = info != NULL ? info->port : 0;
    return server;
}

uint16_t quintet_http_port(const quintet_http_server *server) { return server->port; }

void quintet_http_stop(quintet_http_server *server)
{
    server->stop_daemon(server->daemon);
    discard(server);
}
