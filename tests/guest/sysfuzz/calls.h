/*
 * The calls and what to give them, one letter per argument:
 *   f descriptor  p pointer  s path  n number  v iovec  m msghdr  a address
 *   k its length  t time  l pollfd  S good structure  z 0  A arena  L its len
 *   P a few pages  q a mask  u unreadable  g a signal that can be sent
 *   0..9 exactly that
 * Left out: what ends the program, its threads or its watchdog (exit,
 * reboot, kill of others, pause), what changes who it is (chroot, execve of
 * itself, sigaction of a heard signal).
 */
struct call {
	short nr;
	char args[7];
};

static const struct call call_table[] = {
	{ SYS_read, "fpn" },
	{ SYS_write, "fpn" },
	{ SYS_open, "snn" },
	{ SYS_close, "f" },
	{ SYS_stat, "sp" },
	{ SYS_fstat, "fp" },
	{ SYS_lstat, "sp" },
	{ SYS_poll, "pnn" },
	{ SYS_poll, "l81" },
	{ SYS_lseek, "fnn" },
	{ SYS_mmap, "ALnxfn" },
	{ SYS_mmap, "AL3xfz" },
	{ SYS_mmap, "znnyzz" },
	{ SYS_mmap, "zn3yfn" },
	{ SYS_mprotect, "ALn" },
	{ SYS_mprotect, "AL3" },
	{ SYS_munmap, "AL" },
	{ SYS_brk, "b" },
	{ SYS_rt_sigaction, "nqSn" },
	{ SYS_rt_sigaction, "9zp8" },
	{ SYS_rt_sigprocmask, "nqp8" },
	{ SYS_rt_sigprocmask, "nqpn" },
	{ SYS_ioctl, "fnp" },
	{ SYS_ioctl, "fip" },
	{ SYS_pread64, "fpnn" },
	{ SYS_pwrite64, "fpnn" },
	{ SYS_readv, "fvn" },
	{ SYS_readv, "fv4" },
	{ SYS_writev, "fvn" },
	{ SYS_writev, "fv4" },
	{ SYS_readv, "fp9" },
	{ SYS_access, "sn" },
	{ SYS_pipe, "p" },
	{ SYS_select, "nppp1" },
	{ SYS_select, "npppt" },
	{ SYS_sched_yield, "" },
	{ SYS_mremap, "ALPnA" },
	{ SYS_mremap, "ALn0z" },
	{ SYS_mremap, "ALP1z" },
	{ SYS_mremap, "ALP3A" },
	{ SYS_msync, "ALn" },
	{ SYS_mincore, "pnp" },
	{ SYS_mincore, "ALp" },
	{ SYS_madvise, "ALn" },
	{ SYS_madvise, "AL4" },
	{ SYS_dup, "f" },
	{ SYS_dup2, "ff" },
	{ SYS_nanosleep, "tp" },
	{ SYS_getitimer, "np" },
	{ SYS_alarm, "n" },
	{ SYS_setitimer, "ntp" },
	{ SYS_getpid, "" },
	{ SYS_sendfile, "ffpn" },
	{ SYS_sendfile, "ffz4" },
	{ SYS_socket, "nnn" },
	{ SYS_socket, "210" },
	{ SYS_socket, "120" },
	{ SYS_connect, "fak" },
	{ SYS_connect, "fpk" },
	{ SYS_accept, "fpp" },
	{ SYS_accept, "fSS" },
	{ SYS_sendto, "fpnnak" },
	{ SYS_sendto, "fS8wak" },
	{ SYS_recvfrom, "fpnnpp" },
	{ SYS_recvfrom, "fSnwSS" },
	{ SYS_sendmsg, "fmn" },
	{ SYS_sendmsg, "fmw" },
	{ SYS_recvmsg, "fmn" },
	{ SYS_recvmsg, "fmw" },
	{ SYS_shutdown, "fn" },
	{ SYS_bind, "fak" },
	{ SYS_bind, "fpk" },
	{ SYS_listen, "fn" },
	{ SYS_getsockname, "fpp" },
	{ SYS_getsockname, "fSS" },
	{ SYS_getpeername, "fpS" },
	{ SYS_socketpair, "nnnp" },
	{ SYS_socketpair, "110S" },
	{ SYS_setsockopt, "fhnpn" },
	{ SYS_setsockopt, "fhnS4" },
	{ SYS_setsockopt, "fhnpk" },
	{ SYS_getsockopt, "fhnpp" },
	{ SYS_getsockopt, "fhnSS" },
	{ SYS_clone, "cpppp" },
	{ SYS_fork, "" },
	{ SYS_vfork, "" },
	{ SYS_execve, "spp" },
	{ SYS_wait4, "npnp" },
	{ SYS_kill, "ng" },
	{ SYS_uname, "p" },
	{ SYS_fcntl, "fjp" },
	{ SYS_fcntl, "fjn" },
	{ SYS_fcntl, "fjf" },
	{ SYS_flock, "fn" },
	{ SYS_fsync, "f" },
	{ SYS_fdatasync, "f" },
	{ SYS_truncate, "sn" },
	{ SYS_ftruncate, "fn" },
	{ SYS_getdents, "fpn" },
	{ SYS_getcwd, "pn" },
	{ SYS_chdir, "s" },
	{ SYS_fchdir, "f" },
	{ SYS_rename, "ss" },
	{ SYS_mkdir, "sn" },
	{ SYS_rmdir, "s" },
	{ SYS_creat, "sn" },
	{ SYS_link, "ss" },
	{ SYS_unlink, "s" },
	{ SYS_symlink, "ss" },
	{ SYS_readlink, "spn" },
	{ SYS_chmod, "sn" },
	{ SYS_fchmod, "fn" },
	{ SYS_chown, "snn" },
	{ SYS_fchown, "fnn" },
	{ SYS_lchown, "snn" },
	{ SYS_umask, "n" },
	{ SYS_gettimeofday, "pp" },
	{ SYS_getrlimit, "np" },
	{ SYS_getrusage, "np" },
	{ SYS_sysinfo, "p" },
	{ SYS_times, "p" },
	{ SYS_getuid, "" },
	{ SYS_syslog, "3pn" },
	{ SYS_syslog, "2zn" },
	{ SYS_setuid, "0" },
	{ SYS_setgid, "0" },
	{ SYS_setpgid, "nn" },
	{ SYS_setsid, "" },
	{ SYS_getpgid, "n" },
	{ SYS_getgroups, "np" },
	{ SYS_setgroups, "np" },
	{ SYS_getresuid, "ppp" },
	{ SYS_getresgid, "ppp" },
	{ SYS_getsid, "n" },
	{ SYS_capget, "pp" },
	{ SYS_capset, "pp" },
	{ SYS_rt_sigpending, "pn" },
	{ SYS_rt_sigpending, "p8" },
	{ SYS_rt_sigtimedwait, "ppt8" },
	{ SYS_rt_sigqueueinfo, "ngp" },
	{ SYS_rt_sigsuspend, "q8" },
	{ SYS_sigaltstack, "pp" },
	{ SYS_utime, "sp" },
	{ SYS_mknod, "snn" },
	{ SYS_personality, "n" },
	{ SYS_statfs, "sp" },
	{ SYS_fstatfs, "fp" },
	{ SYS_getpriority, "nn" },
	{ SYS_setpriority, "nn9" },
	{ SYS_sched_getparam, "np" },
	{ SYS_sched_setscheduler, "00p" },
	{ SYS_sched_getscheduler, "n" },
	{ SYS_sched_get_priority_max, "n" },
	{ SYS_sched_rr_get_interval, "np" },
	{ SYS_mlock, "AL" },
	{ SYS_munlock, "AL" },
	{ SYS_mlockall, "4" },
	{ SYS_munlockall, "" },
	{ SYS_prctl, "nppzz" },
	{ SYS_prctl, "rpnnn" },
	{ SYS_arch_prctl, "en" },
	{ SYS_arch_prctl, "3p" },
	{ SYS_setrlimit, "nu" },
	{ SYS_sync, "" },
	{ SYS_settimeofday, "pp" },
	{ SYS_mount, "ssspp" },
	{ SYS_umount2, "sn" },
	{ SYS_reboot, "nnnp" },
	{ SYS_sethostname, "pn" },
	{ SYS_setdomainname, "pn" },
	{ SYS_readahead, "fnn" },
	{ SYS_setxattr, "sspnn" },
	{ SYS_fsetxattr, "fspnn" },
	{ SYS_getxattr, "sspn" },
	{ SYS_fgetxattr, "fspn" },
	{ SYS_listxattr, "spn" },
	{ SYS_flistxattr, "fpn" },
	{ SYS_removexattr, "ss" },
	{ SYS_tkill, "ng" },
	{ SYS_time, "p" },
	{ SYS_futex, "pnntpn" },
	{ SYS_futex, "SontSn" },
	{ SYS_sched_setaffinity, "0np" },
	{ SYS_sched_getaffinity, "nnp" },
	{ SYS_epoll_create, "n" },
	{ SYS_getdents64, "fpn" },
	{ SYS_restart_syscall, "" },
	{ SYS_fadvise64, "fnnn" },
	{ SYS_timer_create, "nGp" },
	{ SYS_timer_settime, "nntp" },
	{ SYS_timer_gettime, "np" },
	{ SYS_timer_getoverrun, "n" },
	{ SYS_timer_delete, "n" },
	{ SYS_clock_settime, "np" },
	{ SYS_clock_gettime, "np" },
	{ SYS_clock_getres, "np" },
	{ SYS_clock_nanosleep, "nntp" },
	{ SYS_epoll_wait, "fpn1" },
	{ SYS_epoll_wait, "fS81" },
	{ SYS_epoll_ctl, "fnfp" },
	{ SYS_epoll_ctl, "f1fS" },
	{ SYS_epoll_ctl, "f3fS" },
	{ SYS_epoll_ctl, "f2fz" },
	{ SYS_tgkill, "nng" },
	{ SYS_utimes, "sp" },
	{ SYS_mbind, "ALnpnn" },
	{ SYS_set_mempolicy, "npn" },
	{ SYS_get_mempolicy, "ppnpn" },
	{ SYS_waitid, "nnpnp" },
	{ SYS_ioprio_set, "nnn" },
	{ SYS_ioprio_get, "nn" },
	{ SYS_openat, "fsnn" },
	{ SYS_openat, "fsn0" },
	{ SYS_mkdirat, "fsn" },
	{ SYS_mknodat, "fsnn" },
	{ SYS_fchownat, "fsnnn" },
	{ SYS_futimesat, "fsp" },
	{ SYS_newfstatat, "fspn" },
	{ SYS_unlinkat, "fsn" },
	{ SYS_renameat, "fsfs" },
	{ SYS_linkat, "fsfsn" },
	{ SYS_symlinkat, "sfs" },
	{ SYS_readlinkat, "fspn" },
	{ SYS_fchmodat, "fsn" },
	{ SYS_faccessat, "fsn" },
	{ SYS_pselect6, "nppptp" },
	{ SYS_ppoll, "pntqn" },
	{ SYS_ppoll, "l8tq8" },
	{ SYS_get_robust_list, "npp" },
	{ SYS_splice, "fpfpnn" },
	{ SYS_splice, "fzfznn" },
	{ SYS_tee, "ffnn" },
	{ SYS_sync_file_range, "fnnn" },
	{ SYS_vmsplice, "fvnn" },
	{ SYS_vmsplice, "fv30" },
	{ SYS_utimensat, "fspn" },
	{ SYS_epoll_pwait, "fpn1q8" },
	{ SYS_signalfd, "fp8" },
	{ SYS_timerfd_create, "nn" },
	{ SYS_eventfd, "n" },
	{ SYS_fallocate, "fnnn" },
	{ SYS_timerfd_settime, "fntp" },
	{ SYS_timerfd_gettime, "fp" },
	{ SYS_accept4, "fppn" },
	{ SYS_signalfd4, "fp8n" },
	{ SYS_eventfd2, "nn" },
	{ SYS_epoll_create1, "n" },
	{ SYS_dup3, "ffn" },
	{ SYS_pipe2, "pn" },
	{ SYS_preadv, "fvnnn" },
	{ SYS_preadv, "fv3zz" },
	{ SYS_pwritev, "fvnnn" },
	{ SYS_pwritev, "fv3nz" },
	{ SYS_rt_tgsigqueueinfo, "nngp" },
	{ SYS_recvmmsg, "fmnnt" },
	{ SYS_recvmmsg, "fm3wt" },
	{ SYS_prlimit64, "nnup" },
	{ SYS_prlimit64, "0nup" },
	{ SYS_syncfs, "f" },
	{ SYS_sendmmsg, "fmnn" },
	{ SYS_sendmmsg, "fm3w" },
	{ SYS_getcpu, "ppp" },
	{ SYS_sched_setattr, "npn" },
	{ SYS_sched_getattr, "npnn" },
	{ SYS_renameat2, "fsfsn" },
	{ SYS_getrandom, "pnn" },
	{ SYS_memfd_create, "sn" },
	{ SYS_execveat, "fsppn" },
	{ SYS_membarrier, "nnn" },
	{ SYS_mlock2, "ALn" },
	{ SYS_copy_file_range, "fpfpnn" },
	{ SYS_copy_file_range, "fzfznz" },
	{ SYS_preadv2, "fvnnnn" },
	{ SYS_pwritev2, "fvnnnn" },
	{ SYS_statx, "fsnnp" },
	{ SYS_rseq, "pnnn" },
	{ SYS_clone3, "pn" },
	{ SYS_clone3, "S9" },
	{ SYS_close_range, "nnn" },
	{ SYS_openat2, "fspn" },
	{ SYS_faccessat2, "fsnn" },
	{ 441 /* epoll_pwait2 */, "fpntq8" },
	{ 452 /* fchmodat2 */, "fsnn" },
	{ -1, "nnnnnn" },
	{ 500, "nnnnnn" },
};

