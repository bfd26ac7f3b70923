/* The freestanding programs as bytes in the core's read-only data. */
  .section .rodata
  .globl appshotRestorerStart, appshotRestorerEnd, appshotNurseryStart, appshotNurseryEnd
  .balign 16
appshotRestorerStart:
  .incbin APPSHOT_RESTORER
appshotRestorerEnd:
  .balign 16
appshotNurseryStart:
  .incbin APPSHOT_NURSERY
appshotNurseryEnd:
  .section .note.GNU-stack,"",@progbits
