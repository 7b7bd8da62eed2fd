; id: rust-panic
; title: panic outside tests
; why: it ends the thread, or the program
; when: not-in-test
((macro_invocation macro: (identifier) @name) @match
  (#any-of? @name "panic" "todo" "unimplemented" "unreachable"))
