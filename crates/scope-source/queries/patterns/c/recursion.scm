; id: c-recursion
; title: the function calls itself
; why: the stack grows with the input
; when: calls-itself
(call_expression) @match
