; id: cpp-unchecked-result
; title: result thrown away
; why: a failure or a short count goes unseen
((expression_statement (call_expression function: (identifier) @name)) @match
  (#any-of? @name "read" "write" "pread" "pwrite" "fread" "fwrite" "send" "recv" "scanf" "fscanf"
    "realloc" "setuid" "chdir" "ftruncate" "pthread_create"))