static const int request[] = {
	/* of ioctl */
	0x5401,
	0x5402,
	0x5403,
	0x5404,
	0x540b,
	0x540f,
	0x5410,
	0x5411,
	0x5413,
	0x5414,
	0x541b,
	0x5421,
	0x5450,
	0x5451,
	0x5452,
	0x8901,
	0x8903,
	0x8905,
	0x8910,
	0x8912,
	0x8913,
	0x8915,
	0x8919,
	0x891b,
	0x8921,
	0x8927,
	0x8933,
	0x8938,
	0x8942,
	0x1260,
	0x80081272,
	0x80045430,
	0x40045431,
	0x5422,
	0x80086601,
	0x40086602,
	0xc020660b,
};

/* A mask that leaves the watchdog's signal alone, or none. */
static long mask_pointer(struct worker *w)
{
	uint64_t *mask = (void *)good_pointer(w, 8);

	if (below(w, 2))
		return PICK(w, bad_address);
	*mask = rnd(w) & ~(1ul << (SIGUSR1 - 1));
	return (long)mask;
}

/* As a new action, mask or limit: only what cannot be read. */
static long unreadable(struct worker *w)
{
	return below(w, 2) ? (long)w->none : (long)PICK(w, bad_address);
}

static long event_pointer(struct worker *w)
{
	struct sigevent *ev = (void *)good_pointer(w, sizeof(*ev));
	static const int sig[] = { SIGUSR2, 0, -1, 65, 1 << 30 };

	if (below(w, 3) == 0)
		return unreadable(w);
	memset(ev, 0, sizeof(*ev));
	ev->sigev_notify = below(w, 6);
	ev->sigev_signo = PICK(w, sig);
	ev->_sigev_un._tid = below(w, 2) ? w->tid : (int)odd(w);
	return (long)ev;
}

