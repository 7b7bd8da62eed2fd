; id: c-lock-across-call
; title: lock held across a call
; why: others wait for as long as the call takes
; when: call-before-release
((expression_statement (call_expression function: (identifier) @name)) @match
  (#any-of? @name "pthread_mutex_lock" "pthread_rwlock_rdlock" "pthread_rwlock_wrlock"
    "pthread_spin_lock" "mtx_lock"))
