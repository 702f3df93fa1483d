#include "Confinement.h"

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace quintet {

namespace {

void limit(__rlimit_resource resource, rlim_t most) {
    rlimit limits{};
    if (getrlimit(resource, &limits) != 0) return;
    if (limits.rlim_max < most) most = limits.rlim_max;
    limits.rlim_cur = limits.rlim_max = most;
    setrlimit(resource, &limits);
}

/// Files can be read, and that is all: no rule allows any of the handled rights anywhere.
void refuseWriting() {
    landlock_ruleset_attr rules{};
    rules.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE
        | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR
        | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK
        | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;
    const long set = syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
    if (set < 0) return;
    syscall(SYS_landlock_restrict_self, set, 0);
    close(static_cast<int>(set));
}

#if defined(__x86_64__)
constexpr std::uint32_t ownArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t ownArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t ownArchitecture = 0;
#endif

/// No program, process or socket, and no look into another process.
void refuseCalls() {
    if (ownArchitecture == 0) return;
    constexpr std::uint32_t refused[] = {
        SYS_socket, SYS_socketpair, SYS_connect, SYS_bind, SYS_execve, SYS_execveat, SYS_clone, SYS_clone3, SYS_ptrace,
        SYS_kill, SYS_tkill, SYS_process_vm_readv, SYS_process_vm_writev, SYS_mount, SYS_unshare,
#ifdef SYS_fork
        SYS_fork, SYS_vfork, SYS_unlink, SYS_rename, SYS_chmod,
#endif
        SYS_unlinkat, SYS_renameat2, SYS_fchmodat, SYS_truncate, SYS_linkat, SYS_symlinkat,
    };
    constexpr std::size_t count = sizeof refused / sizeof *refused;
    sock_filter filter[count + 6];
    std::size_t n = 0;
    filter[n++] = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch));
    filter[n++] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ownArchitecture, 1, 0);
    filter[n++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    filter[n++] = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
    for (std::size_t i = 0; i < count; i++) {
        filter[n++] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, refused[i], static_cast<unsigned char>(count - i), 0);
    }
    filter[n++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[n++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    sock_fprog program{static_cast<unsigned short>(n), filter};
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

}  // namespace

void confine() {
    limit(RLIMIT_CORE, 0);
    // Pipes have no size. Whoever sends the output to a file by hand may fill it.
    struct stat output {};
    if (fstat(STDOUT_FILENO, &output) == 0 && !S_ISREG(output.st_mode)) limit(RLIMIT_FSIZE, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return;
    refuseWriting();
    refuseCalls();
}

bool checkConfinement() {
    const bool hasLandlock = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
    const bool hasFilter = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == SECCOMP_MODE_FILTER;
    bool isConfined = true;
    const auto tell = [&](const char* what, bool isRefused, bool canBe) {
        std::printf("%s: %s\n", what, isRefused ? "refused" : canBe ? "POSSIBLE" : "this kernel cannot refuse it");
        if (canBe && !isRefused) isConfined = false;
    };
    tell("making a file", open("/tmp/quintet-dicom-check", O_CREAT | O_WRONLY | O_CLOEXEC, 0600) < 0, hasLandlock);
    tell("writing to a file", open("/dev/null", O_WRONLY | O_CLOEXEC) < 0, hasLandlock);
    tell("a socket", socket(AF_INET, SOCK_STREAM, 0) < 0, hasFilter);
    char name[] = "/bin/true";
    char* words[] = {name, nullptr};
    const pid_t child = fork();
    if (child == 0) _exit(0);
    tell("a process", child < 0, hasFilter);
    std::fflush(stdout);
    // Last: where it is possible, nothing of this comes back.
    if (hasFilter || hasLandlock) tell("another program", execv(name, words) < 0, true);
    return isConfined;
}

void limitResources(std::uint64_t memoryByteCount, unsigned computingSeconds) {
    limit(RLIMIT_AS, memoryByteCount);
    limit(RLIMIT_CPU, computingSeconds);
}

}  // namespace quintet