static long address_len(struct worker *w)
{
	static const int len[] = { 0, 1, 2, 8, 15, 16, 28, 109, 110, 111, 128 };

	return below(w, 6) ? PICK(w, len) : odd(w);
}

static long level(struct worker *w)
{
	static const int of[] = { SOL_SOCKET, SOL_SOCKET, IPPROTO_IP,
		IPPROTO_TCP, IPPROTO_IPV6, 17, 255 };

	return below(w, 8) ? PICK(w, of) : odd(w);
}

static long signal_number(struct worker *w)
{
	static const int sig[] = { 0, -1, 65, 1 << 20, SIGUSR2, SIGURG };

	return PICK(w, sig);
}

/* Threads come from pthread_create: only what clone() must refuse. */
static long clone_flags(struct worker *w)
{
	static const long f[] = { CLONE_THREAD, CLONE_SIGHAND, CLONE_NEWNS,
		CLONE_THREAD | CLONE_SIGHAND, CLONE_NEWNET, CLONE_NEWPID,
		CLONE_PIDFD, 0, 17 };

	return PICK(w, f);
}

static long argument(struct worker *w, char kind, long before)
{
	static const int tls_code[] = { 0, 0x1001, 0x1004, 0x1011, 0x2001, -1 };
	static const int prctl_op[] = { 2, 3, 4, 8, 15, 16, 21, 23, 25, 27, 29,
		33, 36, 38, 39, 40, 41 };

	switch (kind) {
	case 'f':
		return fd(w);
	case 'p':
		return any_pointer(w);
	case 's':
		return path_pointer(w);
	case 'n':
		return odd(w);
	case 'v':
		return iov_pointer(w);
	case 'm':
		return msg_pointer(w);
	case 'a':
		return address_pointer(w);
	case 'k':
		return address_len(w);
	case 't':
		return time_pointer(w);
	case 'l':
		return pollfd_pointer(w);
	case 'S':
		return struct_pointer(w);
	case 'A':
		return arena_pointer(w);
	case 'L':
		return arena_len(w, before);
	case 'g':
		return signal_number(w);
	case 'q':
		return mask_pointer(w);
	case 'P':
		return (1 + below(w, 16)) * PAGE;
	case 'u':
		return unreadable(w);
	case 'G':
		return event_pointer(w);
	case 'b':
		return PICK(w, bad_address);
	case 'x':
		return MAP_FIXED | (odd(w) & ~MAP_GROWSDOWN);
	case 'y':
		return odd(w) & ~(MAP_FIXED | MAP_GROWSDOWN | MAP_POPULATE);
	case 'w':
		return MSG_DONTWAIT | (below(w, 3) ? 0 : odd(w));
	case 'h':
		return level(w);
	case 'i':
		return PICK(w, request);
	case 'j':
		return below(w, 4) ? below(w, 9) : 1024 + below(w, 16);
	case 'o':
		return below(w, 14) | (below(w, 2) ? 128 : 0);
	case 'c':
		return clone_flags(w);
	case 'r':
		return PICK(w, prctl_op);
	case 'e':
		return PICK(w, tls_code);
	case 'z':
		return 0;
	default:
		return kind - '0';
	}
}

