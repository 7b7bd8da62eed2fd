; id: cpp-catch-all
; title: every exception is caught
; why: what nobody foresaw goes unseen
((catch_clause parameters: (parameter_list) @list) @match
  (#match? @list "^\\(\\s*\\.\\.\\.\\s*\\)$"))
