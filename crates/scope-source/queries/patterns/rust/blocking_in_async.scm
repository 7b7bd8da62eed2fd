; id: rust-blocking-in-async
; title: blocking call in an async function
; why: the executor's thread does nothing else meanwhile
; when: in-async
((call_expression function: (scoped_identifier) @name) @match
  (#match? @name "(^|::)(thread::sleep|fs::(read|write|read_to_string|copy|rename|remove_file|create_dir|create_dir_all|metadata|read_dir)|File::(open|create)|TcpStream::connect|UdpSocket::bind|TcpListener::bind|Command::new)$")
  (#not-match? @name "^(tokio|async_std|smol)::"))