/* These would take away what the test itself stands on. */
static int forbidden(long nr, volatile long *a)
{
	unsigned fd0 = a[0], fd1 = a[1];

	switch (nr) {
	case SYS_close:
		return fd0 < FIRST_FD;
	case SYS_dup2:
	case SYS_dup3:
		return fd0 < FIRST_FD || fd1 < FIRST_FD;
	case SYS_close_range:
		return fd0 < FIRST_FD || fd0 > fd1;
	case SYS_rt_sigaction:
		return a[1] && (unsigned long)a[1] < 0x7ffff0000000 &&
		       a[1] > 0x1000;
	case SYS_mlockall:
		return a[0] & 2;
	case SYS_reboot:
		return fd0 == 0xfee1dead;
	case SYS_futex: /* no signal ends FUTEX_LOCK_PI and FUTEX_LOCK_PI2 */
		return (a[1] & 127) == 6 || (a[1] & 127) == 13;
	case SYS_prctl: /* a timer slack of years, a death by seccomp */
		return fd0 == 29 || fd0 == 22;
	case SYS_mmap: /* never over the test's own memory */
		return (a[3] & MAP_FIXED) && a[0] == 0x7fffffffe000;
	default:
		return 0;
	}
}

static void undo(struct worker *w, long nr, long r)
{
	struct sched_param sp = {};
	uint64_t none = 0;

	switch (nr) {
	case SYS_rt_sigprocmask:
	case SYS_rt_sigsuspend:
		sys(SYS_rt_sigprocmask, SIG_SETMASK, (long)&none, 0, 8, 0, 0);
		break;
	case SYS_arch_prctl:
		sys(SYS_arch_prctl, 0x1002, w->fs, 0, 0, 0, 0);
		break;
	case SYS_sched_setscheduler:
	case SYS_sched_setattr:
		sys(SYS_sched_setscheduler, 0, 0, (long)&sp, 0, 0, 0);
		break;
	case SYS_personality:
		sys(SYS_personality, 0, 0, 0, 0, 0, 0);
		break;
	case SYS_mmap:
		if ((unsigned long)r < -4096ul &&
		    ((char *)r < w->arena || (char *)r >= w->arena + 2 * ARENA))
			sys(SYS_munmap, r, w->a[1], 0, 0, 0, 0);
		break;
	}
}

