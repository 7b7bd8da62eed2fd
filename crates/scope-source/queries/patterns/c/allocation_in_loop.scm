; id: c-allocation-in-loop
; title: allocation in a loop
; why: each round pays for the allocator; a buffer made before the loop can be used again
; when: in-loop
((call_expression function: (identifier) @name) @match
  (#any-of? @name "malloc" "calloc" "realloc" "strdup" "strndup" "asprintf"))
