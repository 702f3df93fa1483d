#include "CMicroHTTPD.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { connection_byte_count = 32768, stream_block_byte_count = 16384 };

// Debian 12's and Ubuntu's library; the interface has been the same since its version 0.9.71.
static const char *const library_name = "libmicrohttpd.so.12";

// What older browsers than those of 2018 would need is left out.
static const char *const tls_priorities = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";

struct quintet_http_server {
    void *library;
    struct MHD_Daemon *daemon;
    uint16_t port;
    size_t body_byte_count_max;
    quintet_http_handler handler;
    void *context;
    __typeof__(MHD_start_daemon) *start_daemon;
    __typeof__(MHD_stop_daemon) *stop_daemon;
    __typeof__(MHD_get_daemon_info) *get_daemon_info;
    __typeof__(MHD_is_feature_supported) *is_feature_supported;
    __typeof__(MHD_lookup_connection_value) *lookup_value;
    __typeof__(MHD_set_connection_option) *set_connection_option;
    __typeof__(MHD_create_response_from_buffer) *create_response;
    __typeof__(MHD_create_response_from_callback) *create_stream;
    __typeof__(MHD_destroy_response) *destroy_response;
    __typeof__(MHD_add_response_header) *add_response_header;
    __typeof__(MHD_queue_response) *queue_response;
};

struct quintet_http_request {
    quintet_http_server *server;
    struct MHD_Connection *connection;
    struct MHD_Response *response;
    size_t body_byte_count;
    int is_too_large;
    char body[];
};

const char *quintet_http_header(const quintet_http_request *request, const char *name)
{
    return request->server->lookup_value(request->connection, MHD_HEADER_KIND, name);
}

