/*
 * The last code of a task before its program goes on, copied into a page of the task's own.
 *   r8, r9 what the last task unmaps    r10 counter of tasks still in the region
 *   r12 frame on the program's stack: its first word is the address of a sigreturn gadget
 *   r13 `syscall; ret` gadget in the program's memory    r14, r15 this page
 * Nothing of the region may be touched behind the decrement, and nothing of this page behind the jump: the gadget unmaps the page
 * and "returns" to the sigreturn gadget with the stack pointer at the signal frame.
 */
  .text
  .globl appshotStub
  .globl appshotStubEnd
appshotStub:
  mov %r12, %rsp
  lock decq (%r10)
  jnz 1f
  mov %r8, %rdi
  mov %r9, %rsi
  mov $11, %eax          /* munmap */
  syscall
1:
  mov %r14, %rdi
  mov %r15, %rsi
  mov $11, %eax
  jmp *%r13
appshotStubEnd:
  .section .note.GNU-stack,"",@progbits
