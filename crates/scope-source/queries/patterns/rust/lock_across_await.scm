; id: rust-lock-across-await
; title: lock held across an await
; why: another task that wants the lock waits as long as this one sleeps; with a blocking lock it can deadlock the executor
; when: in-async, await-before-release
(let_declaration
  pattern: [(identifier) @variable (mut_pattern (identifier) @variable)]
  value: (_) @value
  (#match? @value "\\.(lock|read|write)\\(\\)(\\.await|\\.unwrap\\(\\)|\\.expect\\([^)]*\\)|\\?)*$")) @match