const char *quintet_http_query(const quintet_http_request *request, const char *name)
{
    return request->server->lookup_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const void *quintet_http_body(const quintet_http_request *request, size_t *byte_count)
{
    *byte_count = request->body_byte_count;
    return request->body;
}

void quintet_http_answer(quintet_http_request *request, const void *bytes, size_t byte_count)
{
    // It copies, and does not change them before.
    request->response = request->server->create_response(byte_count, (void *)bytes, MHD_RESPMEM_MUST_COPY);
}

struct stream {
    void *stream;
    quintet_http_reader reader;
    quintet_http_releaser releaser;
};

static ssize_t read_stream(void *closure, uint64_t position, char *bytes, size_t byte_count)
{
    struct stream *stream = closure;
    (void)position;
    ssize_t count = stream->reader(stream->stream, bytes, byte_count);
    return count < 0 ? MHD_CONTENT_READER_END_OF_STREAM : count;
}

static void release_stream(void *closure)
{
    struct stream *stream = closure;
    stream->releaser(stream->stream);
    free(stream);
}

void quintet_http_stream(
    quintet_http_request *request, void *stream, quintet_http_reader reader, quintet_http_releaser releaser,
    unsigned timeout_seconds)
{
    struct stream *closure = malloc(sizeof *closure);
    if (closure == NULL) {
        releaser(stream);
        return;
    }
    *closure = (struct stream){.stream = stream, .reader = reader, .releaser = releaser};
    request->response = request->server->create_stream(
        MHD_SIZE_UNKNOWN, stream_block_byte_count, read_stream, closure, release_stream);
    if (request->response == NULL) release_stream(closure);
    request->server->set_connection_option(request->connection, MHD_CONNECTION_OPTION_TIMEOUT, timeout_seconds);
}

void quintet_http_add(quintet_http_request *request, const char *name, const char *value)
{
    if (request->response != NULL) request->server->add_response_header(request->response, name, value);
}

static enum MHD_Result take_body(quintet_http_request *request, const char *bytes, size_t *byte_count)
{
    size_t room = request->server->body_byte_count_max - request->body_byte_count;
    if (*byte_count > room) request->is_too_large = 1;
    else {
        memcpy(request->body + request->body_byte_count, bytes, *byte_count);
        request->body_byte_count += *byte_count;
    }
    *byte_count = 0;
    return MHD_YES;
}

static enum MHD_Result answer(
    void *closure, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
    const char *upload, size_t *upload_byte_count, void **state)
{
    quintet_http_server *server = closure;
    quintet_http_request *request = *state;
    (void)version;
    // First it tells that a request has come, then what was sent with it, then that this was all.
    if (request == NULL) {
        request = calloc(1, sizeof *request + server->body_byte_count_max);
        if (request == NULL) return MHD_NO;
        request->server = server;
        request->connection = connection;
        *state = request;
        return MHD_YES;
    }
    if (*upload_byte_count > 0) return take_body(request, upload, upload_byte_count);
    unsigned status = MHD_HTTP_CONTENT_TOO_LARGE;
    if (request->is_too_large) quintet_http_answer(request, "too much\n", 9);
    else status = server->handler(server->context, request, method, url);
    if (request->response == NULL) return MHD_NO;
    enum MHD_Result result = server->queue_response(connection, status, request->response);
    server->destroy_response(request->response);
    request->response = NULL;
    return result;
}

static void completed(
    void *closure, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode how)
{
    (void)closure;
    (void)connection;
    (void)how;
    free(*state);
    *state = NULL;
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
        && LOAD(is_feature_supported, MHD_is_feature_supported) && LOAD(lookup_value, MHD_lookup_connection_value)
        && LOAD(set_connection_option, MHD_set_connection_option)
        && LOAD(create_stream, MHD_create_response_from_callback) && LOAD(destroy_response, MHD_destroy_response)
        && LOAD(add_response_header, MHD_add_response_header) && LOAD(queue_response, MHD_queue_response);
#undef LOAD
}

int quintet_http_is_here(void)
{
    void *library = dlopen(library_name, RTLD_LAZY | RTLD_LOCAL);
    if (library == NULL) return 0;
    dlclose(library);
    return 1;
}

static void discard(quintet_http_server *server)
{
    if (server->library != NULL) dlclose(server->library);
    free(server);
}

static struct MHD_Daemon *listen_at(
    quintet_http_server *server, struct sockaddr_storage *address, const quintet_http_settings *settings)
{
    // Poll and not select: a coordinator of a thousand workers has descriptors that select cannot wait for.
    unsigned flags = MHD_USE_POLL | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ITC;
    if (settings->has_threads) flags |= MHD_USE_THREAD_PER_CONNECTION;
    if (address->ss_family == AF_INET6) flags |= MHD_USE_IPv6 | MHD_USE_DUAL_STACK;
    struct MHD_OptionItem tls[4] = {{MHD_OPTION_END, 0, NULL}};
    if (settings->certificate != NULL) {
        flags |= MHD_USE_TLS;
        tls[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)settings->key};
        tls[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)settings->certificate};
        tls[2] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)tls_priorities};
        tls[3] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    }
    errno = 0;
    return server->start_daemon(
        flags, 0, NULL, NULL, answer, server, MHD_OPTION_EXTERNAL_LOGGER, ignore, NULL, MHD_OPTION_SOCK_ADDR,
        (struct sockaddr *)address, MHD_OPTION_CONNECTION_LIMIT, settings->connections_max,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, settings->connections_per_address_max, MHD_OPTION_CONNECTION_TIMEOUT,
        settings->timeout_seconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)connection_byte_count,
        MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

quintet_http_server *quintet_http_start(
    const struct sockaddr *address, socklen_t address_byte_count, const quintet_http_settings *settings,
    quintet_http_handler handler, void *context, char *error, size_t error_byte_count)
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
    if (settings->certificate != NULL && server->is_feature_supported(MHD_FEATURE_TLS) != MHD_YES) {
        snprintf(error, error_byte_count, "this machine's libmicrohttpd was made without TLS");
        discard(server);
        return NULL;
    }
    server->handler = handler;
    server->context = context;
    server->body_byte_count_max = settings->body_byte_count_max;
    struct sockaddr_storage copy = {0};
    memcpy(&copy, address, address_byte_count < sizeof copy ? address_byte_count : sizeof copy);
    server->daemon = listen_at(server, &copy, settings);
    if (server->daemon == NULL) {
        snprintf(error, error_byte_count, "%s",
            errno != 0 ? strerror(errno)
                : settings->certificate != NULL ? "certificate and key do not fit, or the address cannot be used"
                : "the address cannot be used");
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