/* One descriptor of each kind, at the fixed numbers that fd() gives. */
static int fresh(unsigned kind)
{
	static const char *const file[] = {
		"/proc",
		"/proc/self",
		"/proc/self/maps",
		"/proc/meminfo",
		"/proc/self/fd",
		"/proc/net/tcp",
		"/dev/null",
		"/dev/zero",
		"/dev/full",
		"/dev/urandom",
		"/tmp",
		"/",
		"/bin/test",
	};
	static const int family[] = { AF_INET, AF_INET6, AF_UNIX };
	int pair[2] = { -1, -1 };

	if (kind < 13)
		return open(file[kind], O_RDONLY | O_NONBLOCK);
	if (kind < 25)
		return socket(family[kind % 3],
		    kind < 19 ? SOCK_STREAM | SOCK_NONBLOCK
			      : SOCK_DGRAM | SOCK_NONBLOCK,
		    0);
	switch (kind) {
	case 25 ... 28:
		pipe2(pair, kind & 1 ? O_NONBLOCK : 0);
		close(pair[kind < 27]);
		return pair[kind >= 27];
	case 29:
		return eventfd(0, EFD_NONBLOCK);
	case 30:
		return eventfd(1, EFD_SEMAPHORE);
	case 31:
	case 32:
		return epoll_create1(0);
	case 33:
		return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	case 34:
		return memfd_create("m", MFD_ALLOW_SEALING);
	case 35:
		return open("/tmp/a", O_RDWR | O_CREAT, 0666);
	case 36:
		return open("/tmp/a", O_RDWR | O_CREAT | O_APPEND, 0666);
	case 37:
		return open("/tmp", O_PATH);
	case 38:
		return open("/tmp/fifo", O_RDWR | O_NONBLOCK);
	case 39 ... 42:
		socketpair(AF_UNIX,
		    (kind & 1 ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0,
		    pair);
		dup2(pair[1], FIRST_FD + kind - 1);
		close(pair[1]);
		return pair[0];
	case 43:
		return socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, 1);
	case 44:
		return socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, 0);
	case 45:
		return open("/dev/shm/x", O_RDWR | O_CREAT, 0600);
	case 46:
		return inotify_init1(IN_NONBLOCK);
	default:
		return syscall(
		    SYS_signalfd4, -1, &(uint64_t){ 1 << 11 }, 8, SFD_NONBLOCK);
	}
}

