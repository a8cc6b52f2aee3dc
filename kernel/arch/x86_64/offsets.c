/* The numbers of offsets.h, against the structs they stand for. */

#include <stddef.h>

#include "kern/app.h"
#include "kern/arch.h"
#include "kern/mm.h"
#include "kern/percpu.h"
#include "kern/sched.h"

#include "arch_int.h"

#define CHECK(name, type, field) \
	_Static_assert(name == offsetof(type, field), #name)

_Static_assert(COPY_USER_MAX == USER_MAX, "COPY_USER_MAX");

CHECK(CPU_SELF, struct cpu, self);
CHECK(CPU_KSTACK_TOP, struct cpu, kstack_top);
CHECK(CPU_SCRATCH, struct cpu, scratch);
CHECK(CPU_CURRENT, struct cpu, current);
CHECK(CPU_NEED_RESCHED, struct cpu, need_resched);
CHECK(CPU_ID, struct cpu, id);
CHECK(CPU_DOOR_COUNT, struct cpu, door_count);

CHECK(CPU_ARCH, struct cpu, arch);
CHECK(ARCH_CPU_IST_FAULT, struct arch_cpu, tss.ist[IST_FAULT - 1]);

CHECK(THREAD_APP_WORK, struct thread, app_work);

CHECK(TF_R11, struct trapframe, r11);
CHECK(TF_R15, struct trapframe, r15);
CHECK(TF_R14, struct trapframe, r14);
CHECK(TF_R13, struct trapframe, r13);
CHECK(TF_R12, struct trapframe, r12);
CHECK(TF_R10, struct trapframe, r10);
CHECK(TF_R9, struct trapframe, r9);
CHECK(TF_R8, struct trapframe, r8);
CHECK(TF_RBP, struct trapframe, rbp);
CHECK(TF_RDI, struct trapframe, rdi);
CHECK(TF_RSI, struct trapframe, rsi);
CHECK(TF_RDX, struct trapframe, rdx);
CHECK(TF_RBX, struct trapframe, rbx);
CHECK(TF_RCX, struct trapframe, rcx);
CHECK(TF_RAX, struct trapframe, rax);
CHECK(TF_VECTOR, struct trapframe, vector);
CHECK(TF_ERROR, struct trapframe, error);
CHECK(TF_RIP, struct trapframe, rip);
CHECK(TF_CS, struct trapframe, cs);
CHECK(TF_RFLAGS, struct trapframe, rflags);
CHECK(TF_RSP, struct trapframe, rsp);
CHECK(TF_SS, struct trapframe, ss);
_Static_assert(APP_CALL_COUNT == APP_NCALL, "APP_NCALL");
_Static_assert(TF_SIZE == sizeof(struct trapframe), "TF_SIZE");
_Static_assert(BOOT_STACK_SIZE == KSTACK_SIZE, "BOOT_STACK_SIZE");
_Static_assert(RFLAGS_IF == IRQ_FLAG_IF, "RFLAGS_IF");
