; id: cpp-allocation-in-loop
; title: allocation in a loop
; why: each round pays for the allocator; an object made before the loop can be used again
; when: in-loop
(new_expression) @match
((call_expression function: (_) @name) @match
  (#match? @name "^(std::)?(make_unique|make_shared|malloc|calloc|realloc|strdup|to_string)"))