static void refresh(struct worker *w, unsigned kind)
{
	int to = FIRST_FD + kind, from = fresh(kind);

	if (from < 0 || from == to)
		return;
	dup2(from, to);
	close(from);
	if (kind % 4 == 1) { /* a listener in the pool */
		struct sockaddr_in in = { .sin_family = AF_INET };

		in.sin_port = htons(5000 + below(w, 4));
		bind(to, (void *)&in, sizeof(in));
		listen(to, 4);
	}
}

static void tidy(struct worker *w)
{
	unsigned i;

	for (i = 0; i < POOL_FDS; i++)
		refresh(w, i);
	/* Only what the pool does not use: open calls leave many behind. */
	sys(SYS_close_range, LAST_FD + 1, -1, 0, 0, 0, 0);
	for (i = FIRST_FD + POOL_FDS; i <= LAST_FD; i++)
		close(i);
	for (i = 0; i < 40; i++)
		sys(SYS_timer_delete, i, 0, 0, 0, 0, 0);
	sys(SYS_umount2, (long)"/tmp/d", 2, 0, 0, 0, 0);
	truncate("/tmp/a", 100);
	truncate("/dev/shm/x", 100);
	unlink("/tmp/sock");
	mkfifo("/tmp/fifo", 0666);
	symlink("loop", "/tmp/loop");
	mkdir("/tmp/d", 0777);
	chdir("/tmp");
}

