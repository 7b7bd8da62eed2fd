; id: rust-lock-across-call
; title: lock held across a call
; why: others wait for as long as the call takes
; when: call-before-release
(let_declaration
  pattern: [(identifier) @variable (mut_pattern (identifier) @variable)]
  value: (_) @value
  (#match? @value "\\.(lock|read|write)\\(\\)(\\.await|\\.unwrap\\(\\)|\\.expect\\([^)]*\\)|\\?)*$")) @match
