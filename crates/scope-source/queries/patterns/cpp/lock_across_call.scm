; id: cpp-lock-across-call
; title: lock held across a call
; why: others wait for as long as the call takes
; when: call-before-release
((declaration type: (_) @type declarator: (_ declarator: (identifier) @variable)) @match
  (#match? @type "(^|::)(lock_guard|unique_lock|scoped_lock|shared_lock)"))
((declaration type: (_) @type declarator: (identifier) @variable) @match
  (#match? @type "(^|::)(lock_guard|unique_lock|scoped_lock|shared_lock)"))
((expression_statement (call_expression function: (field_expression field: (field_identifier) @name))) @match
  (#eq? @name "lock"))