static char *map(unsigned pages, int prot)
{
	char *p = mmap(NULL, (pages + 2) * PAGE, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(p + PAGE, pages * PAGE, prot);
	munmap(p + (pages + 1) * PAGE, PAGE);
	return p + PAGE;
}

static void prepare(struct worker *w)
{
	int f = memfd_create("short", 0);

	w->mem = map(16, PROT_READ | PROT_WRITE);
	w->ro = map(1, PROT_READ);
	w->none = map(1, PROT_NONE);
	w->arena = map(128, PROT_READ | PROT_WRITE);
	ftruncate(f, 1);
	w->hole = (char *)mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
		      MAP_SHARED, f, 0) +
		  PAGE;
	close(f);
	sys(SYS_arch_prctl, 0x1003, (long)&w->fs, 0, 0, 0, 0);
}

static void fuzz_one(struct worker *w)
{
	const struct call *c = &PICK(w, call_table);
	unsigned i, nargs = strlen(c->args);
	long r;

	for (i = 0; i < 6; i++)
		w->a[i] = i < nargs
			      ? argument(w, c->args[i], i ? w->a[i - 1] : 0)
			      : rnd(w);
	w->nr = c->nr;
	if (forbidden(c->nr, w->a))
		return;
	if (verbose)
		dprintf(2, "%d %d %#lx %#lx %#lx %#lx %#lx %#lx\n", w->tid,
		    c->nr, w->a[0], w->a[1], w->a[2], w->a[3], w->a[4],
		    w->a[5]);
	r = sys(c->nr, w->a[0], w->a[1], w->a[2], w->a[3], w->a[4], w->a[5]);
	undo(w, c->nr, r);
}

static void *fuzz_worker(void *arg)
{
	struct worker *w = arg;

	prepare(w);
	w->tid = sys(SYS_gettid, 0, 0, 0, 0, 0, 0);
	for (; w->n < w->calls; w->n++) {
		if (w->n % 500 == 0)
			tidy(w);
		fuzz_one(w);
	}
	w->done = 1;
	return NULL;
}
