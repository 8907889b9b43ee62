/**
 * System calls by what they touch: the vocabulary of the default profile. Sources: syscalls(2) for x86_64, i386, x32,
 * aarch64 and arm up to Linux 6.16; Docker's documentation "Seccomp security profiles for Docker", which lists the
 * calls that its default profile blocks and why.
 *
 * Names that an architecture or a libseccomp does not know are skipped by crun and runc.
 */

/** Calls that act on the caller's own resources, or that the kernel checks well enough by itself. */
export const ORDINARY: Readonly<Record<string, string>> = {
  files: `access chdir chmod chown chown32 close close_range creat dup dup2 dup3 faccessat faccessat2 fallocate
    fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync flock fstat fstat64 fstatat64
    fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 ioctl lchown lchown32 link
    linkat _llseek lseek lstat lstat64 mkdir mkdirat mknod mknodat newfstatat open openat openat2 readlink readlinkat
    rename renameat renameat2 rmdir stat stat64 statfs statfs64 statx symlink symlinkat sync syncfs truncate
    truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes name_to_handle_at cachestat
    file_getattr file_setattr listmount statmount`,
  attributes: `fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat
    llistxattr lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat`,
  transfer: `copy_file_range fadvise64 fadvise64_64 arm_fadvise64_64 pread64 preadv preadv2 pwrite64 pwritev pwritev2
    read readahead readv sendfile sendfile64 splice sync_file_range sync_file_range2 arm_sync_file_range tee vmsplice
    write writev io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit`,
  waiting: `epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old
    eventfd eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch _newselect pipe pipe2
    poll ppoll ppoll_time64 pselect6 pselect6_time64 select signalfd signalfd4`,
  memory: `brk get_thread_area set_thread_area madvise map_shadow_stack membarrier memfd_create memfd_secret mincore
    mlock mlock2 mlockall mmap mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free
    pkey_mprotect process_mrelease remap_file_pages`,
  processes: `capget capset execve execveat exit exit_group fork vfork getegid getegid32 geteuid geteuid32 getgid
    getgid32 getgroups getgroups32 getpgid getpgrp getpid getppid getpriority getresgid getresgid32 getresuid
    getresuid32 getrlimit getrusage getsid gettid getuid getuid32 ioprio_get ioprio_set pidfd_open pidfd_send_signal
    prctl prlimit64 ptrace process_vm_readv process_vm_writev seccomp setfsgid setfsgid32 setfsuid setfsuid32 setgid
    setgid32 setgroups setgroups32 setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid
    setresuid32 setreuid setreuid32 setrlimit setsid setuid setuid32 set_tid_address ugetrlimit wait4 waitid waitpid
    landlock_add_rule landlock_create_ruleset landlock_restrict_self uretprobe uprobe`,
  signals: `alarm getitimer kill pause restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
    rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo setitimer sigaction
    sigaltstack signal sigpending sigprocmask sigreturn sigsuspend tgkill tkill`,
  scheduling: `getcpu sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min
    sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr
    sched_setparam sched_setscheduler sched_yield`,
  synchronisation: `futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake get_robust_list
    set_robust_list rseq`,
  'inter-process': `ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend
    mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat
    shmctl shmdt shmget`,
  sockets: `accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg
    recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair`,
  time: `adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
    clock_nanosleep clock_nanosleep_time64 gettimeofday nanosleep time timer_create timer_delete timer_getoverrun
    timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64
    timerfd_settime timerfd_settime64 times`,
  system: `getrandom sysinfo uname`,
  x86: `arch_prctl modify_ldt`,
  arm: `breakpoint cacheflush set_tls`,
};

/**
 * Calls that are for holders of a capability: allowed when the container has one of those named, refused with EPERM
 * otherwise. The kernel would check most of them again; the filter keeps rarely used code out of reach.
 */
export const GATED: readonly { capabilities: readonly string[]; calls: string }[] = [
  {
    capabilities: ['CAP_SYS_ADMIN'],
    calls: `fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
      lsm_set_self_attr mount mount_setattr move_mount open_tree open_tree_attr pivot_root quotactl quotactl_fd
      setdomainname sethostname setns umount umount2 unshare`,
  },
  { capabilities: ['CAP_SYS_ADMIN', 'CAP_BPF'], calls: 'bpf' },
  { capabilities: ['CAP_SYS_ADMIN', 'CAP_PERFMON'], calls: 'perf_event_open' },
  { capabilities: ['CAP_SYS_ADMIN', 'CAP_SYSLOG'], calls: 'syslog' },
  { capabilities: ['CAP_DAC_READ_SEARCH'], calls: 'open_by_handle_at' },
  { capabilities: ['CAP_SYS_BOOT'], calls: 'reboot' },
  { capabilities: ['CAP_SYS_CHROOT'], calls: 'chroot' },
  { capabilities: ['CAP_SYS_MODULE'], calls: 'delete_module finit_module init_module' },
  { capabilities: ['CAP_SYS_PACCT'], calls: 'acct' },
  { capabilities: ['CAP_SYS_PTRACE'], calls: 'kcmp pidfd_getfd process_madvise' },
  { capabilities: ['CAP_SYS_RAWIO'], calls: 'ioperm iopl' },
  { capabilities: ['CAP_SYS_TIME'], calls: 'clock_settime clock_settime64 settimeofday stime' },
  { capabilities: ['CAP_SYS_TTY_CONFIG'], calls: 'vhangup' },
  {
    capabilities: ['CAP_SYS_NICE'],
    calls: 'get_mempolicy mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node',
  },
];

/**
 * Calls that no container makes, whatever its capabilities: they are not confined by namespaces (keyrings, kexec,
 * swap, the io_uring family with its history of escapes), or belong to old kernels.
 */
export const REFUSED: Readonly<Record<string, string>> = {
  keyrings: 'add_key keyctl request_key',
  machine: 'kexec_file_load kexec_load nfsservctl swapoff swapon',
  io_uring: 'io_uring_enter io_uring_register io_uring_setup',
  'user faults': 'userfaultfd',
  obsolete: `_sysctl create_module get_kernel_syms query_module sysfs uselib ustat vm86 vm86old`,
};

/** The names in a block of text. */
export function namesIn(block: string): string[] {
  return block.trim().split(/\s+/);
}
